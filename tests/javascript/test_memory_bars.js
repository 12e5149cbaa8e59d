// What bars show of memory: numbers of places, which operators and lines have none of.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settingsOf } from "../../ipyflops/views/widget/static/cells.js";
import { barsInside } from "../../ipyflops/views/widget/static/own_chart.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { floats, layers } from "./messages.js";
import { opened } from "./opened.js";

/** Layers that save 30 each, a head that saves 20, and 10 that the model saves itself. */
function withMemory() {
  const packed = layers();
  const saved = [150, 150, ...Array(4).fill([30, 20, 10]).flat(), 20];
  const peak = [900, 900, ...[300, 500, 700, 900].flatMap((most) => [most, most, 100]), 600];
  packed.held = { saved_bytes: floats(saved), peak_bytes: floats(peak) };
  for (const key of ["saved_bytes", "peak_bytes"]) {
    packed.columns[key] = { key, title: key, explanation: "", format: "count", unit: "B", name: key, of_place: true };
  }
  return packed;
}

const table = opened(withMemory());
table.openLevels(2);
table.update();
const [model, folded, head, own] = table.rows;
const { run } = table.source;

test("what is saved adds up, own work included", () => {
  assert.deepEqual(Array.from(model.phases("saved_bytes")), [150, 0, 0, 0]);
  assert.equal(folded.sum("saved_bytes"), 4 * 30);
  assert.equal(head.sum("saved_bytes"), 20);
  assert.equal(own.kind, "own");
  assert.equal(own.sum("saved_bytes"), 150 - 4 * 30 - 20);
});

test("a peak of places that are alike is the largest of theirs", () => {
  assert.equal(folded.sum("peak_bytes"), 900);
  assert.equal(own.sum("peak_bytes"), 0);
});

test("bars are measured against what the whole run holds", () => {
  const settings = settingsOf(run, "saved_bytes", "standard", "modules");
  assert.deepEqual([settings.measure, settings.whole], ["saved_bytes", 150]);
  assert.equal(settingsOf(run, "peak_bytes", "standard", "modules").whole, 900);
});

test("operators and lines hold nothing: their bars show FLOPs", () => {
  for (const name of /** @type {const} */ (["operators", "lines"])) {
    const settings = settingsOf(run, "peak_bytes", "article", name);
    assert.deepEqual([settings.bar.key, settings.measure], ["flops", "flops article"]);
    assert.equal(settings.heat, name === "lines");
  }
  const without = withMemory();
  without.held = {};
  assert.equal(settingsOf(new Run(without), "peak_bytes", "standard", "modules").bar.key, "flops");
});

test("the browser's own chart of a place with nothing inside has that place's memory", () => {
  const place = head.nodes[0];
  const bars = barsInside(run, [place], "saved_bytes");
  assert.deepEqual(bars.map(({ label, phases }) => [label, phases[0]]), [["head", 20]]);
});
