// The columns of a difference: before, after, difference and ratio of what the bars show.

import { Metric, Metrics } from "./metrics.js";
import { exact, ratio, signed } from "./units.js";

/**
 * @import { Column } from "./message"
 * @import { Row } from "./rows.js"
 */

/** @typedef {"before" | "after" | "difference" | "ratio" | "change"} ChangeColumn */

/** @type {Record<ChangeColumn, string>} with the explanation of each */
const COLUMNS = {
  before: "What there was before",
  after: "What there is after",
  difference: "What there is after, less what there was before; sorted by how much that is, more or less",
  ratio: "What there is after, divided by what there was before",
  change: "What there is in both, and what is more or less",
};

class ChangeMetric extends Metric {
  /**
   * @param {ChangeColumn} column
   * @param {ChangeMetrics} all
   */
  constructor(column, all) {
    super(column, { key: column, title: column, explanation: COLUMNS[column], format: "count" }, all);
    this.which = column;
    this.ofChange = all;
  }

  /**
   * @override
   * @param {Row} row
   */
  value(row) {
    const { before, after } = this.ofChange.both(row);
    if (this.which === "before") return before;
    if (this.which === "after") return after;
    if (this.which !== "ratio") return after - before;
    return after / before;
  }

  /**
   * @override
   * @param {Row} row
   */
  orderValue(row) {
    const value = this.value(row);
    if (this.which === "ratio") return row.status === "added" ? Infinity : value || 0;
    return this.which === "difference" || this.which === "change" ? Math.abs(value) : value;
  }

  /**
   * @override
   * @param {Row} row
   */
  text(row) {
    const { status } = row;
    const { bar } = this.ofChange;
    if (this.which === "ratio") {
      if (status) return status;
      const value = this.value(row);
      return Number.isFinite(value) ? ratio(value) : "";
    }
    if (status === (this.which === "before" ? "added" : this.which === "after" ? "removed" : "-")) return "";
    const value = this.value(row);
    return this.which === "difference" ? signed(bar.short(value), value) : bar.short(value);
  }

  /**
   * @override
   * @param {Row} row
   */
  full(row) {
    const { bar } = this.ofChange;
    const { before, after } = this.ofChange.both(row);
    if (this.which === "ratio") return this.text(row);
    const value = this.value(row);
    const all = bar.format === "count" ? `${exact(value)} ${bar.name}` : bar.long(value);
    if (this.which === "before" || this.which === "after") return `${all} ${this.which}`;
    return `${signed(all, value)}: ${bar.long(before)} → ${bar.long(after)}`;
  }
}

export class ChangeMetrics extends Metrics {
  /**
   * @param {Record<string, Column>} columns
   * @param {string[]} bars
   */
  constructor(columns, bars) {
    super(columns, bars);
    /** What is compared. */
    this.bar = this.of("flops");
    const names = /** @type {ChangeColumn[]} */ (Object.keys(COLUMNS));
    this._ofChange = new Map(names.map((name) => [name, new ChangeMetric(name, this)]));
  }

  /**
   * What there was before and is after, in the unit of what is compared.
   *
   * @param {Row} row
   */
  both(row) {
    const [before, after] = Array.from(row.phases(""));
    return { before: this.bar.ofSum(before), after: this.bar.ofSum(after) };
  }

  /**
   * @override
   * @param {string} column
   */
  inColumn(column) {
    return this._ofChange.get(/** @type {ChangeColumn} */ (column)) ?? super.inColumn(column);
  }
}
