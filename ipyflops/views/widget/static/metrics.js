// The metrics as Python sends them from costs/metrics.py: how each is taken from sums, and written.

import { duration, exact, percent, scaled } from "./units.js";

/**
 * @import { Column, Convention } from "./message"
 * @import { Row } from "./rows.js"
 */

/** Calls below this are written with all digits, as in Python. */
const ALL_DIGITS = 100_000;
/** A smaller intensity is only said to be so. */
const LEAST_INTENSITY = 0.01;

/** These depend on the convention. */
const OF_CONVENTION = new Set(["flops", "replicated", "peak_seconds"]);

/**
 * What is summed up for a number of the totals: its key, and the convention where that matters.
 *
 * @param {string} key
 * @param {Convention} convention
 */
export function measureOf(key, convention) {
  return OF_CONVENTION.has(key) ? `${key} ${convention}` : key;
}

/**
 * A sum as the number of the totals: times are summed up in nanoseconds, which are whole numbers.
 *
 * @param {string} key
 * @param {number} sum
 */
function ofSum(key, sum) {
  return key.endsWith("seconds") ? sum / 1e9 : sum;
}

/**
 * The elements of the first shape in a text, as 1×64×112×112: what shapes are sorted by.
 *
 * @param {string} text
 */
function firstSize(text) {
  const [sizes] = text.split(",");
  return sizes.split("×").reduce((product, size) => product * Number(size), 1) || 0;
}

export class Metric {
  /**
   * @param {string} column its name as a column
   * @param {Column} message
   * @param {Metrics} all
   */
  constructor(column, message, all) {
    this.all = all;
    this.column = column;
    this.key = message.key;
    this.title = message.title;
    this.explanation = message.explanation;
    this.format = message.format;
    this.unit = message.unit ?? "";
    this.name = message.name ?? "";
    this.quantity = message.quantity ?? "";
    this.phrase = message.phrase ?? "";
    this.ratio = message.ratio ?? null;
    this.ofWhole = message.of_whole ?? false;
    this.ofPlace = message.of_place ?? false;
  }

  /**
   * Its number of a row.
   *
   * @param {Row} row
   * @param {Convention} convention
   * @returns {number} 0 where there is nothing to divide by
   */
  value(row, convention) {
    if (this.key === "flops_per_call") {
      return row.calls ? Math.floor(this.all.of("flops").value(row, convention) / row.calls) : 0;
    }
    if (this.key === "parameters") return row.parameters;
    if (this.key === "trainable") return Math.max(row.trainable, 0);
    if (this.key === "frozen") return row.trainable < 0 ? 0 : row.parameters - row.trainable;
    if (this.format === "text") return firstSize(row.texts[this.key] ?? "");
    if (this.ofPlace) return this.key === "module_calls" ? row.calls : (row.held[this.key] ?? 0);
    /** @param {string} key */
    const total = (key) => ofSum(key, row.sum(measureOf(key, convention)));
    if (!this.ratio) return total(this.key);
    const [divided, divisor] = this.ratio;
    const below = this.ofWhole
      ? ofSum(divisor, row.source.run.whole(measureOf(divisor, convention)))
      : total(divisor);
    return below ? total(divided) / below : 0;
  }

  /**
   * What is copied as a number, and what rows are sorted by. Of a share of the row's own number that
   * is what is shared: that a small place has 100 % is no news.
   *
   * @param {Row} row
   * @param {Convention} convention
   */
  sortValue(row, convention) {
    const shared = this._shared();
    return shared ? shared.value(row, convention) : this.value(row, convention);
  }

  /**
   * What rows are sorted by.
   *
   * @param {Row} row
   * @param {Convention} convention
   */
  orderValue(row, convention) {
    return this.sortValue(row, convention);
  }

  /** The metric that this one is a share of a row's own number of. */
  _shared() {
    return this.format === "share" && this.ratio && !this.ofWhole ? this.all.ofKey(this.ratio[0]) : undefined;
  }

  /**
   * How it stands in a column; nothing where it is zero, but for the FLOPs.
   *
   * @param {Row} row
   * @param {Convention} convention
   */
  text(row, convention) {
    if (this.format === "text") return row.texts[this.key] ?? "";
    const value = this.value(row, convention);
    return value || this.key === "flops" ? this.short(value) : "";
  }

  /**
   * A number as it stands in a column.
   *
   * @param {number} value
   */
  short(value) {
    return this._written(value, this.unit === "B" ? "B" : "");
  }

  /**
   * All digits, and what they count: the tooltip of a cell.
   *
   * @param {Row} row
   * @param {Convention} convention
   * @returns {string}
   */
  full(row, convention) {
    if (this.format === "text") return row.texts[this.key] ?? "";
    const shared = this._shared();
    if (shared) return shared.full(row, convention);
    const value = this.value(row, convention);
    if (this.format === "count") return `${exact(value)} ${this._named(value)}`;
    return `${this._written(value, this.unit)} ${this.phrase}`.trimEnd();
  }

  /**
   * A number with its unit.
   *
   * @param {number} value
   */
  long(value) {
    const text = this._written(value, this.unit);
    return this.format === "count" && !this.unit ? `${text} ${this._named(value)}` : text;
  }

  /**
   * What is counted: one call, two calls.
   *
   * @param {number} value
   */
  _named(value) {
    return value === 1 && !this.unit ? this.name.replace(/s$/, "") : this.name;
  }

  /**
   * A sum over rows with its unit, as `Row.sum` and `Row.phases` give it.
   *
   * @param {number} sum
   */
  longOfSum(sum) {
    return this.long(this.ofSum(sum));
  }

  /**
   * A sum over rows in the unit of the metric.
   *
   * @param {number} sum
   */
  ofSum(sum) {
    return ofSum(this.key, sum);
  }

  /**
   * @param {number} value
   * @param {string} unit
   */
  _written(value, unit) {
    if (this.phrase === "calls" && value >= 1000 && value < ALL_DIGITS) return exact(value);
    if (this.key === "intensity" && value > 0 && value < LEAST_INTENSITY) return `<${LEAST_INTENSITY}`;
    if (this.format === "share") return percent(value);
    if (this.format === "time") return duration(value);
    return scaled(value, unit, this.format === "count");
  }
}

/** All metrics, by the names of columns and by the keys of totals. */
export class Metrics {
  /**
   * @param {Record<string, Column>} columns
   * @param {string[]} bars keys of those that bars can show
   */
  constructor(columns, bars) {
    const all = Object.entries(columns).map(([column, message]) => new Metric(column, message, this));
    this._byColumn = new Map(all.map((metric) => [metric.column, metric]));
    this._byKey = new Map(all.map((metric) => [metric.key, metric]));
    this.bars = bars.map((key) => this.of(key));
  }

  /**
   * The metric of a column.
   *
   * @param {string} column
   */
  inColumn(column) {
    const metric = this._byColumn.get(column);
    if (!metric) throw new Error(`there is no column ${column}`);
    return metric;
  }

  /**
   * The metric with a key, if Python sends it.
   *
   * @param {string} key
   */
  ofKey(key) {
    return this._byKey.get(key);
  }

  /**
   * The metric with a key.
   *
   * @param {string} key
   */
  of(key) {
    const metric = this._byKey.get(key);
    if (!metric) throw new Error(`there is no metric ${key}`);
    return metric;
  }
}
