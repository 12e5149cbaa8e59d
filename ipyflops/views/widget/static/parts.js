// The parts of the widget, and how they stand.

import { ChartPane } from "./chart.js";
import { makeControls } from "./controls.js";
import { DetailsPane } from "./details_pane.js";
import { make, uniqueId } from "./dom.js";
import { IciclePane } from "./icicle_pane.js";
import { MemoryPane } from "./memory.js";
import { RankList } from "./ranks.js";
import { RooflinePane } from "./roofline.js";
import { Tabs } from "./toolbar.js";

/** @import { View } from "./view.js" */

/** @typedef {ReturnType<typeof makeParts>} Parts */

/**
 * Make the parts of a view; what is done with them calls the view.
 *
 * @param {View} view
 */
export function makeParts(view) {
  const { model, run } = view;
  const panelId = uniqueId("panel");
  const note = make("span", { class: "fw-note", role: "status" });
  const say = notes(note);
  const { ranks, shown } = model.get("_data").ranks ?? {}; // of all of them, whichever is shown
  return {
    headline: make("div", { class: "fw-headline" }),
    tabs: new Tabs(panelId, (name) => view.showTab(name), view.there),
    controls: makeControls(view, say),
    note,
    panel: make("div", { class: "fw-panel", role: "tabpanel", id: panelId }),
    icicle: new IciclePane(run, (place) => view.selectPlace(place)),
    details: new DetailsPane(run, () => view.fit()),
    chart: new ChartPane(model, "chart"),
    chartOpener: opener("Chart", () => view.fit()),
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
export function arrange({ model, root, empty, height, main }, parts) {
  const tools = make("div", { class: "fw-toolbar" }, parts.tabs.element, parts.controls.element, parts.note);
  root.replaceChildren(
    hideStandIn(model.get("_key")),
    parts.headline,
    ...(parts.ranks ? [parts.ranks.element] : []),
    ...(empty ? [] : [tools, main, height.handle, parts.details.element]),
  );
}

/**
 * The table, and the chart beside it; below it where there is little room, and then behind a line.
 *
 * @param {Parts} parts
 */
export function mainArea({ panel, chartOpener, chart }) {
  const main = make("div", { class: "fw-main-area" }, panel, chartOpener, chart.element);
  chartOpener.addEventListener("click", () =>
    main.classList.toggle("fw-with-chart", chartOpener.getAttribute("aria-expanded") === "true"));
  return main;
}

/**
 * The pixels of a chart that is not beside the table but below it.
 *
 * @param {Parts} parts
 */
export function chartBelow({ chartOpener, chart }) {
  return chartOpener.offsetHeight ? chart.element.offsetHeight : 0;
}

/**
 * A line that opens what is below it.
 *
 * @param {string} text
 * @param {() => void} on
 */
function opener(text, on) {
  const mark = make("span", { class: "fw-mark", "aria-hidden": "true", textContent: "▸" });
  const element = make("button", { class: "fw-opener fw-chart-opener", type: "button", "aria-expanded": false }, mark, text);
  element.addEventListener("click", () => {
    const open = element.getAttribute("aria-expanded") !== "true";
    element.setAttribute("aria-expanded", String(open));
    mark.textContent = open ? "▾" : "▸";
    requestAnimationFrame(on);
  });
  return element;
}

/**
 * The parts that only tables have, and the roofline has not.
 *
 * @param {Parts} parts
 */
export function ofTables({ controls, details, chartOpener }) {
  const { search, expand, copying, metric, folding, methods, columns, heights } = controls;
  return [
    search.element, expand, copying, metric.element, folding, methods, columns, heights, details.element, chartOpener,
  ];
}

/**
 * Show the controls that the table of a tab has.
 *
 * @param {Parts} parts
 * @param {string} name of the tab
 * @param {boolean} asIcicle whether there is an icicle, which has no columns and nothing to open
 */
export function showControls({ controls }, name, asIcicle) {
  controls.expand.hidden = name === "lines" || asIcicle;
  controls.folding.hidden = (name !== "modules" && name !== "change") || asIcicle;
  controls.columns.hidden = asIcicle;
  controls.icicle.element.hidden = name !== "modules";
  controls.icicle.box.checked = asIcicle;
  controls.methods.hidden = name !== "lines";
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
