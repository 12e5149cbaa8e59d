// What has changed in a row: each metric before and after, and the operators that ran more or less.

import { make } from "./dom.js";
import { groupsOf } from "./operator_table.js";
import { PHASES } from "./run.js";
import { ratio, signed } from "./units.js";

/**
 * @import { ChangedRun } from "./change_run.js"
 * @import { Convention } from "./message"
 * @import { Row } from "./rows.js"
 * @import { Run } from "./run.js"
 */

/**
 * An operator with its shapes in a phase: how often it ran, and its FLOPs.
 *
 * @typedef {object} ChangedOperator
 * @property {string} operator
 * @property {string} dtype
 * @property {string} shapes
 * @property {number} phase
 * @property {[number, number]} calls before and after
 * @property {[number, number]} flops before and after
 */

const MOST = 200; // operators
/** The metrics that are told, by their keys. */
const FACTS = ["flops", "macs", "int_ops", "calls", "bytes", "seconds"];

/**
 * The rows of a run's table that ran in the places of a row, in one of the runs.
 *
 * @param {ChangedRun} changes
 * @param {Row} row
 * @param {"before" | "after"} when
 */
function itemsIn(changes, { kind, nodes }, when) {
  const run = changes[when];
  const placeIn = when === "before" ? changes.placeBefore : changes.placeAfter;
  const waiting = [...nodes];
  /** @type {number[]} */
  const items = [];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (placeIn[node] >= 0) for (const item of run.rowsOf(placeIn[node])) items.push(item);
    if (kind !== "own") for (const child of changes.childrenOf(node)) waiting.push(child);
  }
  return items;
}

/**
 * The operators whose calls or FLOPs are others than before, those that changed most first.
 *
 * @param {ChangedRun} changes
 * @param {Row} row
 * @param {Convention} convention
 */
export function changedOperators(changes, row, convention) {
  /** @type {Map<string, ChangedOperator>} */
  const found = new Map();
  for (const [index, when] of /** @type {const} */ (["before", "after"]).entries()) {
    const run = changes[when];
    for (const group of groupsOf(run, itemsIn(changes, row, when), convention)) {
      const [operator, dtype, shapes] = run.expressions[group.signature];
      const key = JSON.stringify([operator, dtype, shapes, group.phase]);
      let one = found.get(key);
      if (!one) found.set(key, (one = { operator, dtype, shapes, phase: group.phase, calls: [0, 0], flops: [0, 0] }));
      one.calls[index] += group.calls;
      one.flops[index] += group.flops;
    }
  }
  const changed = [...found.values()].filter(({ calls, flops }) => calls[0] !== calls[1] || flops[0] !== flops[1]);
  return changed.sort((a, b) => more(b.flops) - more(a.flops) || more(b.calls) - more(a.calls));
}

/** @param {[number, number]} both */
function more([before, after]) {
  return Math.abs(after - before);
}

/**
 * The elements that say what has changed in a row.
 *
 * @param {ChangedRun} changes
 * @param {Row} row
 * @param {Convention} convention
 */
export function detailsOfChange(changes, row, convention) {
  const path = row.kind === "root" ? "The whole run" : row.source.path?.(row) || row.name;
  const heading = make("h3", { class: "fw-heading" }, make("span", { textContent: row.kind === "quiet" ? row.name : path }),
    make("span", { class: "fw-type", textContent: `  ${row.status || row.type}` }));
  return [heading, facts(changes, row, convention), operators(changes, row, convention)];
}

/**
 * @param {ChangedRun} changes
 * @param {Row} row
 * @param {Convention} convention
 */
function facts(changes, row, convention) {
  const sums = FACTS.map((key) => {
    const metric = changes.metrics.of(key);
    const measure = key === "flops" ? `${key} ${convention}` : key;
    const [before, after] = /** @type {const} */ (["before", "after"]).map((when) =>
      metric.ofSum(sumIn(changes[when], itemsIn(changes, row, when), measure)));
    return { metric, before, after };
  });
  return make("dl", { class: "fw-facts" },
    ...sums.filter(({ metric, before, after }) => before || after || metric.key === "flops").map(({ metric, before, after }) =>
      make("div", {},
        make("dt", { textContent: metric.name || metric.title }),
        make("dd", { textContent: `${metric.short(before)} → ${metric.short(after)}${before && after !== before ? ` (${ratio(after / before)})` : ""}` }))));
}

/**
 * @param {Run} run
 * @param {number[]} items
 * @param {string} measure
 */
function sumIn(run, items, measure) {
  return items.reduce((sum, item) => sum + run.amount(item, measure), 0);
}

/**
 * @param {ChangedRun} changes
 * @param {Row} row
 * @param {Convention} convention
 */
function operators(changes, row, convention) {
  const changed = changedOperators(changes, row, convention);
  if (!changed.length) return make("p", { class: "fw-note", textContent: "The same operators ran, on the same shapes." });
  const flops = changes.metrics.of("flops");
  const calls = changes.metrics.of("calls");
  const titles = ["operator", "shapes", calls.title, flops.title, "difference"];
  const table = make("table", { class: "fw-operators" },
    make("thead", {}, make("tr", {}, ...titles.map((title, index) =>
      make("th", { scope: "col", class: index > 1 ? "fw-right" : "", textContent: title })))),
    make("tbody", {}, ...changed.slice(0, MOST).map((one) => {
      const difference = one.flops[1] - one.flops[0];
      const numbers = [one.calls.map((count) => calls.short(count)).join(" → "),
        one.flops.map((count) => flops.short(count)).join(" → "), signed(flops.short(difference), difference)];
      return make("tr", {},
        make("th", { scope: "row" },
          make("i", { class: `fw-key fw-${PHASES[one.phase]}`, title: PHASES[one.phase] }),
          make("span", { class: "fw-sr", textContent: `${PHASES[one.phase]}: ` }),
          one.operator),
        make("td", {}, make("code", { textContent: one.shapes || "–" }), make("span", { class: "fw-type", textContent: ` ${one.dtype}` })),
        ...numbers.map((textContent, index) =>
          make("td", { class: "fw-right", textContent, "data-title": titles[index + 2] })));
    })));
  const left = changed.length - MOST;
  if (left <= 0) return table;
  return make("div", {}, table, make("p", { class: "fw-note", textContent: `and ${left.toLocaleString("en")} more` }));
}
