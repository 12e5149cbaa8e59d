// What a row is made of: each operator's formula with its shapes filled in.

import { MAX_ALIKE } from "./chart.js";
import { make } from "./dom.js";
import { operatorTable } from "./operator_table.js";
import { PHASES } from "./run.js";
import { dominant, lineOf } from "./sources.js";
import { exact, percent } from "./units.js";

/**
 * @import { Convention } from "./message"
 * @import { Metric } from "./metrics.js"
 * @import { Row } from "./rows.js"
 * @import { Run } from "./run.js"
 */

/** The metrics that are told of a row, by their keys; of the first group even what is zero. */
const ALWAYS = new Set(["flops", "macs", "calls", "bytes"]);
const FACTS = [
  "flops", "macs", "int_ops", "module_calls", "calls", "parameters", "seconds", "flops_per_second", "bytes",
  "intensity", "parameter_bytes", "saved_bytes", "peak_bytes",
];

/**
 * Write the details of a row of a table into an element.
 *
 * @param {HTMLElement} element
 * @param {Run} run
 * @param {Row} row
 * @param {Convention} convention
 */
export function drawDetails(element, run, row, convention) {
  const parts = [
    heading(row),
    facts(run, row, convention),
    phases(run, row, convention),
    operatorTable(run, row.source.items(row), convention),
    sourceLines(run, row, convention),
  ];
  element.replaceChildren(...parts.filter((part) => part !== null));
}

/** @param {Row} row */
function heading(row) {
  const path = row.source.path?.(row);
  const where = row.kind === "root" ? "" : path && path !== row.name && row.repeats === 1 ? path : row.name;
  const title = row.kind === "root" ? "The whole run" : row.kind === "own" ? `${path}: own work` : where;
  const parts = [make("span", { textContent: title })];
  // Inside of what is folded, every row stands for several places.
  const alike = Math.max(row.nodes.length, 1);
  if (alike > 1) parts.push(make("b", { textContent: ` ×${alike.toLocaleString("en")}` }));
  if (row.type) parts.push(make("span", { class: "fw-type", textContent: `  ${row.type}` }));
  if (row.note) parts.push(make("span", { class: "fw-type", textContent: `  ${row.note}` }));
  if (alike > 1) {
    const charted = alike > MAX_ALIKE ? "; the chart shows the first of them" : "";
    const remark = `  (the sum of ${alike.toLocaleString("en")} alike${charted})`;
    parts.push(make("span", { class: "fw-type", textContent: remark }));
  }
  return make("h3", { class: "fw-heading" }, ...parts);
}

/**
 * @param {Run} run
 * @param {Row} row
 * @param {Convention} convention
 */
function facts(run, row, convention) {
  const onDevices = [...run.held.keys()].filter((key) => key.startsWith("time_on"));
  const told = [...FACTS, ...onDevices].map((key) => run.metrics.of(key)).filter(
    (metric) => ALWAYS.has(metric.key) || metric.value(row, convention),
  );
  return make(
    "dl",
    { class: "fw-facts" },
    ...told.map((metric) =>
      make(
        "div",
        {},
        make("dt", { textContent: factName(metric) }),
        make("dd", { textContent: factText(metric, metric.value(row, convention)) }),
      ),
    ),
  );
}

/**
 * A ratio has its unit beside it, so that its name says what it is: a rate, an intensity.
 *
 * @param {Metric} metric
 */
function factName(metric) {
  return metric.ratio ? metric.quantity || metric.key : metric.name;
}

/**
 * All digits of a count; the name says what they count.
 *
 * @param {Metric} metric
 * @param {number} value
 */
function factText(metric, value) {
  if (metric.format === "count" && metric.unit !== "B") return exact(value);
  return metric.unit ? metric.long(value) : `${metric.long(value)} ${metric.title}`;
}

/**
 * How much each phase has of it, where there are several.
 *
 * @param {Run} run
 * @param {Row} row
 * @param {Convention} convention
 */
function phases(run, row, convention) {
  const amounts = row.phases(`flops ${convention}`);
  const times = row.phases("seconds");
  const whole = row.sum(`flops ${convention}`);
  const ran = PHASES.map((name, index) => ({ name, amount: amounts[index], time: times[index] }))
    .filter(({ amount, time }) => amount || time);
  if (ran.length < 2) return null;
  const { metrics } = run;
  return make(
    "ul",
    { class: "fw-phases" },
    ...ran.map(({ name, amount, time }) => {
      const share = whole ? ` (${percent(amount / whole)})` : "";
      const took = time ? `, ${metrics.of("seconds").longOfSum(time)}` : "";
      return make(
        "li",
        {},
        make("i", { class: `fw-key fw-${name}`, "aria-hidden": "true" }),
        `${name}: ${metrics.of("flops").longOfSum(amount)}${share}${took}`,
      );
    }),
  );
}

/**
 * The source lines with the most FLOPs.
 *
 * @param {Run} run
 * @param {Row} row
 * @param {Convention} convention
 */
function sourceLines(run, row, convention) {
  if (row.kind === "line" || row.kind === "file") return null;
  const lines = dominant(run, row.source.items(row), convention, 4);
  if (!lines.length) return null;
  return make(
    "div",
    { class: "fw-lines" },
    ...lines.map(({ line, flops, whole }) =>
      make(
        "p",
        {},
        make("span", { class: "fw-type", textContent: `${run.lineName(line)}  ` }),
        make("code", { textContent: lineOf(run, line) }),
        make("span", { class: "fw-type", textContent: whole ? `  ${percent(flops / whole)}` : "" }),
      ),
    ),
  );
}
