// What the three tables share: rows, and the sums of a row.

/**
 * @import { Convention } from "./message"
 * @import { Run } from "./run.js"
 */

/**
 * What rows come from: the tree of modules, or a list of operators or lines.
 *
 * @typedef {object} Source
 * @property {Run} run
 * @property {string} query what is searched for, in lower case
 * @property {number} hits
 * @property {number} epoch another number as soon as other rows are to be shown
 * @property {() => Row[]} roots the first rows
 * @property {(row: Row) => Row[]} children
 * @property {(row: Row, measure: string) => ArrayLike<number>} phases four sums, one for each phase
 * @property {(row: Row) => number[]} items the rows of the report's table that a row stands for
 * @property {(query: string) => void} search
 * @property {(row: Row) => boolean} isHit
 * @property {() => Set<Key>} around the keys of all rows around a hit
 * @property {(place: number) => Key[]} reveal the keys that have to be open for a place to be seen
 * @property {(row: Row) => boolean} fold fold or unfold; gives whether anything changes
 * @property {((row: Row) => string)=} path
 * @property {((row: Row) => number[])=} signatures of an operator
 * @property {(row: Row, convention: Convention) => string} [summary] of a row that is no part of one run
 * @property {(row: Row, convention: Convention) => HTMLElement[]} [details] of such a row
 */

/** @typedef {number | string} Key equal for what is the same row later on */

/** A row that a table may show; `source` is the list or tree that it belongs to. */
export class Row {
  /**
   * @param {Source} source
   * @param {Partial<Row>} fields
   */
  constructor(source, fields) {
    this.source = source;
    /** @type {Key} */
    this.key = "";
    /** @type {Row | null} */
    this.parent = null;
    this.level = 0;
    this.kind = "";
    this.name = "";
    this.type = "";
    this.note = ""; // where its FLOPs stand, if not here
    this.status = ""; // of a place that is new or gone: added or removed
    this.repeats = 1;
    this.instances = 1; // modules of one name and class that each of its places stands for
    this.expandable = false;
    this.silent = false; // nothing ran: a line of source without operators
    this.calls = 0;
    this.parameters = 0;
    /** @type {Record<string, number>} of its memory */
    this.held = {};
    this.trainable = -1; // those of the parameters that are trained; -1 where that is not known
    /** @type {Record<string, string>} shapes, by the key of the metric */
    this.texts = {};
    this.position = 1;
    this.siblings = 1;
    /** @type {number[]} the places of the tree that it stands for */
    this.nodes = [];
    /** @type {[nodes: number[], repeats: number, runOf: number][]} what one row is enough for */
    this.folds = [];
    this.runOf = -1; // the first of the siblings that are alike and that could be folded
    this.group = -1; // in a list
    /** @type {"inner" | "outer"} */
    this.depth = "outer";
    this.number = 0; // of a line
    /** @type {Map<string, number> | null} */
    this._sums = null;
    /** @type {Inside | null} */
    this.inside = null;
    Object.assign(this, fields);
  }

  /**
   * Four numbers, one for each phase.
   *
   * @param {string} measure
   */
  phases(measure) {
    // Memory belongs to the place, and not to what ran in it.
    const held = this.held[measure];
    return held === undefined ? this.source.phases(this, measure) : [held, 0, 0, 0];
  }

  /**
   * The sum of all phases.
   *
   * @param {string} measure
   * @returns {number}
   */
  sum(measure) {
    this._sums ??= new Map();
    let sum = this._sums.get(measure);
    if (sum === undefined) {
      const parts = this.phases(measure);
      sum = parts[0] + parts[1] + parts[2] + parts[3];
      this._sums.set(measure, sum);
    }
    return sum;
  }
}

/** Numbers of a place that are no sums over what is inside it. */
const NO_SUMS = new Set(["peak_bytes", "parameter_bytes"]);

/**
 * What is of places themselves, without what is inside them: what they save, and their least times.
 *
 * @param {Run} run
 * @param {number[]} nodes
 * @returns {Record<string, number>}
 */
export function ownHeld(run, nodes) {
  /** @type {Record<string, number>} */
  const held = {};
  for (const [key, values] of run.held) {
    held[key] = 0;
    if (NO_SUMS.has(key)) continue;
    for (const node of nodes) {
      held[key] += values[node];
      for (const child of run.childrenOf(node)) held[key] -= values[child];
    }
    // What is left of fractions that add up to the whole is nothing.
    if (held[key] < 1e-12) held[key] = 0;
  }
  return held;
}

/**
 * The rows inside a row, as a grid keeps them until its source or its order changes.
 *
 * @typedef {object} Inside
 * @property {number} epoch of the source
 * @property {Row[]} unordered
 * @property {string | null} order
 * @property {Row[]} rows
 */
