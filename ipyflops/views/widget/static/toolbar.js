// The controls above the tables.

import { debounced, make, uniqueId } from "./dom.js";
import { CONVENTIONS } from "./run.js";

/**
 * @import { Convention, TabName } from "./message"
 * @import { Metric, Metrics } from "./metrics.js"
 */

/** @type {Record<TabName, string>} */
const TABS = { change: "Change", modules: "Modules", operators: "Operators", lines: "Lines", roofline: "Roofline", memory: "Memory" };

/** The tabs. */
export class Tabs {
  /**
   * @param {string} panelId
   * @param {(name: TabName) => void} on called when one is chosen
   * @param {Partial<Record<TabName, boolean>>} there false for a tab that the report has not
   */
  constructor(panelId, on, there) {
    const shown = Object.entries(TABS).filter(([name]) => there[/** @type {TabName} */ (name)] ?? true);
    this.tabs = shown.map(([name, title]) => {
      const tab = make("button", {
        class: "fw-tab", type: "button", role: "tab", textContent: title, "data-tab": name,
        id: uniqueId("tab"), "aria-controls": panelId,
      });
      tab.addEventListener("click", () => on(/** @type {TabName} */ (name)));
      return tab;
    });
    this.element = make("div", { class: "fw-tabs", role: "tablist", "aria-label": "FLOPs by" }, ...this.tabs);
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const count = this.tabs.length;
      const from = this.tabs.findIndex((tab) => tab === event.target);
      const next = this.tabs[(from + step + count) % count];
      next.focus();
      next.click();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /**
   * Mark the tab that is open; gives its id.
   *
   * @param {TabName} current
   */
  mark(current) {
    let id = "";
    for (const tab of this.tabs) {
      const selected = tab.dataset.tab === current;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      if (selected) id = tab.id;
    }
    return id;
  }
}

/**
 * A labelled choice.
 *
 * @param {string} label
 * @param {[value: string, text: string][]} options
 * @param {(value: string) => void} on called when another one is made
 */
export function choice(label, options, on) {
  const select = make(
    "select",
    { class: "fw-select", "aria-label": label },
    ...options.map(([value, text]) => make("option", { value, textContent: text })),
  );
  select.addEventListener("change", () => on(select.value));
  const element = make("label", { class: "fw-choice" }, make("span", { textContent: label }), select);
  return { element, select };
}

/** @param {(name: Convention) => void} on */
export function conventionChoice(on) {
  return choice("Convention", CONVENTIONS.map((name) => [name, name]), (name) =>
    on(/** @type {Convention} */ (name)));
}

/**
 * What the bars show.
 *
 * @param {Metrics} metrics
 * @param {(key: string) => void} on
 */
export function metricChoice(metrics, on) {
  /** @param {Metric} metric */
  const text = ({ name, ofPlace, title }) => (ofPlace ? `memory: ${title}` : name);
  return choice("Bars", metrics.bars.map((metric) => [metric.key, text(metric)]), on);
}

/** The search field. */
export class Search {
  /** @param {{ search: (text: string) => void, next: () => void }} on `next` is for Enter */
  constructor(on) {
    this.input = make("input", {
      class: "fw-search", type: "search", placeholder: "Search", spellcheck: false,
      "aria-label": "Search names and types; Enter goes to the next match",
    });
    this.count = make("span", { class: "fw-note", role: "status" });
    this.element = make("span", { class: "fw-searching" }, this.input, this.count);
    const search = debounced(120, () => on.search(this.input.value.trim().toLowerCase()));
    this.input.addEventListener("input", search);
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") on.next();
      if (event.key === "Escape" && this.input.value) {
        this.input.value = "";
        search();
      }
    });
  }
}
