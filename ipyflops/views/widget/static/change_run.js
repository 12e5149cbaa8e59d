// Two runs against each other: the places of both trees as one tree, with the sums of before and after.

import { column } from "./buffers.js";
import { ChangeMetrics } from "./change_metrics.js";
import { mix, Run } from "./run.js";

/** @import { ChangeMessage, Message } from "./message" */

/** What two sums may differ by that were added up in another order. */
const ROUNDING = 1e-12;

/**
 * Whether two sums are the same number.
 *
 * @param {number} before
 * @param {number} after
 */
function same(before, after) {
  return Math.abs(after - before) <= ROUNDING * Math.max(Math.abs(before), Math.abs(after));
}

export class ChangedRun extends Run {
  /**
   * @param {ChangeMessage} packed
   * @param {Message} message of the run after
   * @param {Run} after the same, read
   */
  constructor(packed, message, after) {
    const { places, names } = packed;
    // No operator ran in these places: those of the two runs are asked.
    const nothing = new ArrayBuffer(0);
    super({
      ...message,
      names,
      scopes: { ...places, calls: nothing, parameters: nothing, instances: nothing },
      held: {},
      shapes: {},
      lines: [...packed.before.lines, ...message.lines],
      excerpts: [],
      rows: { scope: nothing, line: nothing, phase: nothing, signature: nothing, calls: nothing, nanoseconds: nothing },
      tables: { ...message.tables, change: ["before", "after", "difference", "ratio", "change"] },
      asked: [],
      headlines: packed.headlines,
    });
    this.before = new Run(packed.before);
    this.after = after;
    this.placeBefore = column(Int32Array, places.before);
    this.placeAfter = column(Int32Array, places.after);
    this.calls = new Float64Array(this.size);
    this.parameters = new Float64Array(this.size);
    this.instances = Float64Array.from(this.placeBefore, (before, place) =>
      Math.max(this.before.instances[before] ?? 1, after.instances[this.placeAfter[place]] ?? 1));
    this.metrics = new ChangeMetrics(message.columns, message.bars);
    this.measure = "";
    /** @type {Int32Array[] | null} */
    this._ofBoth = null;
    /** Of what is measured, of each place with what is inside it, and of each place alone. */
    this.totalsOf = { before: new Float64Array(0), after: new Float64Array(0) };
    this.own = { before: new Float64Array(0), after: new Float64Array(0) };
    /** Whether a place has changed, or anything inside it. */
    this.changed = new Uint8Array(0);
  }

  /**
   * Say what is compared.
   *
   * @param {string} measure
   */
  setMeasure(measure) {
    if (measure === this.measure) return;
    this.measure = measure;
    this.metrics.bar = this.metrics.of(measure.split(" ")[0]);
    const { before, after, placeBefore, placeAfter, size } = this;
    this.totalsOf = { before: sumsOf(before, placeBefore, measure), after: sumsOf(after, placeAfter, measure) };
    this.own = { before: this._alone(this.totalsOf.before), after: this._alone(this.totalsOf.after) };
    this.changed = new Uint8Array(size);
    for (let place = size - 1; place >= 0; place--) {
      const isOther = this.statusOf(place) !== "both" || this.differs(place) || this.hasOwn(place);
      if (isOther) this.changed[place] = 1;
      if (this.changed[place] && place > 0) this.changed[this.parent[place]] = 1;
    }
  }

  /**
   * What is left of each sum without what is inside.
   *
   * @param {Float64Array} sums
   */
  _alone(sums) {
    const own = sums.slice();
    for (let place = 1; place < this.size; place++) own[this.parent[place]] -= sums[place];
    // What is left of large numbers by rounding is nothing.
    return own.map((amount, place) => (same(sums[place], sums[place] - amount) ? 0 : amount));
  }

  /** @param {number} place */
  differs(place) {
    return !same(this.totalsOf.before[place], this.totalsOf.after[place]);
  }

  /**
   * Whether a place is new, gone, or was there before and after.
   *
   * @param {number} place
   * @returns {"added" | "removed" | "both"}
   */
  statusOf(place) {
    if (this.placeBefore[place] < 0) return "added";
    return this.placeAfter[place] < 0 ? "removed" : "both";
  }

  /**
   * Whether what ran in a place itself has changed; what has not needs no row.
   *
   * @override
   * @param {number} place
   */
  hasOwn(place) {
    return !same(this.own.before[place], this.own.after[place]);
  }

  /**
   * Equal where two places are alike before and after.
   *
   * @override
   */
  get likeness() {
    if (!this._ofBoth) {
      const { before, after, placeBefore, placeAfter } = this;
      this._ofBoth = [0, 1].map((which) => Int32Array.from(placeBefore, (was, place) =>
        mix(mix(which, before.likeness[which][was] ?? 0), after.likeness[which][placeAfter[place]] ?? 0)));
    }
    return this._ofBoth;
  }
}

/**
 * The sum of each place in one of the runs; 0 where it is not there.
 *
 * @param {Run} run
 * @param {Int32Array} placeIn
 * @param {string} measure
 */
function sumsOf(run, placeIn, measure) {
  const totals = run.totals(measure);
  return Float64Array.from(placeIn, (place) =>
    (place < 0 ? 0 : totals[4 * place] + totals[4 * place + 1] + totals[4 * place + 2] + totals[4 * place + 3]));
}
