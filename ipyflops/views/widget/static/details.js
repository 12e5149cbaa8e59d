// What a row is made of: each operator's formula with its shapes filled in.

import { MOST_ALIKE } from "./chart.js";
import { dominant, lineOf } from "./sources.js";
import { make } from "./dom.js";
import { substitute } from "./expressions.js";
import { CONVENTIONS, PHASES } from "./run.js";
import { duration, exact, percent, scaled } from "./units.js";

const FIRST = 12; // operators that are shown unasked
const MOST = 1000;

/** Write the details of a row of a table into an element. */
export function drawDetails(element, run, row, convention) {
  const explanations = explain(run, row.source.items(row), convention);
  const parts = [
    heading(row),
    facts(row, convention),
    phases(run, row, convention),
    operatorTable(run, explanations, convention),
    sourceLines(run, row, convention),
  ];
  element.replaceChildren(...parts.filter(Boolean));
}

/** All calls of one operator with the same shapes in one phase, the most FLOPs first. */
function explain(run, items, convention) {
  const groups = new Map();
  for (const item of items) {
    const signature = run.rowSignature[item];
    const phase = run.rowPhase[item];
    const key = signature * 4 + phase;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { signature, phase, calls: 0, flops: 0, bytes: 0, seconds: 0 }));
    group.calls += run.rowCalls[item];
    group.flops += run.amount(item, convention);
    group.bytes += run.amount(item, "bytes");
    group.seconds += run.rowNanoseconds[item] / 1e9;
  }
  return [...groups.values()].sort(
    (a, b) => b.flops - a.flops || b.seconds - a.seconds || b.bytes - a.bytes,
  );
}

function heading(row) {
  const path = row.source.path?.(row);
  const where = row.kind === "root" ? "" : path && path !== row.name && row.repeats === 1 ? path : row.name;
  const title = row.kind === "root" ? "The whole run" : row.kind === "own" ? `${path}: own work` : where;
  const parts = [make("span", { textContent: title })];
  // Inside of what is folded, every row stands for several places.
  const alike = row.nodes?.length ?? 1;
  if (alike > 1) parts.push(make("b", { textContent: ` ×${alike.toLocaleString("en")}` }));
  if (row.type) parts.push(make("span", { class: "fw-type", textContent: `  ${row.type}` }));
  if (alike > 1) {
    const charted = alike > MOST_ALIKE ? "; the chart shows the first of them" : "";
    const remark = `  (the sum of ${alike.toLocaleString("en")} alike${charted})`;
    parts.push(make("span", { class: "fw-type", textContent: remark }));
  }
  return make("h3", { class: "fw-heading" }, ...parts);
}

function facts(row, convention) {
  const f = row.figures(convention);
  const list = [
    ["FLOPs", exact(f.flops)],
    ["MACs", exact(f.macs)],
    f.integer ? ["integer ops", exact(f.integer)] : null,
    f.calls ? ["calls", exact(f.calls)] : null,
    ["operator calls", exact(f.operators)],
    f.parameters ? ["parameters", exact(f.parameters)] : null,
    f.seconds ? ["kernel time", duration(f.seconds)] : null,
    f.rate ? ["rate", scaled(f.rate, "FLOPS", false)] : null,
    ["bytes", scaled(f.bytes, "B")],
    f.intensity ? ["intensity", `${scaled(f.intensity, "", false)} FLOPs/B`] : null,
  ].filter(Boolean);
  return make(
    "dl",
    { class: "fw-facts" },
    ...list.map(([term, value]) =>
      make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: value })),
    ),
  );
}

