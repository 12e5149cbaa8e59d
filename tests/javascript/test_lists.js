import assert from "node:assert/strict";
import { test } from "node:test";

import { OperatorList } from "../../ipyflops/views/widget/static/lists.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { LineList } from "../../ipyflops/views/widget/static/source_lines.js";
import { dominant, lineOf } from "../../ipyflops/views/widget/static/sources.js";
import { bytes, floats, ints, layers } from "./messages.js";

test("operators have their sums, and their shapes inside", () => {
  const list = new OperatorList(new Run(layers()));
  const [mm, relu] = list.roots();
  assert.deepEqual([mm.name, relu.name], ["aten::mm", "aten::relu"]);
  assert.deepEqual(Array.from(mm.phases("flops standard")), [400, 300, 0, 0]);
  assert.equal(list.items(relu).length, 5);
  const [shapes] = list.children(mm);
  assert.equal(shapes.name, "2×3");
  assert.equal(shapes.sum("flops standard"), 700);
  assert.deepEqual(list.children(shapes), []);
});

test("what is known about an operator stands beside it", () => {
  const packed = layers();
  packed.signatures.text[1][3] = "unknown";
  packed.signatures.text[0][3] = "free";
  const [mm, relu] = new OperatorList(new Run(packed)).roots();
  assert.deepEqual([mm.type, relu.type, relu.kind], ["free: computes nothing", "unknown", "unknown"]);
});

test("a search leaves the operators that match", () => {
  const list = new OperatorList(new Run(layers()));
  list.search("relu");
  const rows = list.roots();
  assert.deepEqual(rows.map((row) => row.name), ["aten::relu"]);
  assert.equal(list.hits, 1);
  assert.ok(list.isHit(rows[0]));
});

test("lines stand in their order, with what is not known at the end", () => {
  const list = new LineList(new Run(layers()));
  const [cell, unknown] = list.roots();
  assert.deepEqual([cell.name, unknown.name], ["In[1]", "(unknown line)"]);
  assert.deepEqual(list.children(cell).map((row) => [row.number, row.name, row.sum("flops standard")]), [
    [1, "loss.backward()", 300],
    [2, "y = relu(x)", 10],
  ]);
  assert.equal(unknown.sum("flops standard"), 440);
});

test("an excerpt shows lines where nothing ran, and methods when asked for", () => {
  const packed = layers();
  packed.excerpts = [
    {
      file: "In[1]", name: "", first: 1, lines: ["  loss.backward()", "  y = relu(x)", "", "  z = 1"],
      number: ints([]), phase: bytes([]), signature: ints([]), calls: floats([]), nanoseconds: floats([]),
    },
    {
      file: "net.py", name: "Net.forward", first: 7, lines: ["def forward(self):", "    return self.a()"],
      number: ints([8]), phase: bytes([0]), signature: ints([0]), calls: floats([2]), nanoseconds: floats([9]),
    },
  ];
  const list = new LineList(new Run(packed));
  assert.ok(list.hasMethods);
  assert.deepEqual(list.roots().map((row) => row.name), ["In[1]", "(unknown line)"]);
  const lines = list.children(list.roots()[0]);
  assert.deepEqual(lines.map((row) => [row.name, row.silent]), [
    ["loss.backward()", false], ["y = relu(x)", false], ["", true], ["z = 1", true],
  ]);
  list.showMethods(true);
  const method = list.roots()[2];
  assert.deepEqual([method.name, method.type], ["Net.forward", "net.py"]);
  assert.deepEqual(list.children(method).map((row) => row.sum("flops standard")), [0, 200]);
  // What ran on the lines of methods ran in the scopes, too, and is not counted twice.
  assert.equal(list.run.whole("flops standard"), 750);
  assert.equal(new OperatorList(list.run).roots()[0].sum("flops standard"), 700);
  list.search("self.a");
  assert.deepEqual(list.roots().map((row) => row.name), ["Net.forward"]);
  assert.equal(list.children(list.roots()[0]).length, 1);
});

test("the lines with the most FLOPs", () => {
  const run = new Run(layers());
  const items = Array.from({ length: run.rowCount }, (_, item) => item);
  assert.deepEqual(dominant(run, items, "standard", 1), [{ line: 0, flops: 300, whole: 750 }]);
  assert.equal(lineOf(run, 1), "y = relu(x)");
});
