// Works out what the browser shows for tests/views/widget/test_browser_side.py: the input is a message
// with its buffers in base64, the output the number of each place in each column, by convention.

import { readFileSync } from "node:fs";

import { CONVENTIONS, Run } from "../../ipyflops/views/widget/static/run.js";
import { ModuleTree } from "../../ipyflops/views/widget/static/tree.js";
import { withBuffers } from "./buffers.js";

const run = new Run(JSON.parse(readFileSync(0, "utf-8"), withBuffers));
const tree = new ModuleTree(run);
tree.setFolding(false);

/** @type {Record<number, Record<string, Record<string, number>>>} */
const values = {};
const waiting = tree.roots();
for (let row = waiting.pop(); row; row = waiting.pop()) {
  waiting.push(...tree.children(row));
  if (row.kind === "own") continue;
  values[row.nodes[0]] = {};
  for (const convention of CONVENTIONS) {
    const numbers = (run.columns.modules ?? []).map((name) => [name, run.metrics.inColumn(name).value(row, convention)]);
    values[row.nodes[0]][convention] = Object.fromEntries(numbers);
  }
}
process.stdout.write(JSON.stringify(values));
