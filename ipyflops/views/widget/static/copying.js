// The menu that takes a table elsewhere: to the clipboard, or into files that the browser makes.

import { copy, save, tableText } from "./export.js";
import { make } from "./dom.js";
import { item, menu } from "./menus.js";
import { speedscope } from "./speedscope.js";

/**
 * @import { Format } from "./export.js"
 * @import { View } from "./view.js"
 */

/** @type {[Format, string][]} */
const COPIED = [["tsv", "tab-separated values"], ["markdown", "Markdown"], ["latex", "LaTeX"]];
/** @type {[Format, string, string][]} with the end of the file's name */
const SAVED = [["csv", "CSV", "csv"], ["json", "JSON", "json"], ["latex", "LaTeX", "tex"]];
/** @type {Record<string, string>} */
const TYPES = { csv: "text/csv", json: "application/json", tex: "application/x-tex", svg: "image/svg+xml" };

/**
 * @param {View} view
 * @param {(text: string, milliseconds?: number) => void} say
 */
export function copyMenu(view, say) {
  const { root, run } = view;
  const name = fileName(run.names[run.nameIndex[run.childrenOf(0)[0] ?? 0]] ?? "");
  /**
   * @param {string} end
   * @param {string} text
   */
  const keep = (end, text) => {
    save(`${name}.${end}`, text, TYPES[end] ?? "application/json", root);
    made.close();
    made.opener.focus();
    say(`${name}.${end} saved`);
  };
  const copied = COPIED.map(([format, title]) =>
    item(title, async () => {
      await copy(tableText(view.grid, format), root);
      made.close();
      made.opener.focus();
      say(`${view.grid.rows.length.toLocaleString("en")} rows copied`);
    }, `Copy as ${title}`));
  const tables = SAVED.map(([format, title, end]) =>
    item(title, () => keep(end, tableText(view.grid, format)), `Save as ${title}`));
  const chart = item("SVG of the chart", () => keep("svg", view.parts.chart.svg()), "Save the chart as SVG");
  const flames = item("speedscope", () =>
    keep("speedscope.json", JSON.stringify(speedscope(run, view.settings.convention))), "Save for speedscope");
  const made = menu({
    text: "Copy", title: "copy the rows shown, or save them as a file", root,
    parts: [
      make("div", { class: "fw-group", role: "group", "aria-label": "Copy the rows shown" },
        make("p", { class: "fw-type", textContent: "Copy as" }), ...copied),
      make("div", { class: "fw-group", role: "group", "aria-label": "Save a file" },
        make("p", { class: "fw-type", textContent: "Save as" }), ...tables, chart, flames),
    ],
    fill: () => (chart.disabled = !view.parts.chart.svg()),
  });
  return made;
}

/**
 * A name that every system takes for a file.
 *
 * @param {string} text
 */
function fileName(text) {
  return `ipyflops ${text}`.replace(/[^\p{L}\p{N}_.-]+/gu, "-").slice(0, 60).replace(/[-.]+$/, "");
}
