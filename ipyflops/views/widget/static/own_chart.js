// The bar chart as the browser draws it itself: while the kernel, which has matplotlib, is busy, and
// where there is none, as in a page that was saved.

import { make } from "./dom.js";
import { PHASES } from "./run.js";
import { ModuleTree } from "./tree.js";
import { percent } from "./units.js";

/**
 * @import { Settings } from "./cells.js"
 * @import { Row } from "./rows.js"
 * @import { Run } from "./run.js"
 */

const MOST = 20; // bars

/**
 * What is inside places that are alike: the rows that the tree has there.
 *
 * @param {Run} run
 * @param {number[]} nodes
 * @returns {Row[]}
 */
export function rowsInside(run, nodes) {
  const tree = new ModuleTree(run);
  const row = tree.rowOf(nodes);
  const rows = tree.children(row);
  if (nodes[0] !== 0) return rows.length ? rows : [row];
  // An only outermost module is replaced by what is inside it.
  const modules = rows.filter((one) => one.kind === "module");
  if (modules.length !== 1 || modules[0].repeats > 1) return rows;
  return rows.flatMap((one) => (one === modules[0] && one.expandable ? tree.children(one) : [one]));
}

/**
 * Bars for what is inside places that are alike, stacked by phase, in the order of the tree.
 *
 * @param {Run} run
 * @param {number[]} nodes
 * @param {Settings} settings
 */
export function ownChart(run, nodes, { bar: metric, measure }) {
  const rows = rowsInside(run, nodes);
  const whole = rows.reduce((sum, row) => sum + row.sum(measure), 0);
  const largest = new Set([...rows].sort((a, b) => b.sum(measure) - a.sum(measure)).slice(0, MOST));
  const longest = Math.max(...rows.map((row) => row.sum(measure)), 0);
  const lines = rows.filter((row) => largest.has(row)).map((row) => {
    const bar = make("span", { class: "fw-bar" });
    const phases = row.phases(measure);
    PHASES.forEach((phase, index) => {
      if (!phases[index]) return;
      const piece = make("i", { class: `fw-${phase}` });
      piece.style.width = `${(100 * phases[index]) / longest}%`;
      bar.append(piece);
    });
    const label = row.repeats > 1 ? `${row.name} ×${row.repeats}` : row.name;
    const amount = `${metric.longOfSum(row.sum(measure))}  ${whole ? percent(row.sum(measure) / whole) : ""}`;
    return make("div", { class: "fw-own-row" },
      make("span", { class: "fw-own-name", title: row.type ? `${label} ${row.type}` : label }, label),
      bar, make("span", { class: "fw-own-amount" }, amount.trimEnd()));
  });
  const more = rows.length - lines.length;
  return make("div", { class: "fw-own-chart" },
    make("p", {}, metric.longOfSum(whole)),
    ...lines,
    more ? make("p", { class: "fw-note" }, `and ${more.toLocaleString("en")} smaller`) : null,
    rows.length && whole ? null : make("p", { class: "fw-note" }, "nothing to draw"));
}
