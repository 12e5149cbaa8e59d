// How high the table and the chart are: as one screen has room for, or as the user has made them.

import { make } from "./dom.js";

/** Pixels of the whole widget, as long as nobody makes it higher. */
const FIRST_SCREEN = 408;
const LEAST = 148; // of the table, whatever stands above it
const CHART = 200; // what a chart needs beside a table of few rows
const MOST = 4000;
const STEP = 48;

/** The handle below the table, and the height that it sets. */
export class Height {
  /**
   * @param {object} given
   * @param {HTMLElement} given.root
   * @param {HTMLElement} given.panel the table
   * @param {() => number} given.rest pixels of what is not there at first, as open details
   * @param {() => boolean} given.beside whether the chart is beside the table
   * @param {() => number} given.table pixels that all rows of the table take
   * @param {() => number | null} given.get what the user has chosen
   * @param {(height: number | null) => void} given.set
   */
  constructor({ root, panel, rest, beside, table, get, set }) {
    this.root = root;
    this.panel = panel;
    this.rest = rest;
    this.beside = beside;
    this.table = table;
    this.get = get;
    this.set = set;
    this.pixels = 0;
    this.handle = make("div", {
      class: "fw-handle", role: "separator", tabIndex: -1, "aria-orientation": "horizontal",
      "aria-label": "Height of the table", "aria-valuemin": LEAST, "aria-valuemax": MOST,
      title: "Drag to make the table higher; double-click for the first height again",
    });
    this.handle.addEventListener("pointerdown", (event) => this._drag(event));
    this.handle.addEventListener("dblclick", () => this.choose(null));
    this.handle.addEventListener("keydown", (event) => {
      const step = { ArrowDown: STEP, ArrowUp: -STEP }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.choose(this.pixels + step);
    });
  }

  /** Show the height that is right now; gives whether it is another one. */
  apply() {
    const before = this.pixels;
    this._show(this.get() ?? this._first());
    return before !== this.pixels;
  }

  _first() {
    const others = this.root.offsetHeight - this.panel.offsetHeight - this.rest();
    const room = Math.max(LEAST, FIRST_SCREEN - others);
    return Math.min(room, Math.max(this.table(), this.beside() ? CHART : 0));
  }

  /** @param {number} pixels */
  _show(pixels) {
    this.pixels = Math.round(Math.min(pixels, MOST));
    this.root.style.setProperty("--fw-height", `${this.pixels}px`);
    this.handle.setAttribute("aria-valuenow", String(this.pixels));
  }

  /** @param {number | null} pixels null for what fits on a screen */
  choose(pixels) {
    this.set(pixels === null ? null : Math.round(Math.max(LEAST, Math.min(pixels, MOST))));
  }

  /** All rows of the table. */
  chooseAll() {
    this.choose(Math.max(this.table(), CHART));
  }

  /** @param {PointerEvent} event */
  _drag(event) {
    event.preventDefault();
    this.handle.setPointerCapture(event.pointerId);
    const start = event.clientY;
    const before = this.pixels;
    /** @param {PointerEvent} moved */
    const move = (moved) => this._show(Math.max(LEAST, before + moved.clientY - start));
    this.handle.addEventListener("pointermove", move);
    this.handle.addEventListener("lostpointercapture", () => {
      this.handle.removeEventListener("pointermove", move);
      if (this.pixels !== before) this.choose(this.pixels);
    }, { once: true });
  }
}
