// Works out the rows of a difference for tests/views/widget/test_change.py: the input is a message with
// its buffers in base64, the output what stands in each place's row, by metric and convention.

import { readFileSync } from "node:fs";

import { ChangedRun } from "../../ipyflops/views/widget/static/change_run.js";
import { ChangeTree } from "../../ipyflops/views/widget/static/change_tree.js";
import { measureOf } from "../../ipyflops/views/widget/static/metrics.js";
import { CONVENTIONS, Run } from "../../ipyflops/views/widget/static/run.js";
import { withBuffers } from "./buffers.js";

const message = JSON.parse(readFileSync(0, "utf-8"), withBuffers);
const changes = new ChangedRun(message.change, message, new Run(message));
const tree = new ChangeTree(changes);
tree.setFolding(false);

/** @type {Record<string, Record<number, [string, ...string[]]>>} */
const texts = {};
for (const key of message.bars) {
  for (const convention of CONVENTIONS) {
    tree.setMeasure(measureOf(key, convention));
    const waiting = tree.roots();
    /** @type {Record<number, [string, ...string[]]>} */
    const rows = (texts[`${key} ${convention}`] = {});
    for (let row = waiting.pop(); row; row = waiting.pop()) {
      waiting.push(...tree.children(row));
      if (row.kind === "own") continue;
      const cells = ["before", "after", "difference", "ratio"].map((name) => {
        if (!row) return "";
        return changes.metrics.inColumn(name).text(row, convention);
      });
      rows[row.nodes[0]] = [row.name, ...cells];
    }
  }
}
process.stdout.write(JSON.stringify(texts));
