import assert from "node:assert/strict";
import { test } from "node:test";

import { columnWidth, fitting, shareText, TABLES } from "../../ipyflops/views/widget/static/columns.js";
import { measureOf } from "../../ipyflops/views/widget/static/metrics.js";
import { layers } from "./messages.js";
import { opened } from "./opened.js";

const table = opened(layers());
table.openLevels(2);
table.update();
const [model, folded, head, own] = table.rows;
const { metrics } = table.source.run;

test("numbers that are added up", () => {
  assert.equal(metrics.inColumn("flops").value(model, "standard"), 750);
  assert.equal(metrics.inColumn("flops").value(model, "article"), 400);
  assert.equal(metrics.inColumn("seconds").value(head, "standard"), 3e-6);
  assert.equal(metrics.inColumn("operators").value(folded, "standard"), 8);
  assert.equal(metrics.inColumn("calls").value(folded, "standard"), 4);
  assert.equal(metrics.inColumn("parameters").value(head, "standard"), 7);
});

test("ratios: of two numbers of the row, or of the whole run", () => {
  assert.equal(metrics.inColumn("intensity").value(head, "standard"), 300 / 120);
  assert.equal(metrics.inColumn("rate").value(head, "article"), 150 / 3e-6);
  assert.equal(metrics.inColumn("utilization").value(head, "standard"), 3e-7 / 3e-6);
  assert.equal(metrics.inColumn("share").value(own, "standard"), 10 / 750);
});

test("the share of kernel time is taken from what Python sends, without code of its own", () => {
  const metric = metrics.inColumn("time_share");
  assert.equal(metric.value(head, "standard"), 3000 / 1e9 / (9100 / 1e9));
  assert.equal(metric.text(head, "standard"), "33.0 %");
  assert.equal(metric.full(head, "standard"), "33.0 % of the kernel time");
});

test("there is nothing to divide by where nothing ran", () => {
  const packed = layers();
  packed.rows.nanoseconds = new Float64Array(packed.rows.nanoseconds.byteLength / 8).buffer;
  const { source } = opened(packed);
  const [row] = source.roots();
  assert.equal(source.run.metrics.inColumn("rate").value(row, "standard"), 0);
  assert.equal(source.run.metrics.inColumn("rate").text(row, "standard"), "");
  assert.equal(source.run.metrics.inColumn("time_share").value(row, "standard"), 0);
});

test("a cell is empty where there is nothing, but for the FLOPs", () => {
  assert.equal(metrics.inColumn("integer").text(model, "standard"), "");
  assert.equal(metrics.inColumn("macs").text(own, "standard"), "");
  assert.equal(metrics.inColumn("flops").text(own, "article"), "10");
  const packed = layers();
  packed.signatures.costs.standard = new Float64Array(2).buffer;
  const { source } = opened(packed);
  assert.equal(source.run.metrics.inColumn("flops").text(source.roots()[0], "standard"), "0");
});

test("a number in its column, with all digits, and with its unit", () => {
  const bytes = metrics.inColumn("bytes");
  assert.equal(bytes.text(folded, "standard"), "480 B");
  assert.equal(bytes.full(folded, "standard"), "480 bytes");
  assert.equal(metrics.inColumn("seconds").full(head, "standard"), "3.00 µs in kernels");
  assert.equal(metrics.inColumn("rate").full(head, "standard"), "100 MFLOPS");
  assert.equal(metrics.inColumn("rate").text(head, "standard"), "100 M");
  assert.equal(metrics.inColumn("intensity").full(head, "standard"), "2.50 FLOPs per byte");
  assert.equal(metrics.inColumn("integer").long(12300), "12.3 k integer ops");
  assert.equal(metrics.inColumn("seconds").longOfSum(3000), "3.00 µs");
});

test("a share of the row's own number is sorted by what is shared", () => {
  const packed = layers();
  const calls = new Float64Array(packed.rows.nanoseconds.byteLength / 8);
  calls[8] = 1; // one of the three calls of the head
  packed.rows.replicated = calls.buffer;
  const { source } = opened(packed);
  const row = source.children(source.roots()[0])[1];
  const metric = source.run.metrics.inColumn("replicated");
  assert.equal(metric.text(row, "standard"), "33.3 %");
  assert.equal(metric.sortValue(row, "standard"), 100);
  assert.equal(metric.full(row, "standard"), "100 replicated FLOPs");
  assert.equal(source.run.metrics.inColumn("time_share").sortValue(row, "standard"), 3000 / 1e9 / (9100 / 1e9));
});

test("what is summed up depends on the convention for some", () => {
  assert.equal(measureOf("flops", "article"), "flops article");
  assert.equal(measureOf("bytes", "article"), "bytes");
});

test("the more important columns are kept where the room is small, in their order", () => {
  const columns = ["flops", "share", "macs", "calls", "parameters", "seconds", "rate"];
  /** @param {string} name */
  const width = (name) => columnWidth(metrics.inColumn(name));
  assert.deepEqual(fitting(TABLES.modules, columns, width, 2000), columns);
  assert.deepEqual(fitting(TABLES.modules, columns, width, 500), ["flops", "share", "seconds"]);
  assert.deepEqual(fitting(TABLES.modules, columns, width, 10), ["flops"]);
  assert.deepEqual(fitting(TABLES.modules, [...columns, "time_share"], width, 2000), columns);
});

test("a column without a width of its own has room for its title", () => {
  assert.ok(columnWidth(metrics.inColumn("time_share")) >= 80);
});

test("shares as text", () => {
  assert.equal(shareText(1, 16), "6.2 %");
  assert.equal(shareText(0.1 + 0.2, 0.3), "100 %");
  assert.equal(shareText(0, 0), "");
});

test("calls have all digits, and a small intensity is only said to be so", () => {
  assert.equal(metrics.inColumn("calls")._written(1000, ""), "1,000");
  assert.equal(metrics.inColumn("calls")._written(100_000, ""), "100 k");
  assert.equal(metrics.inColumn("intensity")._written(0.004, ""), "<0.01");
});
