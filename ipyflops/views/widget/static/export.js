// The rows in sight as text: values with all digits, or a table to read; on the clipboard or in a file.

import { latex } from "./latex.js";

/**
 * @import { Grid } from "./grid.js"
 * @import { Metric } from "./metrics.js"
 * @import { Row } from "./rows.js"
 */

// How a formula begins, in the wide letters of East Asian keyboards too. Quotation marks are taken off first.
const FORMULA = /^\s*["=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/;

/** @typedef {"tsv" | "csv" | "markdown" | "latex" | "json"} Format */

/** The forms whose numbers have all digits; the others are read. */
const EXACT = new Set(["tsv", "csv", "json"]);

/**
 * A table of what a grid shows.
 *
 * @param {Grid} grid
 * @param {Format} format
 */
export function tableText(grid, format) {
  const { metrics } = grid.source.run;
  const columns = grid.columns.filter((name) => name !== "share" && name !== "change").map((name) => metrics.inColumn(name));
  const { convention } = grid.settings;
  if (format === "json") return json(grid, columns);
  const titles = [grid.table.title, "type", ...columns.map((metric) => metric.title)];
  const rows = grid.rows.map((row) => {
    const cells = columns.map((metric) =>
      EXACT.has(format) ? String(metric.sortValue(row, convention)) : metric.text(row, convention),
    );
    return { level: row.level, cells: [nameOf(row), row.note ? `${row.type} (${row.note})` : row.type, ...cells] };
  });
  if (format === "latex") return latex(titles, rows);
  const indented = rows.map(({ level, cells: [name, ...cells] }) => [`${"  ".repeat(level)}${name}`, ...cells]);
  if (format === "markdown") return markdown(titles, indented);
  return format === "csv" ? csv([titles, ...indented]) : tsv([titles, ...indented]);
}

/** @param {Row} row */
function nameOf(row) {
  const repeats = row.repeats * row.instances > 1 ? ` ×${row.repeats * row.instances}` : "";
  return `${row.kind === "line" ? `${row.number}: ${row.name}` : row.name}${repeats}`;
}

/**
 * The rows as a list of objects: a number by the key of each metric.
 *
 * @param {Grid} grid
 * @param {Metric[]} columns
 */
function json(grid, columns) {
  const { convention } = grid.settings;
  const rows = grid.rows.map((row) => ({
    name: nameOf(row),
    type: row.type,
    level: row.level,
    path: row.source.path?.(row),
    ...Object.fromEntries(columns.map((metric) => [metric.key, metric.sortValue(row, convention)])),
  }));
  return JSON.stringify({ by: grid.table.title, convention, rows }, null, 2);
}

/**
 * A text that a spreadsheet would take for a formula becomes a text by an apostrophe.
 *
 * @param {string} cell
 * @param {number} index of the column; the first two are texts, which come from the user's program
 */
function plain(cell, index) {
  const text = cell.replace(/[\t\r\n]+/g, " ");
  return index < 2 && FORMULA.test(text) ? `'${text}` : text;
}

/** @param {string[][]} rows */
function csv(rows) {
  /** @param {string} cell */
  const quoted = (cell) => (/[",]/.test(cell) ? `"${cell.replaceAll("\"", "\"\"")}"` : cell);
  return rows.map((row) => row.map((cell, index) => quoted(plain(cell, index))).join(",")).join("\r\n");
}

/**
 * Tab-separated values. A name that a spreadsheet would take for a formula becomes a text by an
 * apostrophe: it comes from the user's program.
 *
 * @param {string[][]} rows whose first two cells are texts, and the others numbers
 */
export function tsv(rows) {
  return rows.map((row) => row.map(plain).join("\t")).join("\n");
}

/**
 * @param {string[]} titles
 * @param {string[][]} rows
 */
function markdown(titles, rows) {
  /** @param {string[]} cells */
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, index) => (index < 2 ? "---" : "---:"));
  return [line(titles), line(rule), ...rows.map((row) => line(row.map(markdownCell)))].join("\n");
}

/**
 * @param {string} cell
 * @param {number} index of the column
 */
function markdownCell(cell, index) {
  const escaped = cell.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&").replace(/[\r\n]+/g, " ");
  return index ? escaped : escaped.replace(/^ +/, (blanks) => "\u00a0".repeat(blanks.length));
}

/**
 * Put text on the clipboard, by the older way where the page may not use the newer.
 *
 * @param {string} text
 * @param {HTMLElement} near
 */
export async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    near.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/**
 * Save a text as a file, as a link would that is clicked: no kernel and no server takes part.
 *
 * @param {string} name
 * @param {string} text
 * @param {string} type
 * @param {HTMLElement} near
 */
export function save(name, text, type, near) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.hidden = true;
  near.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
