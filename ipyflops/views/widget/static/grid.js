// A tree table that holds only the rows in sight: 100,000 rows scroll like ten.
//
// One element has the focus, and aria-activedescendant says at which row or cell; so rows can come
// and go without the focus being lost.

import { nameCell, numberCell } from "./cells.js";
import { COLUMNS } from "./columns.js";
import { make, uniqueId } from "./dom.js";
import { Header, LEAST_NAME } from "./header.js";
import { handleKey } from "./keyboard.js";

export const ROW_HEIGHT = 24;
const MOST_ROWS = 22; // in sight at once
const MARGIN = 6; // rows kept ready above and below

export class Grid {
  /**
   * @param source a tree or list: roots(), children(row), phases(row, measure), search(query)
   * @param settings what the cells are made by; the widget changes it and calls `refresh`
   * @param on {select(row), toggle(), fold(row), sort(name), resize()}
   */
  constructor(source, table, settings, on) {
    this.source = source;
    this.table = table;
    this.settings = settings;
    this.on = on;
    this.open = new Set();
    this.columns = [];
    this.widths = {};
    this.sort = "";
    this.rows = [];
    this.active = 0; // row
    this.cell = -1; // column of the active cell, -1 for the row as a whole
    this.selected = null; // key
    this._id = uniqueId("grid");
    this._shown = new Map();

    this.header = new Header(this);
    this.body = make("div", { class: "fw-body", role: "rowgroup" });
    this.element = make(
      "div",
      {
        class: "fw-grid",
        role: "treegrid",
        tabIndex: 0,
        "aria-label": `FLOPs by ${table.title}`,
        "aria-multiselectable": "false",
      },
      this.header.element,
      this.body,
    );
    this.element.addEventListener("scroll", () => this._draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => handleKey(this, event));
    this.body.addEventListener("click", (event) => this._clicked(event));
    this.body.addEventListener("dblclick", (event) => {
      const index = this._indexOf(event.target);
      if (index >= 0 && !event.target.closest("[data-action], .fw-twisty")) this.toggle(index);
    });
  }

  // --- which rows -----------------------------------------------------------------------------

  isOpen(row) {
    return row.expandable && this.open.has(row.key);
  }

  /** Work out the rows again, and draw them; the active row stays the same if it is still there. */
  rebuild() {
    const key = this.rows[this.active]?.key;
    this.rows = this._flat();
    const index = this.indexOfKey(this.selected ?? key);
    this.active = index >= 0 ? index : Math.min(this.active, Math.max(this.rows.length - 1, 0));
    this.refresh();
  }

  _flat() {
    const rows = [];
    const waiting = this._inside(this).slice().reverse();
    while (waiting.length) {
      const row = waiting.pop();
      rows.push(row);
      if (!this.isOpen(row)) continue;
      const children = this._inside(row);
      for (let at = children.length - 1; at >= 0; at--) waiting.push(children[at]);
    }
    return rows;
  }

  /** The rows inside a row, in order; for the grid itself the first rows. They are kept until
   *  the source or the order changes. */
  _inside(row) {
    const { convention, measure } = this.settings;
    const order = this.sort && `${this.sort} ${convention} ${measure}`;
    if (row.insideEpoch !== this.source.epoch) {
      row.insideEpoch = this.source.epoch;
      row.unordered = row === this ? this.source.roots() : this.source.children(row);
      row.insideOrder = null;
    }
    if (row.insideOrder !== order) {
      row.insideOrder = order;
      row.inside = this._ordered(row.unordered);
    }
    return row.inside;
  }

