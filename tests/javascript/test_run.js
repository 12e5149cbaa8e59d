import assert from "node:assert/strict";
import { test } from "node:test";

import { column, concatenated, grouped } from "../../ipyflops/views/widget/static/buffers.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { floats, ints, layers, message } from "./messages.js";

test("columns of numbers are read from wherever they begin", () => {
  assert.deepEqual([...column(Float64Array, floats([1.5, -2]))], [1.5, -2]);
  assert.deepEqual([...column(Int32Array, Int32Array.of(7).buffer)], [7]);
  assert.deepEqual([...column(Int32Array, undefined)], []);
  assert.deepEqual([...concatenated(Int32Array, [ints([1, 2]), ints([]), ints([3])])], [1, 2, 3]);
});

test("items are grouped, and those of no group are left out", () => {
  const { start, order } = grouped(Int32Array.of(1, -1, 0, 1), 3);
  assert.deepEqual([...start], [0, 1, 3, 3]);
  assert.deepEqual([...order], [2, 0, 3]);
});

test("a place has the sums of what ran inside, by phase", () => {
  const run = new Run(layers());
  const head = run.placeAt("model.head");
  const totals = run.totals("flops standard");
  assert.deepEqual([...totals.subarray(4 * head, 4 * head + 4)], [0, 300, 0, 0]);
  // Four layers of 100 + 10, the model's own 10, and the backward of the head.
  assert.deepEqual([...totals.subarray(0, 4)], [450, 300, 0, 0]);
  assert.equal(run.whole("flops standard"), 750);
  assert.equal(run.whole("flops article"), 400);
  assert.equal(run.whole("seconds"), 9100);
  assert.equal(run.whole("calls"), 12);
  assert.equal(run.whole("bytes"), 40 * 7 + 80 * 5);
});

test("a convention that is not sent says what standard says", () => {
  const run = new Run(layers());
  assert.equal(run.whole("flops contractions"), run.whole("flops standard"));
  assert.equal(run.whole("communicated"), 0);
});

test("the time that FLOPs would take at the peak, where a peak is known", () => {
  const run = new Run(layers());
  assert.equal(run.whole("peak_seconds standard"), 700); // nanoseconds of 700 FLOPs at 10⁹ FLOPS
  assert.equal(run.whole("peak_seconds article"), 350);
});

test("a cost that is a sum over calls is not multiplied by them", () => {
  const run = new Run(message({
    places: [{ parent: 0, name: "a" }],
    signatures: [{ operator: "x", flops: 12, summed: true }],
    calls: [{ place: 1, signature: 0, calls: 5 }],
  }));
  assert.equal(run.whole("flops standard"), 12);
  assert.equal(run.amount(0, "flops standard"), 12);
  assert.equal(run.amount(0, "calls"), 5);
});

test("paths name places, and places have paths", () => {
  const run = new Run(layers());
  for (let place = 0; place < run.size; place++) assert.equal(run.placeAt(run.path(place)), place);
  assert.equal(run.path(3), "model.layer7.linear");
  assert.equal(run.placeAt("model.nothing"), -1);
});

test("numbered children come by their number", () => {
  const run = new Run(message({
    places: ["10", "9", "0"].map((name) => ({ parent: 0, name })),
    signatures: [],
    calls: [],
  }));
  assert.deepEqual([...run.childrenOf(0)].map((place) => run.name(place)), ["0", "9", "10"]);
});

test("places are alike in all but time", () => {
  const run = new Run(layers());
  const [high, low] = run.likeness;
  const first = run.placeAt("model.layer7");
  const last = run.placeAt("model.layer10");
  const head = run.placeAt("model.head");
  assert.equal(high[first], high[last]);
  assert.equal(low[first], low[last]);
  assert.notEqual(high[first], high[head]);
});
