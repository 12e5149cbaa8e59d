// Which rows a table shows, and in which order: those inside of what is open. Nothing is drawn here.

import { Row } from "./rows.js";

/**
 * @import { Settings } from "./cells.js"
 * @import { Key, Source } from "./rows.js"
 */

const NAMES = new Intl.Collator("en", { numeric: true });

export class OpenRows {
  /**
   * @param {Source} source
   * @param {Settings} settings
   */
  constructor(source, settings) {
    this.source = source;
    this.settings = settings;
    /** @type {Set<Key>} */
    this.open = new Set();
    this.sort = ""; // a column, with - in front for the largest first; empty for the own order
    /** @type {Row[]} those shown, from top to bottom */
    this.rows = [];
    /** The first rows are inside of this one, which is never shown. */
    this._top = new Row(source, {});
  }

  /** @param {Row} row */
  isOpen(row) {
    return row.expandable && this.open.has(row.key);
  }

  /** @param {Key | null | undefined} key */
  indexOfKey(key) {
    return key === null || key === undefined ? -1 : this.rows.findIndex((row) => row.key === key);
  }

  /** Work out again which rows are shown. */
  update() {
    /** @type {Row[]} */
    const rows = [];
    const waiting = this._inside(this._top).slice().reverse();
    for (let row = waiting.pop(); row; row = waiting.pop()) {
      rows.push(row);
      if (!this.isOpen(row)) continue;
      const children = this._inside(row);
      for (let at = children.length - 1; at >= 0; at--) waiting.push(children[at]);
    }
    this.rows = rows;
  }

  /**
   * The rows inside a row, in order. They are kept until the source or the order changes.
   *
   * @param {Row} row
   */
  _inside(row) {
    const { source, settings, sort } = this;
    const order = sort && `${sort} ${settings.convention} ${settings.measure}`;
    let inside = row.inside;
    if (!inside || inside.epoch !== source.epoch) {
      const unordered = row === this._top ? source.roots() : source.children(row);
      inside = row.inside = { epoch: source.epoch, unordered, order: null, rows: unordered };
    }
    if (inside.order !== order) {
      inside.order = order;
      inside.rows = this._ordered(inside.unordered);
    }
    return inside.rows;
  }

  /** @param {Row[]} unordered */
  _ordered(unordered) {
    const rows = this.sort ? this._sorted(unordered) : unordered;
    rows.forEach((row, index) => {
      row.position = index + 1;
      row.siblings = rows.length;
    });
    return rows;
  }

  /** @param {Row[]} rows */
  _sorted(rows) {
    const sign = this.sort.startsWith("-") ? -1 : 1;
    const name = this.sort.replace(/^-/, "");
    if (name === "name") return rows.toSorted((a, b) => sign * NAMES.compare(a.name, b.name));
    const { convention, measure } = this.settings;
    const { metrics } = this.source.run;
    /** @type {(row: Row) => number} */
    const value = name === "share"
      ? (row) => row.sum(measure)
      : (row) => metrics.inColumn(name).orderValue(row, convention);
    return rows
      .map((row) => /** @type {const} */ ([value(row), row]))
      .sort(([a], [b]) => sign * (a - b))
      .map(([, row]) => row);
  }

  /**
   * Open so many levels, and close all below them.
   *
   * @param {number} levels
   */
  openLevels(levels) {
    this.open = new Set();
    let level = this._inside(this._top);
    for (let depth = 1; depth < levels && level.length; depth++) {
      /** @type {Row[]} */
      const inside = [];
      for (const row of level) {
        if (!row.expandable) continue;
        this.open.add(row.key);
        for (const child of this._inside(row)) inside.push(child);
      }
      level = inside;
    }
  }

  /**
   * Open the rows that weigh most, as long as at most so many rows are shown, and one at least.
   *
   * @param {number} count
   * @param {(row: Row) => number} weight 0 for what stays closed
   */
  openHeaviest(count, weight) {
    this.open = new Set();
    const waiting = this._inside(this._top).slice();
    let shown = waiting.length;
    // Where there is no room left, nobody looks through what may be a hundred thousand rows.
    while (!this.open.size || shown < count) {
      const wanted = waiting.filter((row) => row.expandable && weight(row) > 0);
      if (!wanted.length) return;
      const row = wanted.reduce((best, one) => (weight(one) > weight(best) ? one : best));
      waiting.splice(waiting.indexOf(row), 1);
      const inside = this._inside(row);
      if (this.open.size && shown + inside.length > count) continue;
      this.open.add(row.key);
      shown += inside.length;
      waiting.push(...inside);
    }
  }

  /**
   * Open as many levels as have at most so many rows together, two at least.
   *
   * @param {number} count
   */
  openFitting(count) {
    this.open = new Set();
    let level = this._inside(this._top);
    let shown = level.length;
    for (let depth = 0; level.length; depth++) {
      /** @type {Row[]} */
      const inside = [];
      for (const row of level) {
        if (row.expandable) for (const child of this._inside(row)) inside.push(child);
        // What does not fit is not looked at: it may be a hundred thousand rows.
        if (depth > 0 && shown + inside.length > count) return;
      }
      if (!inside.length) return;
      for (const row of level) if (row.expandable) this.open.add(row.key);
      shown += inside.length;
      level = inside;
    }
  }
}
