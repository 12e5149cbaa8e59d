// A tree table that holds only the rows in sight: 100,000 rows scroll like ten.
//
// One element has the focus, and aria-activedescendant says at which row or cell; so rows can come
// and go without the focus being lost.

import { nameCell, numberCell } from "./cells.js";
import { columnWidth } from "./columns.js";
import { make, uniqueId } from "./dom.js";
import { Header, MIN_NAME_WIDTH } from "./header.js";
import { handleKey } from "./keyboard.js";
import { OpenRows } from "./open_rows.js";

/**
 * @import { Settings } from "./cells.js"
 * @import { Table } from "./columns.js"
 * @import { Key, Row, Source } from "./rows.js"
 */

/**
 * What a grid tells the widget.
 *
 * @typedef {object} Listeners
 * @property {(row: Row) => void} select
 * @property {() => void} toggle rows were opened or closed
 * @property {(row: Row) => void} fold
 * @property {(name: string) => void} sort
 * @property {() => void} resize
 */

export const ROW_HEIGHT = 24;
const GUESS = 22; // rows in sight, where that is not known yet
const MARGIN = 6; // rows kept ready above and below

/**
 * The rows that have to be drawn: those in sight and some around them.
 *
 * @param {number} top pixels that are scrolled out of sight
 * @param {number} height of what is in sight; 0 where that is not known yet
 * @param {number} count of all rows
 * @returns {[from: number, to: number]}
 */
export function inSight(top, height, count) {
  const bottom = top + (height || GUESS * ROW_HEIGHT);
  return [
    Math.max(0, Math.floor(top / ROW_HEIGHT) - MARGIN),
    Math.min(count, Math.ceil(bottom / ROW_HEIGHT) + MARGIN),
  ];
}

export class Grid extends OpenRows {
  /**
   * @param {Source} source
   * @param {Table} table
   * @param {Settings} settings what the cells are made by; the widget changes it and calls `refresh`
   * @param {Listeners} on
   */
  constructor(source, table, settings, on) {
    super(source, settings);
    this.table = table;
    this.on = on;
    /** @type {string[]} */
    this.columns = [];
    /** @type {Record<string, number>} what the user has made of the widths */
    this.widths = {};
    this.nameRoom = MIN_NAME_WIDTH; // pixels that names keep
    this.active = 0; // row
    this.cell = -1; // column of the active cell, -1 for the row as a whole
    /** @type {Key | null} */
    this.selected = null;
    this.typed = ""; // letters typed ahead, and when the last of them was
    this.typedAt = 0;
    /** @type {Map<number, HTMLElement>} */
    this._shown = new Map();
    this._id = uniqueId("grid");

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
    // More rows are in sight where the table has become higher.
    new ResizeObserver(() => this._draw()).observe(this.element);
    this.element.addEventListener("keydown", (event) => handleKey(this, event));
    this.body.addEventListener("click", (event) => this._clicked(event));
    this.body.addEventListener("dblclick", (event) => {
      const target = /** @type {Element} */ (event.target);
      const index = this._indexOf(target);
      if (index >= 0 && !target.closest("[data-action], .fw-twisty")) this.toggle(index);
    });
  }

  /** Work out the rows again, and draw them; the active row stays the same if it is still there. */
  rebuild() {
    const key = this.rows[this.active]?.key;
    this.update();
    const index = this.indexOfKey(this.selected ?? key);
    this.active = index >= 0 ? index : Math.min(this.active, Math.max(this.rows.length - 1, 0));
    this.refresh();
  }

  // --- drawing ----------------------------------------------------------------------------------

  /** Draw everything again: settings, columns or rows have changed. */
  refresh() {
    // Nobody sees it yet, and what fits is not known yet; `refresh` is called again then.
    if (!this.element.isConnected) return;
    this.element.style.setProperty("--fw-columns", this._template());
    this.element.style.setProperty("--fw-width", `${this._minimum()}px`);
    this.element.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.element.setAttribute("aria-colcount", String(this.columns.length + 1));
    this.body.style.height = `${Math.max(this.rows.length, 1) * ROW_HEIGHT}px`;
    this.element.style.height = `${this.wholeHeight}px`;
    this.header.draw();
    this._shown.forEach((element) => element.remove());
    this._shown.clear();
    this.body.classList.toggle("fw-nothing", this.rows.length === 0);
    this._draw();
  }

