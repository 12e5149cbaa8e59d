// The rows in sight as text: tab-separated values with all digits, or a Markdown table to read.

/** @import { Grid } from "./grid.js" */

// How a formula begins, in the wide letters of East Asian keyboards too. Quotation marks are taken off first.
const FORMULA = /^\s*["=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * A table of what a grid shows.
 *
 * @param {Grid} grid
 * @param {"tsv" | "markdown"} format
 */
export function tableText(grid, format) {
  const { metrics } = grid.source.run;
  const columns = grid.columns.filter((name) => name !== "share").map((name) => metrics.inColumn(name));
  const { convention } = grid.settings;
  const titles = [grid.table.title, "type", ...columns.map((metric) => metric.title)];
  const rows = grid.rows.map((row) => {
    const cells = columns.map((metric) =>
      format === "tsv" ? String(metric.sortValue(row, convention)) : metric.text(row, convention),
    );
    const repeats = row.repeats * row.instances > 1 ? ` ×${row.repeats * row.instances}` : "";
    const name = row.kind === "line" ? `${row.number}: ${row.name}` : row.name;
    return [`${"  ".repeat(row.level)}${name}${repeats}`, row.note ? `${row.type} (${row.note})` : row.type, ...cells];
  });
  return format === "tsv" ? tsv([titles, ...rows]) : markdown(titles, rows);
}

/**
 * Tab-separated values. A name that a spreadsheet would take for a formula becomes a text by an
 * apostrophe: it comes from the user's program.
 *
 * @param {string[][]} rows whose first two cells are texts, and the others numbers
 */
export function tsv(rows) {
  /**
   * @param {string} cell
   * @param {number} index of the column
   */
  const plain = (cell, index) => {
    const text = cell.replace(/[\t\r\n]+/g, " ");
    return index < 2 && FORMULA.test(text) ? `'${text}` : text;
  };
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
