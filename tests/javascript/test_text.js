import assert from "node:assert/strict";
import { test } from "node:test";

import { tableText } from "../../ipyflops/views/widget/static/export.js";
import { flopsOf, groupsOf, substitute } from "../../ipyflops/views/widget/static/operator_table.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { layers } from "./messages.js";
import { opened } from "./opened.js";

/** @param {string[]} columns */
function grid(columns) {
  const open = opened(layers());
  open.openLevels(2);
  open.update();
  return /** @type {any} */ (Object.assign(open, { columns, table: { title: "module" } }));
}

test("rows as tab-separated values have all digits", () => {
  const lines = tableText(grid(["flops", "share", "seconds"]), "tsv").split("\n");
  assert.equal(lines[0], "module\ttype\tFLOPs\ttime");
  assert.equal(lines[1], "model\tNet\t750\t0.0000091");
  assert.equal(lines[2], "  layer7 … layer10 ×4\tBlock\t440\t0.000006");
});

test("names are no formulas where they are pasted into a spreadsheet", () => {
  const names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r\n@x", "\"=1+1\"", "\uFF1D1+1", "\u00A0=1"];
  const target = grid(["flops"]);
  for (const name of [...names, "a=b", "layers.0"]) {
    target.rows[1].name = name;
    target.rows[1].type = name;
    const [first, second, flops] = tableText(target, "tsv").split("\n")[2].split("\t");
    assert.equal(flops, "440");
    const begins = names.includes(name) ? /^'/ : /^[^']/;
    assert.match(first, begins);
    assert.match(second, begins);
  }
});

test("rows as Markdown are what is seen, and no markup of their own", () => {
  const target = grid(["flops", "bytes"]);
  target.rows[1].name = "a|b_c\n<i>";
  const lines = tableText(target, "markdown").split("\n");
  assert.equal(lines[1], "| --- | --- | ---: | ---: |");
  assert.equal(lines[2], "| model | Net | 750 | 680 B |");
  assert.equal(lines[3], "| \u00a0\u00a0a\\|b\\_c \\<i\\> ×4 | Block | 440 | 480 B |");
});

test("numbers take the places of symbols, and the form is kept", () => {
  assert.equal(substitute("2·m·n_2 + m²", [["m", 3], ["n_2", "12345678901234567890"]]), "2·3·12345678901234567890 + 3²");
  assert.equal(substitute("µ·x", [["x", 1]]), "µ·1");
});

test("calls are put together by operator, shapes and phase, the most FLOPs first", () => {
  const run = new Run(layers());
  const items = Array.from({ length: run.rowCount }, (_, item) => item);
  assert.deepEqual(
    groupsOf(run, items, "standard").map(({ signature, phase, calls, flops }) => [signature, phase, calls, flops]),
    [[0, 0, 4, 400], [0, 1, 3, 300], [1, 0, 5, 50]],
  );
});

test("FLOPs are told to the last digit, past what a double holds", () => {
  const packed = layers();
  packed.signatures.exact = { standard: { 0: "9007199254740993" } };
  const run = new Run(packed);
  const [group] = groupsOf(run, [0], "standard");
  assert.equal(flopsOf(run, { ...group, calls: 3 }, "standard"), 27021597764222979n);
  assert.equal(flopsOf(run, { ...group, signature: 1, calls: 3 }, "standard"), 30);
  assert.equal(flopsOf(run, { ...group, signature: 1, calls: 2 ** 52 + 1 }, "standard"), 45035996273704970n);
});