  _ordered(rows) {
    const name = this.sort.replace(/^-/, "");
    if (name) {
      const sign = this.sort.startsWith("-") ? -1 : 1;
      const { convention, measure } = this.settings;
      const value = name === "share"
        ? (row) => row.sum(measure)
        : (row) => COLUMNS[name].value(row.figures(convention));
      const text = new Intl.Collator("en", { numeric: true });
      const keyed = rows.map((row) => [name === "name" ? row.name : value(row), row]);
      keyed.sort(name === "name"
        ? ([a], [b]) => sign * text.compare(a, b)
        : ([a], [b]) => sign * (a - b));
      rows = keyed.map(([, row]) => row);
    }
    rows.forEach((row, index) => {
      row.position = index + 1;
      row.siblings = rows.length;
    });
    return rows;
  }

  indexOfKey(key) {
    return key === null || key === undefined ? -1 : this.rows.findIndex((row) => row.key === key);
  }

  // --- drawing ----------------------------------------------------------------------------------

  /** Draw everything again: settings, columns or rows have changed. */
  refresh() {
    // Nobody sees it yet, and what fits is not known yet; `refresh` is called again then.
    if (!this.element.isConnected) return;
    this.element.style.setProperty("--fw-columns", this._template());
    this.element.style.setProperty("--fw-width", `${this._minimum()}px`);
    this.element.setAttribute("aria-rowcount", this.rows.length + 1);
    this.element.setAttribute("aria-colcount", this.columns.length + 1);
    this.body.style.height = `${Math.max(this.rows.length, 1) * ROW_HEIGHT}px`;
    this.element.style.height = `${(Math.min(Math.max(this.rows.length, 3), MOST_ROWS) + 1.4) * ROW_HEIGHT + 6}px`;
    this.header.draw();
    this._shown.forEach((element) => element.remove());
    this._shown.clear();
    this.body.classList.toggle("fw-nothing", this.rows.length === 0);
    this._draw();
  }

  _template() {
    const first = this.widths.name ? `${this.widths.name}px` : `minmax(${LEAST_NAME}px, 1fr)`;
    return [first, ...this.columns.map((name) => `${this.widths[name] ?? COLUMNS[name].width}px`)].join(" ");
  }

  _minimum() {
    const widths = this.columns.map((name) => this.widths[name] ?? COLUMNS[name].width);
    return widths.reduce((sum, width) => sum + width, this.widths.name ?? LEAST_NAME);
  }

  _draw() {
    if (!this.element.isConnected) return;
    const height = this.element.clientHeight || MOST_ROWS * ROW_HEIGHT;
    const top = this.element.scrollTop;
    const from = Math.max(0, Math.floor(top / ROW_HEIGHT) - MARGIN);
    const to = Math.min(this.rows.length, Math.ceil((top + height) / ROW_HEIGHT) + MARGIN);
    for (const [index, element] of this._shown) {
      if (index < from || index >= to) {
        element.remove();
        this._shown.delete(index);
      }
    }
    const fresh = document.createDocumentFragment();
    for (let index = from; index < to; index++) {
      if (this._shown.has(index)) continue;
      const element = this._rowElement(index);
      this._shown.set(index, element);
      fresh.append(element);
    }
    this.body.append(fresh);
    this._mark();
  }

  _rowElement(index) {
    const row = this.rows[index];
    const open = this.isOpen(row);
    const cells = [
      nameCell(row, { open, ...this.settings }),
      ...this.columns.map((name) => numberCell(row, name, this.settings)),
    ];
    cells.forEach((cell, column) => {
      cell.id = `${this._id}-${index}-${column}`;
      cell.setAttribute("aria-colindex", column + 1);
    });
    const element = make(
      "div",
      {
        class: `fw-row fw-kind-${row.kind}${row.source.isHit(row) ? " fw-hit" : ""}`,
        role: "row",
        id: `${this._id}-${index}`,
        "aria-rowindex": index + 2,
        "aria-level": row.level + 1,
        "aria-posinset": row.position,
        "aria-setsize": row.siblings,
        "aria-expanded": row.expandable ? open : null,
      },
      ...cells,
    );
    element.style.top = `${index * ROW_HEIGHT}px`;
    return element;
  }

