import assert from "node:assert/strict";
import { test } from "node:test";

import { ChangedRun } from "../../ipyflops/views/widget/static/change_run.js";
import { changedOperators } from "../../ipyflops/views/widget/static/change_details.js";
import { ChangeTree } from "../../ipyflops/views/widget/static/change_tree.js";
import { OpenRows } from "../../ipyflops/views/widget/static/open_rows.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { tableText } from "../../ipyflops/views/widget/static/export.js";
import { ModuleTree } from "../../ipyflops/views/widget/static/tree.js";
import { bytes, ints, message } from "./messages.js";

/** @import { Row } from "../../ipyflops/views/widget/static/rows.js" */

// A model of two blocks, a stem and a head; every operator has 100 FLOPs. Then the first block has two
// more of them, the head is gone and a tail has come: 4 operators before, 6 after.
const MODULES = ["model", "block0", "block1", "stem", "head", "tail"];

/** @param {number[]} calls of each module, by its place in MODULES; -1 where it is not there */
function run(calls) {
  const there = calls.flatMap((count, index) => (count < 0 ? [] : [index]));
  return message({
    places: there.map((index) => ({ parent: index ? 1 : 0, name: MODULES[index], type: index ? "Linear" : "Net" })),
    signatures: [{ operator: "aten::mm", flops: 100, article: 50 }],
    calls: there.flatMap((index, at) =>
      (calls[index] ? [{ place: at + 1, signature: 0, calls: calls[index], nanoseconds: 7000 }] : [])),
  });
}

/** As Python matches the places of the two. */
function changed() {
  const before = run([0, 1, 1, 1, 1, -1]);
  const after = run([0, 3, 1, 1, -1, 1]);
  const names = ["", ...MODULES, "Linear", "Net"];
  const change = {
    before,
    names,
    places: {
      parent: ints([-1, 0, 1, 1, 1, 1, 1]),
      name: ints([0, 1, 2, 3, 4, 5, 6]),
      type: ints([0, 8, 7, 7, 7, 7, 7]),
      kind: bytes([0, 1, 1, 1, 1, 1, 1]),
      before: ints([0, 1, 2, 3, 4, 5, -1]),
      after: ints([0, 1, 2, 3, 4, -1, 5]),
    },
    headlines: before.headlines,
  };
  const tree = new ChangeTree(new ChangedRun(change, { ...after, change }, new Run(after)));
  tree.setMeasure("flops standard");
  return tree;
}

/** @param {ChangeTree} tree */
function opened(tree) {
  const { metrics } = tree.run;
  const rows = new OpenRows(tree, {
    convention: "standard", bar: metrics.of("flops"), measure: "flops standard", whole: 0, heat: false,
  });
  rows.openHeaviest(14, (row) => tree.weight(row));
  rows.update();
  return rows;
}

/** @param {OpenRows} grid */
const names = (grid) => grid.rows.map((row) => row.name);

/**
 * @param {ChangeTree} tree
 * @param {Row} row
 */
const cells = (tree, row) =>
  ["before", "after", "difference", "ratio"].map((name) => tree.run.metrics.inColumn(name).text(row, "standard"));

test("what has changed is open, and what has not is one row", () => {
  const tree = changed();
  const grid = opened(tree);
  assert.deepEqual(names(grid), ["model", "block0", "head", "tail", "2 unchanged"]);
  assert.deepEqual(grid.rows.map((row) => cells(tree, row)), [
    ["400", "600", "+200", "×1.50"],
    ["100", "300", "+200", "×3.00"],
    ["100", "", "-100", "removed"],
    ["", "100", "+100", "added"],
    ["200", "200", "0", "×1.00"],
  ]);
  const { changes } = tree;
  assert.deepEqual([...changes.changed], [1, 1, 1, 0, 0, 1, 1]);
});

test("what opens at first takes no longer where one module has very many others inside", () => {
  const count = 600;
  const places = [{ parent: 0, name: "model" }];
  for (let at = 0; at < count; at++) places.push({ parent: 1, name: `block${"x".repeat(at % 7)}${at}a` });
  for (let at = 0; at < count; at++) places.push({ parent: 2 + at, name: "linear" });
  const packed = message({
    places,
    signatures: [{ operator: "aten::mm", flops: 100 }],
    calls: places.flatMap((_, at) => (at > count ? [{ place: at + 1, signature: 0, calls: at }] : [])),
  });
  const grid = new OpenRows(new ModuleTree(new Run(packed)), {
    convention: "standard", bar: new Run(packed).metrics.of("flops"), measure: "flops standard", whole: 0, heat: false,
  });
  let asked = 0;
  grid.openHeaviest(14, (row) => (asked += 1) && row.sum("flops standard"));
  assert.deepEqual([...grid.open], [1]);
  assert.ok(asked < 10, String(asked));
});

test("rows are sorted by how much has changed, whichever way", () => {
  const grid = opened(changed());
  grid.sort = "-difference";
  grid.update();
  assert.deepEqual(names(grid), ["model", "block0", "head", "tail", "2 unchanged"]);
  grid.sort = "difference";
  grid.update();
  assert.deepEqual(names(grid), ["model", "2 unchanged", "head", "tail", "block0"]);
  grid.sort = "-ratio";
  grid.update();
  assert.deepEqual(names(grid), ["model", "tail", "block0", "2 unchanged", "head"]);
});

test("a search finds what has not changed, and folding is taken back", () => {
  const tree = changed();
  const grid = opened(tree);
  tree.search("block");
  grid.open = tree.around();
  grid.update();
  assert.deepEqual(names(grid), ["model", "block0", "block1"]);
  assert.equal(tree.hits, 2);
  tree.search("");
  tree.setFolding(false);
  grid.update();
  assert.deepEqual(names(grid), ["model", "block0", "block1", "stem", "head", "tail"]);
});

test("another convention and another metric are other numbers", () => {
  const tree = changed();
  const [model] = tree.roots();
  tree.setMeasure("flops article");
  assert.deepEqual(cells(tree, model), ["200", "300", "+100", "×1.50"]);
  tree.setMeasure("seconds");
  // 7 µs each: of four modules before and after.
  assert.deepEqual(cells(tree, model), ["28.0 µs", "28.0 µs", "0 s", "×1.00"]);
  // So block0 is as it was by time, and head and tail are not.
  assert.deepEqual([...tree.changes.changed], [1, 1, 0, 0, 0, 1, 1]);
});

test("the details say which operators ran more or less", () => {
  const tree = changed();
  const [model, block0] = opened(tree).rows;
  assert.deepEqual(
    changedOperators(tree.changes, block0, "standard"),
    [{ operator: "aten::mm", dtype: "float32", shapes: "2×3", phase: 0, calls: [1, 3], flops: [100, 300] }],
  );
  assert.equal(tree.summary(model, "standard"), "model: 1 operator changed");
  const [, , , , unchanged] = opened(tree).rows;
  assert.equal(tree.summary(unchanged, "standard"), "2 unchanged: no operator changed");
});

test("what is copied has the sign, and all digits", () => {
  const tree = changed();
  const grid = opened(tree);
  const text = tableText(/** @type {any} */ (Object.assign(grid, {
    columns: ["before", "after", "difference", "ratio", "change"], table: { title: "module" },
  })), "csv");
  assert.deepEqual(text.split("\r\n").slice(0, 4), [
    "module,type,before,after,difference,ratio",
    "model,Net,400,600,200,1.5",
    "  block0,Linear,100,300,200,3",
    "  head,Linear,100,0,-100,0",
  ]);
});
