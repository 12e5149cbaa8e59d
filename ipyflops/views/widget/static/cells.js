// The cells of a row: its name, its bar and its numbers.

import { changeCell } from "./change_chart.js";
import { shareText } from "./columns.js";
import { make, marked } from "./dom.js";
import { measureOf } from "./metrics.js";
import { PHASES } from "./run.js";

/**
 * @import { Convention, TabName } from "./message"
 * @import { Metric } from "./metrics.js"
 * @import { Row } from "./rows.js"
 * @import { Run } from "./run.js"
 */

/**
 * What the cells of a grid are made by.
 *
 * @typedef {object} Settings
 * @property {Convention} convention
 * @property {Metric} bar the metric that bars show
 * @property {string} measure what is summed up for the bars
 * @property {number} whole that of the whole run
 * @property {boolean} heat whether bars have the colour of heat and not those of the phases
 */

/**
 * What the bars of a table show. Only places hold memory: the other tables have FLOPs then, and so has a
 * run whose memory was not followed.
 *
 * @param {Run} run
 * @param {string} key of the metric that was chosen
 * @param {Convention} convention
 * @param {TabName} table
 * @returns {Settings}
 */
export function settingsOf(run, key, convention, table) {
  const chosen = run.metrics.of(key);
  const known = !chosen.ofPlace || (table === "modules" && run.held.has(key));
  const bar = known ? chosen : run.metrics.of("flops");
  const measure = measureOf(bar.key, convention);
  return { convention, bar, measure, whole: run.whole(measure), heat: table === "lines" };
}

const INDENT = 16;
const LONG = 18; // characters of a name that may be cut in its middle
const END = 9; // of them that are always seen
/** The kinds of rows whose text is cut at its end. */
const WHOLE = new Set(["line", "signature", "code", "file"]);

/**
 * The first cell: twisty, name, how many are folded, type.
 *
 * @param {Row} row
 * @param {boolean} open
 * @param {Settings} settings
 */
export function nameCell(row, open, settings) {
  const cell = make("div", { class: "fw-cell fw-first", role: "rowheader" }, ...nameParts(row, open));
  cell.style.paddingLeft = `${4 + row.level * INDENT}px`;
  if (row.kind === "line" && !row.silent) {
    // The hotter the line, the stronger its ground.
    const share = settings.whole ? row.sum(settings.measure) / settings.whole : 0;
    cell.style.setProperty("--fw-heat", `${Math.round(45 * Math.sqrt(Math.min(share, 1)))}%`);
    cell.classList.add("fw-hot");
  }
  cell.title = [row.name, row.type, row.note].filter(Boolean).join("  ·  ");
  return cell;
}

/**
 * @param {Row} row
 * @param {boolean} open
 */
function nameParts(row, open) {
  const { query } = row.source;
  const parts = [twisty(row, open)];
  if (row.kind === "line") {
    parts.push(make("span", { class: "fw-number", textContent: String(row.number) }));
  }
  const tag = row.kind === "line" || row.kind === "signature" ? "code" : "span";
  parts.push(make(tag, { class: `fw-name fw-${row.kind}` }, ...nameText(row, query)));
  if (row.repeats > 1) {
    parts.push(badge(`×${row.repeats.toLocaleString("en")}`,
      `${row.repeats} alike; show each of them (Space)`));
  } else if (row.instances > 1) {
    parts.push(badge(`×${row.instances.toLocaleString("en")}`,
      `${row.instances} modules of this name and class`));
  } else if (row.runOf >= 0 && row.runOf === row.key) {
    parts.push(badge("fold", "Show these siblings, which are alike, as one row (Space)"));
  }
  if (row.type) {
    const kind = row.type === "unknown" || row.type === "partly unknown" ? "fw-flag" : "fw-type";
    parts.push(make(row.kind === "code" ? "code" : "span", { class: kind }, ...marked(row.type, query)));
  }
  // It stands last: where there is little room, it is cut before the code.
  if (row.note) parts.push(make("span", { class: "fw-type", textContent: ` ${row.note}` }));
  return parts;
}

/**
 * The name, with its end apart where it is long: `_backward` is seen where there is little room, too.
 *
 * @param {Row} row
 * @param {string} query
 */
function nameText({ name, kind }, query) {
  const letters = [...name];
  const isHit = query !== "" && name.toLowerCase().includes(query);
  if (letters.length < LONG || isHit || WHOLE.has(kind)) return marked(name, query);
  return [
    make("span", { class: "fw-start", textContent: letters.slice(0, -END).join("") }),
    make("span", { class: "fw-end", textContent: letters.slice(-END).join("") }),
  ];
}

/**
 * @param {Row} row
 * @param {boolean} open
 */
function twisty(row, open) {
  return make("span", {
    class: `fw-twisty${row.expandable ? "" : " fw-none"}`,
    "aria-hidden": "true",
    textContent: row.expandable ? (open ? "▾" : "▸") : "",
  });
}

/**
 * The button that folds and unfolds siblings that are alike.
 *
 * @param {string} text
 * @param {string} title
 * @returns {HTMLElement}
 */
function badge(text, title) {
  return make("button", {
    class: "fw-badge", type: "button", tabIndex: -1, title, textContent: text, "data-action": "fold",
    "aria-label": title,
  });
}

/**
 * The cell of a column.
 *
 * @param {Row} row
 * @param {string} name of the column
 * @param {Settings} settings
 */
export function numberCell(row, name, settings) {
  if (row.silent) return make("div", { class: "fw-cell", role: "gridcell" });
  if (name === "share") return shareCell(row, settings);
  if (name === "change") return changeCell(row);
  const metric = row.source.run.metrics.inColumn(name);
  return make("div", {
    class: "fw-cell fw-right",
    role: "gridcell",
    textContent: metric.text(row, settings.convention),
    title: metric.full(row, settings.convention),
  });
}

/**
 * @param {Row} row
 * @param {Settings} settings
 */
function shareCell(row, { convention, measure, bar: metric, whole, heat }) {
  const parts = row.phases(measure);
  const sum = row.sum(measure);
  const bar = make("span", { class: heat ? "fw-bar fw-heat" : "fw-bar", "aria-hidden": "true" });
  /** @type {string[]} */
  const lines = [];
  PHASES.forEach((phase, index) => {
    if (!parts[index]) return;
    const piece = make("i", { class: `fw-${phase}` });
    piece.style.width = `${(100 * parts[index]) / whole}%`;
    bar.append(piece);
    lines.push(metric.ofPlace ? metric.full(row, convention)
      : `${phase}: ${metric.longOfSum(parts[index])} (${shareText(parts[index], sum)})`);
  });
  return make(
    "div",
    { class: "fw-cell fw-share", role: "gridcell", title: lines.join("\n") },
    bar,
    make("span", { class: "fw-percent", textContent: shareText(sum, whole) }),
  );
}
