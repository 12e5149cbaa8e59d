import assert from "node:assert/strict";
import { test } from "node:test";

import { layOut } from "../../ipyflops/views/widget/static/icicle.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { message } from "./messages.js";

/** A model with so many layers, each of as many FLOPs as its number says. */
function numbered(/** @type {number} */ count) {
  const layers = Array.from({ length: count }, (_, index) => index + 1);
  return new Run(message({
    places: [{ parent: 0, name: "model" }, ...layers.map((name) => ({ parent: 1, name: `layer${name % 100}` }))],
    signatures: layers.map((flops) => ({ operator: "x", flops })),
    calls: layers.map((layer) => ({ place: layer + 1, signature: layer - 1, phase: layer % 2 })),
  }));
}

/** @param {import("../../ipyflops/views/widget/static/icicle.js").Part[]} row */
const boxes = (row) => row.map(({ places, start, width }) => [places, start, width]);

test("each part is as wide as its share, and stands below what it is in", () => {
  // 1 + 2 + 3 + 4 = 10 FLOPs.
  const rows = layOut(numbered(4), [0], "flops standard", { levels: 9, least: 0 });
  assert.deepEqual(rows.map((row) => row.length), [1, 1, 4]);
  assert.deepEqual(boxes(rows[2]), [[[2], 0, 0.1], [[3], 0.1, 0.2], [[4], 0.1 + 0.2, 0.3], [[5], 0.1 + 0.2 + 0.3, 0.4]]);
  assert.deepEqual(rows[2].map(({ phase }) => phase), ["backward", "forward", "backward", "forward"]);
  assert.equal(layOut(numbered(4), [0], "flops standard", { levels: 2, least: 0 }).length, 2);
  assert.deepEqual(layOut(numbered(4), [0], "macs", { levels: 9, least: 0 }), []);
});

test("what is narrow stands together, and one can go into it", () => {
  const run = numbered(4);
  const [, , row] = layOut(run, [0], "flops standard", { levels: 9, least: 0.25 });
  assert.deepEqual(row.map(({ places }) => places), [[4], [5], [2, 3]]);
  assert.equal(row[2].rest, true);
  assert.equal(row[2].phase, null);
  // Inside of the two the widths are shares of what they have together: 1 + 2 = 3.
  const inside = layOut(run, row[2].places, "flops standard", { levels: 9, least: 0.25 });
  assert.deepEqual(boxes(inside[1]), [[[2], 0, 1 / 3], [[3], 1 / 3, 2 / 3]]);
});

test("100,000 siblings are as many parts as there is room for, whatever their order", () => {
  const count = 100_000;
  const run = numbered(count);
  const [, , row] = layOut(run, [0], "flops standard", { levels: 9, least: 3 / 700, shared: 28 / 700 });
  assert.ok(row.length > 15 && row.length <= 25, String(row.length));
  assert.equal(row.reduce((sum, { places }) => sum + places.length, 0), count);
  assert.ok(Math.abs(row.reduce((sum, { width }) => sum + width, 0) - 1) < 1e-9);
  for (const { width } of row.slice(0, -1)) assert.ok(width >= 28 / 700);
});
