// The operators that a row is made of: each with its formula, and its shapes filled in.

import { make } from "./dom.js";
import { CONVENTIONS, PHASES } from "./run.js";
import { exact } from "./units.js";

/**
 * @import { Convention } from "./message"
 * @import { Run } from "./run.js"
 */

/**
 * All calls of one operator with the same shapes in one phase.
 *
 * @typedef {object} Group
 * @property {number} signature
 * @property {number} phase
 * @property {number} calls
 * @property {number} flops
 * @property {number} bytes
 * @property {number} nanoseconds
 */

const FIRST = 12; // operators that are shown unasked
const MAX = 1000;
/** The metrics of the last columns, by their keys. */
const NUMBERS = ["calls", "flops", "seconds"];

/**
 * Those of a run; a dry run has no time.
 *
 * @param {Run} run
 */
function numbersOf(run) {
  return NUMBERS.filter((key) => key !== "seconds" || run.whole("seconds"));
}

/** Letters, digits and underscores of any alphabet; the raised 2 and 3 are powers. */
const SYMBOL = /[\p{L}_][\p{L}\p{Nd}_]*/gu;

/**
 * The table of the operators; those with the most FLOPs first, and more of them when asked for.
 *
 * @param {Run} run
 * @param {number[]} items rows of the report's table
 * @param {Convention} convention
 */
export function operatorTable(run, items, convention) {
  const groups = groupsOf(run, items, convention);
  if (!groups.length) return make("p", { class: "fw-note", textContent: "No operator ran here." });
  const metrics = numbersOf(run).map((key) => run.metrics.of(key).title);
  const titles = ["operator", "shapes", "formula", ...metrics];
  const body = make("tbody");
  /**
   * @param {number} from
   * @param {number} to
   */
  const show = (from, to) =>
    groups.slice(from, to).forEach((group) => body.append(operatorRow(run, group, convention)));
  show(0, FIRST);
  const table = make(
    "table",
    { class: "fw-operators" },
    make("thead", {}, make("tr", {}, ...titles.map((title, index) =>
      make("th", { scope: "col", class: index > 2 ? "fw-right" : "", textContent: title })))),
    body,
  );
  const left = Math.min(groups.length, MAX) - FIRST;
  if (left <= 0) return table;
  const more = make("button", { class: "fw-button", type: "button", textContent: `${left} more` });
  more.addEventListener("click", () => {
    show(FIRST, MAX);
    more.remove();
  });
  return make("div", {}, table, more);
}

/**
 * @param {Run} run
 * @param {Group} group
 * @param {Convention} convention
 */
function operatorRow(run, group, convention) {
  const [operator, dtype, shapes, , , , note] = run.expressions[group.signature];
  const time = group.nanoseconds ? run.metrics.of("seconds").longOfSum(group.nanoseconds) : "";
  const numbers = [exact(group.calls), exact(flopsOf(run, group, convention)), time];
  const keys = numbersOf(run);
  return make(
    "tr",
    {},
    make(
      "th",
      { scope: "row" },
      make("i", { class: `fw-key fw-${PHASES[group.phase]}`, title: PHASES[group.phase] }),
      make("span", { class: "fw-sr", textContent: `${PHASES[group.phase]}: ` }),
      operator,
    ),
    make("td", {}, make("code", { textContent: shapes || "–" }), make("span", { class: "fw-type", textContent: ` ${dtype}` })),
    make(
      "td",
      { class: "fw-formula" },
      ...formula(run, group, convention),
      note ? make("span", { class: "fw-type", textContent: ` (${note})` }) : null,
    ),
    // A narrow window has no room for columns; there each number says what it is.
    ...keys.map((key, index) =>
      make("td", { class: "fw-right", textContent: numbers[index], "data-title": run.metrics.of(key).title })),
  );
}

/**
 * The formula, with the numbers in the place of the symbols, and what comes out.
 *
 * @param {Run} run
 * @param {Group} group
 * @param {Convention} convention
 */
function formula(run, group, convention) {
  const [, , , verdict, texts, symbols] = run.expressions[group.signature];
  if (verdict === "unknown") {
    return [make("strong", { class: "fw-flag", textContent: "unknown: no formula, counted as 0" })];
  }
  if (verdict === "free") return [make("span", { class: "fw-type", textContent: "free: computes nothing" })];
  if (run.summed[group.signature]) {
    return [make("code", { textContent: exact(flopsOf(run, group, convention)) })];
  }
  const expression = texts[CONVENTIONS.indexOf(convention)] ?? texts[0];
  const filled = substitute(expression, symbols);
  const each = perCall(run, group.signature, convention);
  const steps = filled === expression ? [] : [expression];
  if (filled !== String(each)) steps.push(filled);
  return [make("code", { textContent: [...steps, exact(each)].join(" = ") })];
}

/**
 * Put the numbers in the place of the symbols, and keep the form.
 *
 * @param {string} expression
 * @param {[string, number | string][]} symbols
 */
export function substitute(expression, symbols) {
  const values = new Map(symbols);
  return expression.replace(SYMBOL, (name) => String(values.get(name) ?? name));
}

/**
 * FLOPs of one call to the last digit.
 *
 * @param {Run} run
 * @param {number} signature
 * @param {Convention} convention
 */
function perCall(run, signature, convention) {
  const text = (run.exactValues[convention] ?? run.exactValues.standard)?.[signature];
  return text === undefined ? run.costs(convention)[signature] : BigInt(text);
}

/**
 * FLOPs of all calls to the last digit, where a call's are known.
 *
 * @param {Run} run
 * @param {Group} group
 * @param {Convention} convention
 */
export function flopsOf(run, group, convention) {
  if (run.summed[group.signature]) return group.flops;
  const value = perCall(run, group.signature, convention);
  if (typeof value === "number" && Number.isSafeInteger(value * group.calls)) return value * group.calls;
  return BigInt(value) * BigInt(group.calls);
}

/**
 * Calls in groups, that with the most FLOPs first.
 *
 * @param {Run} run
 * @param {number[]} items rows of the report's table
 * @param {Convention} convention
 */
export function groupsOf(run, items, convention) {
  /** @type {Map<number, Group>} */
  const groups = new Map();
  for (const item of items) {
    const signature = run.rowSignature[item];
    const phase = run.rowPhase[item];
    const key = signature * 4 + phase;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { signature, phase, calls: 0, flops: 0, bytes: 0, nanoseconds: 0 }));
    group.calls += run.rowCalls[item];
    group.flops += run.amount(item, `flops ${convention}`);
    group.bytes += run.amount(item, "bytes");
    group.nanoseconds += run.rowNanoseconds[item];
  }
  return [...groups.values()].sort(
    (a, b) => b.flops - a.flops || b.nanoseconds - a.nanoseconds || b.bytes - a.bytes,
  );
}
