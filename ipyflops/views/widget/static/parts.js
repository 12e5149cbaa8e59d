// The parts of the widget, and how they stand.

import { ChartPane } from "./chart.js";
import { copyControl, levelsControl, methodsControl } from "./controls.js";
import { make, uniqueId } from "./dom.js";
import { RankList } from "./ranks.js";
import { MemoryPane } from "./memory.js";
import { RooflinePane } from "./roofline.js";
import { columnsMenu, conventionChoice, metricChoice, Search, Tabs } from "./toolbar.js";

/** @import { View } from "./view.js" */

/** @typedef {ReturnType<typeof makeParts>} Parts */

/**
 * Make the parts of a view; what is done with them calls the view.
 *
 * @param {View} view
 */
export function makeParts(view) {
  const { model, root, run } = view;
  const panelId = uniqueId("panel");
  const note = make("span", { class: "fw-note", role: "status" });
  const say = notes(note);
  const { ranks, shown } = model.get("_data").ranks ?? {}; // of all of them, whichever is shown
  return {
    headline: make("div", { class: "fw-headline" }),
    tabs: new Tabs(panelId, (name) => view.showTab(name), run.held.size > 0),
    search: new Search({ search: (text) => view.search(text), next: () => view.nextHit() }),
    convention: conventionChoice((name) => view.set("convention", name)),
    metric: metricChoice(run.metrics, (name) => view.set("metric", name)),
    levels: levelsControl({ open: (change) => view.changeOpen(change), tree: () => view.gridOf("modules") }),
    methods: methodsControl({ lines: () => view.grid, say }),
    columns: columnsMenu(
      run.metrics,
      () => run.columns[view.table],
      () => view.grid.columns,
      (chosen) => view.chooseColumns(chosen),
    ),
    copying: copyControl({ grid: () => view.grid, root, say }),
    note,
    panel: make("div", { class: "fw-panel", role: "tabpanel", id: panelId }),
    details: make("section", { class: "fw-details", "aria-label": "Details of the selected row" }),
    chart: new ChartPane(model, "chart"),
    roofline: new RooflinePane(model),
    memory: new MemoryPane(model),
    ranks: ranks ? new RankList(ranks, shown ?? null, run.metrics, (number) => view.set("rank", number)) : null,
  };
}

/**
 * Put the parts into the element of the widget.
 *
 * @param {View} view
 * @param {Parts} parts
 */
export function arrange({ model, root, empty }, parts) {
  const tools = make(
    "div",
    { class: "fw-toolbar", role: "group", "aria-label": "Table" },
    parts.tabs.element,
    parts.search.element,
    parts.convention.element,
    parts.metric.element,
    parts.levels.element,
    parts.methods,
    parts.columns,
    parts.copying,
    parts.note,
  );
  const main = make("div", { class: "fw-main-area" }, parts.panel, parts.chart.element);
  root.replaceChildren(
    hideStandIn(model.get("_key")),
    parts.headline,
    ...(parts.ranks ? [parts.ranks.element] : []),
    ...(empty ? [] : [tools, main, parts.details]),
  );
}

/**
 * The parts that only tables have, and the roofline has not.
 *
 * @param {Parts} parts
 */
export function ofTables(parts) {
  return [parts.search.element, parts.metric.element, parts.levels.element, parts.methods, parts.columns, parts.copying];
}

/**
 * A function that says something for some time.
 *
 * @param {HTMLElement} element
 */
function notes(element) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /**
   * @param {string} text
   * @param {number} [milliseconds]
   */
  return (text, milliseconds = 3000) => {
    element.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (element.textContent = ""), milliseconds);
  };
}

/**
 * A style that hides the HTML that stands in for the widget where none lives, wherever it is in the
 * page: here one does.
 *
 * @param {string} key
 */
function hideStandIn(key) {
  return make("style", { textContent: `[data-ipyflops-key="${CSS.escape(key)}"] { display: none; }` });
}