function phases(run, row, convention) {
  const flops = row.phases(convention);
  const time = row.phases("nanoseconds");
  const whole = flops[0] + flops[1] + flops[2] + flops[3];
  const ran = PHASES.map((name, index) => [name, index]).filter(([, index]) => flops[index] || time[index]);
  if (ran.length < 2) return null;
  return make(
    "ul",
    { class: "fw-phases" },
    ...ran.map(([name, index]) =>
      make(
        "li",
        {},
        make("i", { class: `fw-key fw-${name}`, "aria-hidden": "true" }),
        `${name}: ${scaled(flops[index], "FLOPs")}${whole ? ` (${percent(flops[index] / whole)})` : ""}` +
          (time[index] ? `, ${duration(time[index] / 1e9)}` : ""),
      ),
    ),
  );
}

function operatorTable(run, explanations, convention) {
  if (!explanations.length) return make("p", { class: "fw-note", textContent: "No operator ran here." });
  const titles = ["operator", "shapes", "formula", "calls", "FLOPs", "time"];
  const body = make("tbody");
  const show = (from, to) =>
    explanations.slice(from, to).forEach((one) => body.append(operatorRow(run, one, convention)));
  show(0, FIRST);
  const table = make(
    "table",
    { class: "fw-operators" },
    make("thead", {}, make("tr", {}, ...titles.map((title, index) =>
      make("th", { scope: "col", class: index > 2 ? "fw-right" : "", textContent: title })))),
    body,
  );
  const left = Math.min(explanations.length, MOST) - FIRST;
  if (left <= 0) return table;
  const more = make("button", { class: "fw-button", type: "button", textContent: `${left} more` });
  more.addEventListener("click", () => {
    show(FIRST, MOST);
    more.remove();
  });
  return make("div", {}, table, more);
}

function operatorRow(run, one, convention) {
  const [operator, dtype, shapes, verdict, , , note] = run.expressions[one.signature];
  // A narrow window has no room for columns; there each number says what it is.
  const cell = (title, text) => make("td", { class: "fw-right", textContent: text, "data-title": title });
  return make(
    "tr",
    {},
    make(
      "th",
      { scope: "row" },
      make("i", { class: `fw-key fw-${PHASES[one.phase]}`, title: PHASES[one.phase] }),
      make("span", { class: "fw-sr", textContent: `${PHASES[one.phase]}: ` }),
      operator,
    ),
    make("td", {}, make("code", { textContent: shapes || "–" }), make("span", { class: "fw-type", textContent: ` ${dtype}` })),
    make(
      "td",
      { class: "fw-formula" },
      ...formula(run, one, verdict, convention),
      note ? make("span", { class: "fw-type", textContent: ` (${note})` }) : null,
    ),
    cell("calls", exact(one.calls)),
    cell("FLOPs", exact(total(run, one, convention))),
    cell("time", one.seconds ? duration(one.seconds) : ""),
  );
}

function formula(run, one, verdict, convention) {
  if (verdict === "unknown") {
    return [make("strong", { class: "fw-flag", textContent: "unknown: no formula, counted as 0" })];
  }
  const texts = run.expressions[one.signature][4];
  const expression = texts[CONVENTIONS.indexOf(convention)] ?? texts[0];
  if (verdict === "free") return [make("span", { class: "fw-type", textContent: "free: computes nothing" })];
  if (run.summed[one.signature]) return [make("code", { textContent: exact(total(run, one, convention)) })];
  const filled = substitute(expression, run.expressions[one.signature][5]);
  const value = exact(perCall(run, one.signature, convention));
  const plain = filled === expression ? "" : `${expression} = `;
  return [make("code", { textContent: filled === value ? value : `${plain}${filled} = ${value}` })];
}

/** FLOPs of one call to the last digit. */
function perCall(run, signature, convention) {
  const text = (run.exactValues[convention] ?? run.exactValues.standard)?.[signature];
  return text === undefined ? run.cost[convention][signature] : BigInt(text);
}

function total(run, one, convention) {
  const value = perCall(run, one.signature, convention);
  if (run.summed[one.signature]) return one.flops;
  if (typeof value === "number" && Number.isSafeInteger(value * one.calls)) return value * one.calls;
  return BigInt(value) * BigInt(one.calls);
}

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
