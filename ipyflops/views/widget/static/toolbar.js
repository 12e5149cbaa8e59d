// The controls above the tables.

import { COLUMNS, METRICS } from "./columns.js";
import { debounced, make, uniqueId } from "./dom.js";
import { CONVENTIONS } from "./run.js";

const TABS = { modules: "Modules", operators: "Operators", lines: "Lines", roofline: "Roofline" };

/** The tabs; `on(name)` is called when one is chosen. */
export class Tabs {
  constructor(panelId, on) {
    this.buttons = Object.entries(TABS).map(([name, title]) => {
      const button = make("button", {
        class: "fw-tab", type: "button", role: "tab", textContent: title, "data-tab": name,
        id: uniqueId("tab"), "aria-controls": panelId,
      });
      button.addEventListener("click", () => on(name));
      return button;
    });
    this.element = make("div", { class: "fw-tabs", role: "tablist", "aria-label": "FLOPs by" }, ...this.buttons);
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const count = this.buttons.length;
      const next = this.buttons[(this.buttons.indexOf(event.target) + step + count) % count];
      next.focus();
      next.click();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  mark(current) {
    for (const button of this.buttons) {
      const selected = button.dataset.tab === current;
      button.setAttribute("aria-selected", selected);
      button.tabIndex = selected ? 0 : -1;
    }
    return this.buttons.find((button) => button.dataset.tab === current).id;
  }
}

/** A labelled choice; `on(value)` is called when another one is made. */
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

export function conventionChoice(on) {
  return choice("Convention", CONVENTIONS.map((name) => [name, name]), on);
}

export function metricChoice(run, on) {
  const measures = { macs: "macs", seconds: "nanoseconds", int_ops: "integer", bytes: "bytes" };
  const offered = Object.entries(METRICS).filter(
    ([name]) => name === "flops" || run.whole(measures[name]) > 0,
  );
  return choice("Bars", offered.map(([name, { title }]) => [name, title]), on);
}

export function button(text, title, on) {
  const element = make("button", { class: "fw-button", type: "button", title, "aria-label": title, textContent: text });
  element.addEventListener("click", on);
  return element;
}

/** The search field: `on.search(text)` while typing, `on.next()` for Enter. */
export class Search {
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

/** A button that opens a list below it; `fill(list)` makes what is in it. */
export function menu(text, title, fill) {
  const list = make("div", { class: "fw-menu", role: "group", "aria-label": title, hidden: true });
  const opener = make("button", {
    class: "fw-button", type: "button", textContent: `${text} ▾`, title, "aria-label": title,
    "aria-expanded": false, "aria-haspopup": "true",
  });
  const element = make("span", { class: "fw-menu-holder" }, opener, list);
  const show = (open) => {
    if (open) fill(list, () => show(false));
    list.hidden = !open;
    opener.setAttribute("aria-expanded", open);
  };
  opener.addEventListener("click", () => show(list.hidden));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    show(false);
    opener.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (!element.contains(event.relatedTarget)) show(false);
  });
  // A click on what cannot have the focus must not take it away.
  list.addEventListener("mousedown", (event) => {
    if (event.target === list) event.preventDefault();
  });
  return element;
}

/** The menu that chooses columns; `on(columns)` gets the new ones. */
export function columnsMenu(offered, shown, on) {
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
        return make("label", { title: COLUMNS[name].tip }, box, ` ${COLUMNS[name].title}`);
      }),
    );
  });
}
