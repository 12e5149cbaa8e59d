// The controls above the tables.

import { debounced, make, uniqueId } from "./dom.js";
import { CONVENTIONS } from "./run.js";

/**
 * @import { Convention, TabName } from "./message"
 * @import { Metrics } from "./metrics.js"
 */

/** @type {Record<TabName, string>} */
const TABS = { modules: "Modules", operators: "Operators", lines: "Lines", roofline: "Roofline", memory: "Memory" };

/** The tabs. */
export class Tabs {
  /**
   * @param {string} panelId
   * @param {(name: TabName) => void} on called when one is chosen
   * @param {boolean} withMemory whether the report says what held memory
   */
  constructor(panelId, on, withMemory) {
    const shown = Object.entries(TABS).filter(([name]) => withMemory || name !== "memory");
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
  return choice("Bars", metrics.bars.map(({ key, name }) => [key, name]), on);
}

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} on
 */
export function button(text, title, on) {
  const element = make("button", { class: "fw-button", type: "button", title, "aria-label": title, textContent: text });
  element.addEventListener("click", on);
  return element;
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
      event.stopPropagation();
      if (event.key === "Enter") on.next();
      if (event.key === "Escape" && this.input.value) {
        this.input.value = "";
        search();
      }
    });
  }
}

/**
 * A button that opens a list below it.
 *
 * @param {string} text
 * @param {string} title
 * @param {(list: HTMLElement, close: () => void) => void} fill makes what is in the list
 */
export function menu(text, title, fill) {
  const list = make("div", { class: "fw-menu", role: "group", "aria-label": title, hidden: true });
  const opener = make("button", {
    class: "fw-button", type: "button", textContent: `${text} ▾`, title, "aria-label": title,
    "aria-expanded": false, "aria-haspopup": "true",
  });
  const element = make("span", { class: "fw-menu-holder" }, opener, list);
  /** @param {boolean} open */
  const show = (open) => {
    if (open) fill(list, () => show(false));
    list.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
  };
  opener.addEventListener("click", () => show(Boolean(list.hidden)));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    show(false);
    opener.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && element.contains(event.relatedTarget))) show(false);
  });
  // A click on what cannot have the focus must not take it away.
  list.addEventListener("mousedown", (event) => {
    if (event.target === list) event.preventDefault();
  });
  return element;
}

/**
 * The menu that chooses columns.
 *
 * @param {Metrics} metrics
 * @param {() => string[]} offered
 * @param {() => string[]} shown
 * @param {(columns: string[]) => void} on gets the new ones
 */
export function columnsMenu(metrics, offered, shown, on) {
  return menu("Columns", "Choose the columns", (list) => {
    list.replaceChildren(
      ...offered().map((name) => {
        const box = make("input", { type: "checkbox", checked: shown().includes(name) });
        box.addEventListener("change", () => {
          const chosen = new Set(shown());
          if (box.checked) chosen.add(name);
          else chosen.delete(name);
          on(offered().filter((one) => chosen.has(one)));
        });
        const { title, explanation } = metrics.inColumn(name);
        return make("label", { title: explanation }, box, ` ${title}`);
      }),
    );
  });
}
