import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "../../ipyflops/views/widget/static/run.js";
import { ModuleTree } from "../../ipyflops/views/widget/static/tree.js";
import { layers, message } from "./messages.js";

/** @param {ModuleTree} tree */
function inModel(tree) {
  return tree.children(tree.roots()[0]);
}

/** @param {import("../../ipyflops/views/widget/static/rows.js").Row[]} rows */
const names = (rows) => rows.map((row) => row.name);

test("the outermost module stands for the whole run where nothing ran beside it", () => {
  assert.deepEqual(names(new ModuleTree(new Run(layers())).roots()), ["model"]);
  const beside = message({
    places: [{ parent: 0, name: "model" }],
    signatures: [{ operator: "x", flops: 1 }],
    calls: [{ place: 0, signature: 0 }],
  });
  const tree = new ModuleTree(new Run(beside));
  assert.deepEqual(names(tree.roots()), ["(all)"]);
  assert.deepEqual(names(tree.children(tree.roots()[0])), ["model", "(outside modules)"]);
});

test("siblings that are alike are one row, which has their sum", () => {
  const tree = new ModuleTree(new Run(layers()));
  const rows = inModel(tree);
  assert.deepEqual(names(rows), ["layer7 … layer10", "head", "(own work)"]);
  const [folded, , own] = rows;
  assert.equal(folded.repeats, 4);
  assert.equal(folded.sum("flops standard"), 440);
  assert.equal(folded.parameters, 20);
  assert.equal(own.sum("flops standard"), 10);
  const [linear] = tree.children(folded);
  assert.equal(linear.repeats, 1);
  assert.equal(linear.nodes.length, 4);
  assert.equal(linear.sum("flops standard"), 400);
  assert.equal(tree.items(folded).length, 8);
  assert.equal(tree.items(own).length, 1);
});

test("a fold is opened and closed again", () => {
  const tree = new ModuleTree(new Run(layers()));
  const { epoch } = tree;
  assert.equal(tree.fold(inModel(tree)[0]), true);
  assert.notEqual(tree.epoch, epoch);
  const rows = inModel(tree);
  assert.deepEqual(names(rows).slice(0, 4), ["layer7", "layer8", "layer9", "layer10"]);
  assert.ok(rows.slice(0, 4).every((row) => row.runOf === rows[0].key));
  assert.equal(tree.fold(rows[2]), true);
  assert.deepEqual(names(inModel(tree)), ["layer7 … layer10", "head", "(own work)"]);
  assert.equal(tree.fold(inModel(tree)[1]), false);
  tree.setFolding(false);
  assert.equal(inModel(tree).length, 6);
});

test("only neighbours with the next number are alike", () => {
  const calls = [1, 2, 3, 4].map((place) => ({ place, signature: 0 }));
  const tree = new ModuleTree(new Run(message({
    places: ["a1", "a2", "a4", "b5"].map((name) => ({ parent: 0, name, type: "T" })),
    signatures: [{ operator: "x", flops: 1 }],
    calls,
  })));
  assert.deepEqual(names(tree.children(tree.roots()[0])), ["a1 … a2", "a4", "b5"]);
});

test("a place is revealed: its folds and what is around it are opened", () => {
  const run = new Run(layers());
  const tree = new ModuleTree(run);
  const keys = tree.reveal(run.placeAt("model.layer9.relu"));
  assert.deepEqual(new Set(keys), new Set([run.placeAt("model.layer9"), run.placeAt("model"), 0]));
  assert.ok(names(inModel(tree)).includes("layer9"));
});

test("a search shows hits, what is around and what is inside", () => {
  const run = new Run(layers());
  const tree = new ModuleTree(run);
  tree.search("relu");
  assert.equal(tree.hits, 4);
  const [folded, ...others] = inModel(tree);
  assert.equal(folded.name, "layer7 … layer10");
  assert.deepEqual(others, []);
  assert.deepEqual(names(tree.children(folded)), ["relu"]);
  assert.ok(tree.isHit(tree.children(folded)[0]));
  assert.ok(!tree.isHit(folded));
  assert.ok(tree.around().has(run.placeAt("model.layer8")));
  tree.search("layer8.lin");
  assert.equal(tree.hits, 1);
  tree.search("layer8");
  assert.deepEqual(names(inModel(tree)), ["layer8"]);
  assert.deepEqual(names(tree.children(inModel(tree)[0])), ["linear", "relu"]);
  tree.search("block");
  assert.equal(tree.hits, 4);
  tree.search("");
  assert.equal(inModel(tree).length, 3);
  assert.equal(tree.around().size, 0);
});

test("where the FLOPs of a backward pass are stands beside the code of its line", () => {
  const report = message({
    places: [{ parent: 0, name: "model" }, { parent: 0, name: "In[1]:2", kind: 2 }],
    signatures: [{ operator: "aten::mm", flops: 1 }, { operator: "aten::ones_like" }],
    calls: [
      { place: 1, signature: 0 },
      { place: 1, signature: 0, phase: 1, line: 0 },
      { place: 2, signature: 1, line: 0 },
    ],
    lines: [["In[1]", 2, "loss.backward()"]],
  });
  const tree = new ModuleTree(new Run(report));
  const [model, line] = tree.children(tree.roots()[0]);
  assert.deepEqual([line.type, line.note], ["loss.backward()", "counted in the modules"]);
  assert.equal(model.note, "");
});

test("functions of a library that say little share a row", () => {
  const report = message({
    places: [
      { parent: 0, name: "solve", kind: 4 },
      { parent: 1, name: "step", kind: 4 },
      { parent: 1, name: "check", kind: 4 },
      { parent: 1, name: "limit", kind: 4 },
      { parent: 0, name: "fit", kind: 4 },
      { parent: 5, name: "loss", kind: 4 },
    ],
    signatures: [{ operator: "aten::mm", flops: 10_000 }, { operator: "aten::add", flops: 1 }],
    calls: [
      { place: 2, signature: 0 },
      { place: 3, signature: 1 },
      { place: 4, signature: 1 },
      { place: 6, signature: 0 },
    ],
  });
  const tree = new ModuleTree(new Run(report));
  const [solve, loss] = tree.children(tree.roots()[0]);
  assert.deepEqual(names(tree.children(solve)), ["step", "2 rows with few FLOPs"]);
  assert.equal(loss.name, "fit.loss");
});
