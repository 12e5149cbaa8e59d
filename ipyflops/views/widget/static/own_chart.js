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

const MOST = 14; // bars

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
 * A bar: what it is of, and what each phase has of it.
 *
 * @typedef {{ label: string, type: string, phases: ArrayLike<number> }} Bar
 */

/**
 * What is inside places that are alike; of those with nothing inside, their operators.
 *
 * @param {Run} run
 * @param {number[]} nodes
 * @param {string} measure
 * @returns {Bar[]}
 */
export function barsInside(run, nodes, measure) {
  const rows = rowsInside(run, nodes);
  // Operators hold no memory; the place itself does.
  if (rows.length === 1 && !rows[0].expandable && rows[0].nodes[0] === nodes[0] && !run.held.has(measure)) {
    return operatorBars(run, rows[0].source.items(rows[0]), measure);
  }
  return rows.map((row) => ({
    label: row.repeats > 1 ? `${row.name} ×${row.repeats}` : row.name,
    type: row.type,
    phases: row.phases(measure),
  }));
}

/**
 * The operators of some rows of the report's table.
 *
 * @param {Run} run
 * @param {Iterable<number>} items
 * @param {string} measure
 * @returns {Bar[]}
 */
export function operatorBars(run, items, measure) {
  return barsBy(run, items, measure, (item) => run.expressions[run.rowSignature[item]][0]);
}

/**
 * Who calls an operator. Places whose paths differ in numbers alone are one bar.
 *
 * @param {Run} run
 * @param {Set<number>} signatures
 * @param {string} measure
 * @returns {Bar[]}
 */
export function callerBars(run, signatures, measure) {
  const items = itemsOf(run).filter((item) => signatures.has(run.rowSignature[item]));
  /** @type {Map<string, Set<string>>} */
  const families = new Map();
  /** @param {string} path */
  const family = (path) => path.split(".").map((part) => (/^\d+$/.test(part) ? "*" : part)).join(".");
  const paths = items.map((item) => run.path(run.rowScope[item]));
  for (const path of paths) {
    const name = family(path);
    families.set(name, (families.get(name) ?? new Set()).add(path));
  }
  const outer = new Set(paths.map((path) => path.split(".")[0]));
  const skipped = outer.size === 1 ? `${[...outer][0]}.` : "";
  /** @param {string} path */
  const label = (path) => {
    if (!path) return "(outside modules)";
    const members = [...(families.get(family(path)) ?? [])].map((member) => member.split("."));
    const parts = members[0].map((part, at) => (members.every((one) => one[at] === part) ? part : "*"));
    const name = parts.join(".");
    const short = name.startsWith(skipped) ? name.slice(skipped.length) : name;
    return members.length > 1 ? `${short} ×${members.length.toLocaleString("en")}` : short;
  };
  const labels = new Map(paths.map((path) => [path, label(path)]));
  return barsBy(run, items, measure, (item) => labels.get(run.path(run.rowScope[item])) ?? "");
}

/**
 * The rows of the report's table, without those of methods, which ran in the places, too.
 *
 * @param {Run} run
 */
export function itemsOf(run) {
  return Array.from({ length: run.rowCount }, (_, item) => item);
}

/**
 * @param {Run} run
 * @param {Iterable<number>} items
 * @param {string} measure
 * @param {(item: number) => string} name
 * @returns {Bar[]}
 */
function barsBy(run, items, measure, name) {
  /** @type {Map<string, number[]>} */
  const sums = new Map();
  for (const item of items) {
    const label = name(item);
    let phases = sums.get(label);
    if (!phases) sums.set(label, (phases = [0, 0, 0, 0]));
    phases[run.rowPhase[item]] += run.amount(item, measure);
  }
  const bars = [...sums].map(([label, phases]) => ({ label, type: "", phases }));
  return bars.sort((a, b) => sumOf(b) - sumOf(a));
}

/** @param {Bar} bar */
function sumOf({ phases }) {
  return phases[0] + phases[1] + phases[2] + phases[3];
}

/**
 * Bars, stacked by phase; those of nothing are left out.
 *
 * @param {Bar[]} every
 * @param {Settings} settings
 */
export function ownChart(every, { bar: metric }) {
  const bars = every.filter((one) => sumOf(one));
  const lengths = bars.map(sumOf);
  // Places share the memory that was live, of which each tells the most.
  const whole = metric.key === "peak_bytes" ? Math.max(...lengths, 0) : lengths.reduce((sum, one) => sum + one, 0);
  const largest = new Set([...bars].sort((a, b) => sumOf(b) - sumOf(a)).slice(0, MOST));
  const longest = Math.max(...lengths, 0);
  const lines = bars.filter((one) => largest.has(one)).map((one) => {
    const bar = make("span", { class: "fw-bar" });
    PHASES.forEach((phase, index) => {
      if (!one.phases[index]) return;
      const piece = make("i", { class: `fw-${phase}` });
      piece.style.width = `${(100 * one.phases[index]) / longest}%`;
      bar.append(piece);
    });
    const amount = `${metric.longOfSum(sumOf(one))}  ${percent(sumOf(one) / whole)}`;
    return make("div", { class: "fw-own-row" },
      make("span", { class: "fw-own-name", title: `${one.label} ${one.type}`.trimEnd() }, one.label),
      bar, make("span", { class: "fw-own-amount" }, amount));
  });
  const more = bars.length - lines.length;
  return make("div", { class: "fw-own-chart" },
    make("p", {}, metric.longOfSum(whole)),
    ...lines,
    more ? make("p", { class: "fw-note" }, `and ${more.toLocaleString("en")} smaller`) : null,
    bars.length ? null : make("p", { class: "fw-note" }, `no ${metric.name}`));
}
