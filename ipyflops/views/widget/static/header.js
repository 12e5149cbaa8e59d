// The head of a table: titles that sort, and edges that resize.

import { make } from "./dom.js";

/** @import { Grid } from "./grid.js" */

const MIN_WIDTH = 44;
const STEP = 10;
/** The width of the names where there is no more room, and there is no narrow window. */
export const MIN_NAME_WIDTH = 190;

export class Header {
  /** @param {Grid} grid */
  constructor(grid) {
    this.grid = grid;
    /** @type {HTMLElement[]} */
    this.cells = [];
    this._drawn = "";
    this.row = make("div", { class: "fw-row fw-head-row", role: "row", "aria-rowindex": 1 });
    this.row.addEventListener("keydown", (event) => this._key(event));
    this.element = make("div", { class: "fw-head", role: "rowgroup" }, this.row);
  }

  /** Draw the titles; only the marks change while the columns stay, so that focus is kept. */
  draw() {
    const { grid } = this;
    const wanted = ["name", ...grid.columns].join();
    if (wanted !== this._drawn) {
      this._drawn = wanted;
      this.cells = ["name", ...grid.columns].map((name, index) => this._cell(name, index));
      this.row.replaceChildren(...this.cells);
    }
    ["name", ...grid.columns].forEach((name, index) => this._mark(name, this.cells[index]));
  }

  /**
   * @param {string} name of the column
   * @param {number} index
   */
  _cell(name, index) {
    const metric = name === "name" ? null : this.grid.source.run.metrics.inColumn(name);
    const title = metric?.title ?? this.grid.table.title;
    const button = make(
      "button",
      {
        class: "fw-sort", type: "button", tabIndex: -1,
        title: `${metric?.explanation ?? "Name and type"}. Click to sort; Shift and ← or → resize.`,
      },
      make("span", { class: "fw-title", textContent: title }),
      make("span", { class: "fw-arrow", "aria-hidden": "true" }),
    );
    button.addEventListener("click", () => this.grid.on.sort(name));
    const edge = make("span", {
      class: "fw-edge",
      role: "separator",
      tabIndex: -1,
      title: "Drag, or press ← and →, to resize",
      "aria-label": `Width of ${title}`,
      "aria-orientation": "vertical",
      "aria-valuemin": MIN_WIDTH,
      "aria-valuemax": 1000,
    });
    this._makeResizable(edge, name, index);
    // What is left of the room for the names is measured only when somebody asks.
    edge.addEventListener("focus", () => this._tellWidth(edge, this.cells[index].offsetWidth));
    const left = ["name", "share", "change"].includes(name) ? "" : " fw-right";
    return make(
      "div",
      { class: `fw-cell fw-head-cell${index ? left : " fw-first"}`, role: "columnheader", "aria-colindex": index + 1 },
      button,
      edge,
    );
  }

  /**
   * Put the focus on a title; it is left again by ArrowDown.
   *
   * @param {number} index of the column
   */
  focus(index) {
    const title = this.cells[index]?.querySelector("button");
    title?.focus({ preventScroll: true });
    this.grid.showColumn(index);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const { key, target, shiftKey } = event;
    const index = this.cells.findIndex((cell) => cell.firstChild === target);
    if (index < 0) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step && shiftKey) {
      this._resize(["name", ...this.grid.columns][index], this.cells[index].offsetWidth + STEP * step);
      this.focus(index);
    } else if (step) {
      this.focus(Math.max(0, Math.min(index + step, this.cells.length - 1)));
    } else if (key === "ArrowDown" || key === "Escape") {
      this.grid.element.focus({ preventScroll: true });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {string} name of the column
   * @param {number} width
   */
  _resize(name, width) {
    this.grid.widths[name] = Math.max(MIN_WIDTH, Math.min(1000, Math.round(width)));
    this.grid.refresh();
    this.grid.on.resize();
  }

  /**
   * @param {HTMLElement} edge
   * @param {number} width
   */
  _tellWidth(edge, width) {
    edge.setAttribute("aria-valuenow", String(width));
  }

  /**
   * @param {string} name of the column
   * @param {HTMLElement} cell
   */
  _mark(name, cell) {
    const { sort, settings } = this.grid;
    const direction = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
    cell.setAttribute("aria-sort", direction);
    const { title, arrow, edge } = this._parts(cell);
    arrow.textContent = { ascending: "▲", descending: "▼", none: "" }[direction];
    const nameWidth = this.grid.widths.name ?? MIN_NAME_WIDTH;
    this._tellWidth(edge, name === "name" ? nameWidth : this.grid.width(name));
    if (name === "share" || name === "change") title.textContent = `${name} of ${settings.bar.name}`;
  }

  /** @param {HTMLElement} cell */
  _parts(cell) {
    const [button, edge] = /** @type {HTMLElement[]} */ ([...cell.children]);
    const [title, arrow] = button.children;
    return { title, arrow, edge };
  }

  /**
   * @param {HTMLElement} edge
   * @param {string} name of the column
   * @param {number} index
   */
  _makeResizable(edge, name, index) {
    /** @param {number} width */
    const set = (width) => this._resize(name, width);
    edge.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      edge.setPointerCapture(event.pointerId);
      const start = event.clientX;
      const before = this.cells[index].offsetWidth;
      /** @param {PointerEvent} moved */
      const move = (moved) => set(before + moved.clientX - start);
      edge.addEventListener("pointermove", move);
      edge.addEventListener("lostpointercapture", () => edge.removeEventListener("pointermove", move), { once: true });
    });
    edge.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      set(this.cells[index].offsetWidth + step);
    });
  }
}
