// The bars of a difference: that of a row of the table, and the chart as the browser draws it itself
// where Python does not.

import { make } from "./dom.js";
import { ratio, signed } from "./units.js";

/**
 * @import { ChangedRun } from "./change_run.js"
 * @import { Metric } from "./metrics.js"
 * @import { Row } from "./rows.js"
 */

const MOST = 8; // pairs of bars

/**
 * The bar of a row: what there is before and after, and what is more or less.
 *
 * @param {Row} row
 */
export function changeCell(row) {
  const [before, after] = Array.from(row.phases(""));
  const largest = Math.max(...Array.from(row.source.roots()[0].phases("")));
  const bar = make("span", { class: "fw-bar", "aria-hidden": "true" });
  for (const [name, amount] of /** @type {const} */ ([
    ["kept", Math.min(before, after)],
    [after > before ? "more" : "less", Math.abs(after - before)],
  ])) {
    if (!amount) continue;
    const piece = make("i", { class: `fw-${name}` });
    piece.style.width = `${(100 * amount) / largest}%`;
    bar.append(piece);
  }
  return make("div", { class: "fw-cell fw-share", role: "gridcell" }, bar);
}

/**
 * What the colours of those bars mean.
 *
 * @param {ChangedRun} run
 */
export function changeLegend({ totalsOf: { before, after } }) {
  const keys = [["kept", "in both"]];
  if (after.some((amount, place) => amount > before[place])) keys.push(["more", "more than before"]);
  if (after.some((amount, place) => amount < before[place])) keys.push(["less", "less than before"]);
  return make("ul", { class: "fw-phase-line", "aria-label": "Colours of the bars" }, ...keys.map(([name, text]) =>
    make("li", {}, make("i", { class: `fw-key fw-${name}`, "aria-hidden": "true" }), text)));
}

/**
 * Before and after as pairs of bars, for the rows that changed most.
 *
 * @param {Row[]} rows
 * @param {Metric} metric
 */
export function changeChart(rows, metric) {
  const all = rows.map((row) => {
    const [before, after] = Array.from(row.phases("")).map((sum) => metric.ofSum(sum));
    return { row, before, after, more: after - before };
  }).filter(({ more }) => more);
  const largest = new Set([...all].sort((a, b) => Math.abs(b.more) - Math.abs(a.more)).slice(0, MOST));
  const shown = all.filter((one) => largest.has(one));
  const longest = Math.max(...shown.map(({ before, after }) => Math.max(before, after)), 0);
  const lines = shown.map(({ row, before, after, more }) => {
    const bars = /** @type {const} */ ([["before", before], ["after", after]]).map(([name, amount]) => {
      const piece = make("i", { class: `fw-${name}` });
      piece.style.width = `${(100 * amount) / longest}%`;
      return make("span", { class: "fw-bar" }, piece);
    });
    const said = row.status || (before ? ratio(after / before) : "");
    return make("div", { class: "fw-own-row" },
      make("span", { class: "fw-own-name", title: row.name }, row.name),
      make("span", { class: "fw-pair" }, ...bars),
      make("span", { class: "fw-own-amount" }, `${signed(metric.short(more), more)}  ${said}`.trimEnd()));
  });
  const left = all.length - lines.length;
  return make("div", { class: "fw-own-chart" },
    make("p", {}, `change of ${metric.name}`),
    ...lines,
    left ? make("p", { class: "fw-note" }, `and ${left.toLocaleString("en")} that changed less`) : null,
    lines.length ? null : make("p", { class: "fw-note" }, "nothing changed"));
}
