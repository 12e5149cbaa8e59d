// The rows in sight as text: tab-separated values with all digits, or a Markdown table to read.

import { COLUMNS } from "./columns.js";

/** A table of what a grid shows, as "tsv" or "markdown". */
export function tableText(grid, format) {
  const columns = grid.columns.filter((name) => name !== "share");
  const { convention } = grid.settings;
  const titles = [grid.table.title, "type", ...columns.map((name) => COLUMNS[name].title)];
  const rows = grid.rows.map((row) => {
    const figures = row.figures(convention);
    const cells = columns.map((name) =>
      format === "tsv" ? String(COLUMNS[name].value(figures)) : COLUMNS[name].text(figures),
    );
    const repeats = row.repeats > 1 ? ` ×${row.repeats}` : "";
    const name = row.kind === "line" ? `${row.number}: ${row.name}` : row.name;
    return [`${"  ".repeat(row.level)}${name}${repeats}`, row.type, ...cells];
  });
  return format === "tsv" ? tsv([titles, ...rows]) : markdown(titles, rows);
}

function tsv(rows) {
  return rows.map((row) => row.map((cell) => cell.replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
}

function markdown(titles, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, index) => (index < 2 ? "---" : "---:"));
  const text = (cell, index) => {
    const escaped = cell.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&").replace(/[\r\n]+/g, " ");
    return index ? escaped : escaped.replace(/^ +/, (blanks) => "\u00a0".repeat(blanks.length));
  };
  return [line(titles), line(rule), ...rows.map((row) => line(row.map(text)))].join("\n");
}

/** Put text on the clipboard, by the older way where the page may not use the newer. */
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
