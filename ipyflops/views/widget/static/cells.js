// The cells of a row: its name, its bar and its numbers.

import { COLUMNS, METRICS, shareText } from "./columns.js";
import { make, marked } from "./dom.js";
import { measureOf } from "./rows.js";
import { PHASES } from "./run.js";

const INDENT = 16;

/** The first cell: twisty, name, how many are folded, type. */
export function nameCell(row, state) {
  const { query } = row.source;
  const parts = [
    make("span", {
      class: `fw-twisty${row.expandable ? "" : " fw-none"}`,
      "aria-hidden": "true",
      textContent: row.expandable ? (state.open ? "▾" : "▸") : "",
    }),
  ];
  if (row.kind === "line") {
    parts.push(make("span", { class: "fw-number", textContent: String(row.number) }));
  }
  const tag = row.kind === "line" || row.kind === "signature" ? "code" : "span";
  parts.push(make(tag, { class: `fw-name fw-${row.kind}` }, ...marked(row.name, query)));
  if (row.repeats > 1) {
    parts.push(badge("fold", `×${row.repeats.toLocaleString("en")}`,
      `${row.repeats} alike; show each of them (Space)`));
  } else if (row.runOf >= 0 && row.runOf === row.key) {
    parts.push(badge("fold", "fold", "Show these siblings, which are alike, as one row (Space)"));
  }
  if (row.type) {
    const kind = row.type === "unknown" || row.type === "partly unknown" ? "fw-flag" : "fw-type";
    parts.push(make(row.kind === "code" ? "code" : "span", { class: kind }, ...marked(row.type, query)));
  }
  const cell = make("div", { class: "fw-cell fw-first", role: "rowheader" }, ...parts);
  cell.style.paddingLeft = `${4 + row.level * INDENT}px`;
  if (row.kind === "line" && !row.silent) {
    // The hotter the line, the stronger its ground.
    const { measure, whole } = state;
    const share = whole ? row.sum(measure) / whole : 0;
    cell.style.setProperty("--fw-heat", `${Math.round(45 * Math.sqrt(Math.min(share, 1)))}%`);
    cell.classList.add("fw-hot");
  }
  cell.title = [row.name, row.type].filter(Boolean).join("  ·  ");
  return cell;
}

function badge(action, text, title) {
  return make("button", {
    class: "fw-badge", type: "button", tabIndex: -1, title, textContent: text, "data-action": action,
    "aria-label": title,
  });
}

/** The cell of a column. */
export function numberCell(row, name, settings) {
  if (name === "share" && !row.silent) return shareCell(row, settings);
  if (row.silent) return make("div", { class: "fw-cell", role: "gridcell" });
  const figures = row.figures(settings.convention);
  const column = COLUMNS[name];
  return make("div", {
    class: "fw-cell fw-right",
    role: "gridcell",
    textContent: column.text(figures),
    title: column.full(figures),
  });
}

function shareCell(row, { convention, metric, whole, heat }) {
  const parts = row.phases(measureOf(metric, convention));
  const sum = parts[0] + parts[1] + parts[2] + parts[3];
  const { text } = METRICS[metric];
  const bar = make("span", { class: heat ? "fw-bar fw-heat" : "fw-bar", "aria-hidden": "true" });
  const said = [];
  PHASES.forEach((phase, index) => {
    if (!parts[index]) return;
    const piece = make("i", { class: `fw-${phase}` });
    piece.style.width = `${(100 * parts[index]) / whole}%`;
    bar.append(piece);
    said.push(`${phase}: ${text(parts[index])} (${shareText(parts[index], sum)})`);
  });
  return make(
    "div",
    { class: "fw-cell fw-share", role: "gridcell", title: said.join("\n") },
    bar,
    make("span", { class: "fw-percent", textContent: shareText(sum, whole) }),
  );
}