  /** The pixels that all rows take, and a bar to scroll sideways. */
  get wholeHeight() {
    return (Math.max(this.rows.length, 3) + 1.4) * ROW_HEIGHT + 6;
  }

  _template() {
    const first = this.widths.name ? `${this.widths.name}px` : `minmax(${this.nameRoom}px, 1fr)`;
    return [first, ...this.columns.map((name) => `${this.width(name)}px`)].join(" ");
  }

  _minimum() {
    return this.columns.reduce((sum, name) => sum + this.width(name), this.widths.name ?? this.nameRoom);
  }

  /**
   * The width of a column, in pixels.
   *
   * @param {string} name
   */
  width(name) {
    return this.widths[name] ?? columnWidth(this.source.run.metrics.inColumn(name));
  }

  _draw() {
    if (!this.element.isConnected) return;
    const { scrollTop, clientHeight } = this.element;
    const [from, to] = inSight(scrollTop, clientHeight, this.rows.length);
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

  /** @param {number} index */
  _rowElement(index) {
    const row = this.rows[index];
    const open = this.isOpen(row);
    const cells = [
      nameCell(row, open, this.settings),
      ...this.columns.map((name) => numberCell(row, name, this.settings)),
    ];
    cells.forEach((cell, column) => {
      cell.id = `${this._id}-${index}-${column}`;
      cell.setAttribute("aria-colindex", String(column + 1));
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
      element.setAttribute("aria-selected", String(selected));
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

  /**
   * Make a row the active and selected one, and bring it into sight.
   *
   * @param {number} index
   * @param {{ cell?: number, scroll?: boolean }} [options]
   */
  activate(index, { cell = this.cell, scroll = true } = {}) {
    if (!this.rows.length) return;
    this.active = Math.max(0, Math.min(index, this.rows.length - 1));
    this.cell = Math.min(cell, this.columns.length);
    if (scroll) this.scrollTo(this.active);
    const row = this.rows[this.active];
    const changed = row.key !== this.selected;
    this.selected = row.key;
    this._draw();
    if (changed) this.on.select(row);
  }

  /** @param {number} index */
  scrollTo(index) {
    const top = index * ROW_HEIGHT;
    const room = this.element.clientHeight - this.header.element.offsetHeight - ROW_HEIGHT;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top > this.element.scrollTop + room) this.element.scrollTop = top - room + 2;
    this.showColumn(this.cell);
  }

  /** @param {number} index of a column that is brought into sight */
  showColumn(index) {
    if (index > 0) this._scrollToCell(this.header.cells[index]);
  }

  /**
   * Scroll sideways; the names stay where they are, and may cover a cell.
   *
   * @param {HTMLElement | undefined} cell of the head
   */
  _scrollToCell(cell) {
    if (!cell) return;
    const first = this.header.cells[0].offsetWidth;
    const { offsetLeft: left, offsetWidth: width } = cell;
    const { scrollLeft, clientWidth } = this.element;
    if (left < scrollLeft + first) this.element.scrollLeft = left - first;
    else if (left + width > scrollLeft + clientWidth) this.element.scrollLeft = left + width - clientWidth;
  }

  /**
   * Open or close a row.
   *
   * @param {number} index
   */
  toggle(index) {
    const row = this.rows[index];
    if (!row.expandable) return;
    if (this.isOpen(row)) this.open.delete(row.key);
    else this.open.add(row.key);
    this.rebuild();
    this.on.toggle();
  }

  /** @param {Element} target */
  _indexOf(target) {
    const element = target.closest(".fw-row");
    return element ? Number(element.getAttribute("aria-rowindex")) - 2 : -1;
  }

  /** @param {MouseEvent} event */
  _clicked(event) {
    const target = /** @type {Element} */ (event.target);
    const index = this._indexOf(target);
    if (index < 0) return;
    this.element.focus({ preventScroll: true });
    const row = this.rows[index];
    if (target.closest(".fw-twisty") && row.expandable) {
      this.active = index;
      this.toggle(index);
    } else if (target.closest("[data-action=fold]")) {
      this.active = index;
      this.on.fold(row);
    } else {
      this.activate(index, { cell: -1, scroll: false });
    }
  }
}