  /** Show which row is selected and where the focus is. */
  _mark() {
    for (const [index, element] of this._shown) {
      const selected = this.rows[index].key === this.selected;
      element.classList.toggle("fw-selected", selected);
      element.setAttribute("aria-selected", selected);
      const active = index === this.active;
      element.classList.toggle("fw-active", active && this.cell < 0);
      element.querySelector(".fw-active-cell")?.classList.remove("fw-active-cell");
      if (active && this.cell >= 0) element.children[this.cell]?.classList.add("fw-active-cell");
    }
    const id = this.cell < 0 ? `${this._id}-${this.active}` : `${this._id}-${this.active}-${this.cell}`;
    if (this._shown.has(this.active)) this.element.setAttribute("aria-activedescendant", id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  // --- moving and opening -----------------------------------------------------------------------

  /** Make a row the active and selected one, and bring it into sight. */
  activate(index, { cell = this.cell, select = true, scroll = true } = {}) {
    if (!this.rows.length) return;
    this.active = Math.max(0, Math.min(index, this.rows.length - 1));
    this.cell = Math.min(cell, this.columns.length);
    if (scroll) this.scrollTo(this.active);
    const row = this.rows[this.active];
    const changed = row.key !== this.selected;
    if (select) this.selected = row.key;
    this._draw();
    if (select && changed) this.on.select(row);
  }

  scrollTo(index) {
    const top = index * ROW_HEIGHT;
    const room = this.element.clientHeight - this.header.element.offsetHeight - ROW_HEIGHT;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top > this.element.scrollTop + room) this.element.scrollTop = top - room + 2;
    const cell = this.cell > 0 && this.header.cells[this.cell];
    if (cell) {
      const first = this.header.cells[0].offsetWidth;
      const { offsetLeft: left, offsetWidth: width } = cell;
      const { scrollLeft, clientWidth } = this.element;
      if (left < scrollLeft + first) this.element.scrollLeft = left - first;
      else if (left + width > scrollLeft + clientWidth) this.element.scrollLeft = left + width - clientWidth;
    }
  }

  toggle(index, open = !this.isOpen(this.rows[index])) {
    const row = this.rows[index];
    if (!row.expandable || open === this.isOpen(row)) return;
    if (open) this.open.add(row.key);
    else this.open.delete(row.key);
    this.rebuild();
    this.on.toggle();
  }

  /** Open so many levels, all below them closed. */
  openLevels(levels) {
    this.open = new Set();
    let level = this._inside(this);
    for (let depth = 1; depth < levels && level.length; depth++) {
      const inside = [];
      for (const row of level) {
        if (!row.expandable) continue;
        this.open.add(row.key);
        for (const child of this._inside(row)) inside.push(child);
      }
      level = inside;
    }
  }

  /** Open as many levels as have at most so many rows together, two at least. */
  openFitting(most) {
    this.open = new Set();
    let level = this._inside(this);
    let shown = level.length;
    for (let depth = 0; level.length; depth++) {
      const inside = [];
      for (const row of level) {
        if (row.expandable) for (const child of this._inside(row)) inside.push(child);
        // What does not fit is not looked at: it may be a hundred thousand rows.
        if (depth > 0 && shown + inside.length > most) return;
      }
      if (!inside.length) return;
      for (const row of level) if (row.expandable) this.open.add(row.key);
      shown += inside.length;
      level = inside;
    }
  }

  _indexOf(target) {
    const element = target.closest(".fw-row");
    return element ? Number(element.getAttribute("aria-rowindex")) - 2 : -1;
  }

  _clicked(event) {
    const index = this._indexOf(event.target);
    if (index < 0) return;
    this.element.focus({ preventScroll: true });
    const row = this.rows[index];
    if (event.target.closest(".fw-twisty") && row.expandable) {
      this.active = index;
      this.toggle(index);
    } else if (event.target.closest("[data-action=fold]")) {
      this.active = index;
      this.on.fold(row);
    } else {
      this.activate(index, { cell: -1, scroll: false });
    }
  }
}
