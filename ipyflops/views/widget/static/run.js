// The counted run, as the one message brings it: columns of the report's tables, and sums over them.

import { column, concatenated, grouped } from "./buffers.js";
import { Metrics } from "./metrics.js";
import { ModuleShapes } from "./module_shapes.js";

/** @import { Convention, Message } from "./message" */

export const PHASES = ["forward", "backward", "recompute", "optimizer"];
/** @type {Convention[]} */
export const CONVENTIONS = ["standard", "contractions", "article"];
/** @type {("root" | "module" | "code" | "optimizer" | "function")[]} */
const KINDS = ["root", "module", "code", "optimizer", "function"];

/**
 * @param {number} hash
 * @param {number} value
 */
export function mix(hash, value) {
  const mixed = Math.imul(hash ^ value ^ Math.floor(value / 4294967296), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/**
 * A run's tables. A measure names what is summed up over their rows, as "flops standard", "bytes" or
 * "seconds"; `measureOf` of metrics.js makes it. Times are summed up in nanoseconds.
 */
export class Run {
  /** @param {Message} packed */
  constructor(packed) {
    this.names = packed.names;
    this.headlines = packed.headlines;
    this.lines = packed.lines;
    this.columns = packed.tables;
    this.asked = packed.asked;
    this.shapes = new ModuleShapes(packed.shapes, packed.names);
    this.expressions = packed.signatures.text;
    this.exactValues = packed.signatures.exact;
    this.metrics = new Metrics(packed.columns, packed.bars);

    const { scopes, signatures, rows } = packed;
    this.parent = column(Int32Array, scopes.parent);
    this.nameIndex = column(Int32Array, scopes.name);
    this.typeIndex = column(Int32Array, scopes.type);
    this.kindIndex = column(Uint8Array, scopes.kind);
    this.calls = column(Float64Array, scopes.calls);
    this.parameters = column(Float64Array, scopes.parameters);
    this.instances = column(Float64Array, scopes.instances);
    this.size = this.parent.length;
    /** Of the memory of each place, by the key of the metric.
     *  @type {Map<string, Float64Array>} */
    this.held = new Map();
    for (const [key, data] of Object.entries(packed.held)) this.held.set(key, column(Float64Array, data));

    /** Of one call of each signature: FLOPs by convention, and bytes, MACs and so on.
     *  @type {Map<string, Float64Array>} */
    this._costs = new Map();
    for (const [name, data] of Object.entries(signatures.costs)) {
      this._costs.set(name, column(Float64Array, data));
    }
    this.summed = column(Uint8Array, signatures.summed);
    this._peakRate = column(Float64Array, signatures.peak); // FLOPS, 0 where no peak is known

    // What ran on the lines of methods ran in the scopes, too: those rows come after all others,
    // and belong to no scope and no line.
    const methods = (this.excerpts = packed.excerpts);
    const tables = [rows, ...methods];
    this.rowPhase = concatenated(Uint8Array, tables.map((table) => table.phase));
    this.rowSignature = concatenated(Int32Array, tables.map((table) => table.signature));
    this.rowCalls = concatenated(Float64Array, tables.map((table) => table.calls));
    this.rowNanoseconds = concatenated(Float64Array, tables.map((table) => table.nanoseconds));
    this.rowScope = new Int32Array(this.rowCalls.length).fill(-1);
    this.rowScope.set(column(Int32Array, rows.scope));
    this.rowLine = new Int32Array(this.rowCalls.length).fill(-1);
    this.rowLine.set(column(Int32Array, rows.line));
    this.rowCount = column(Int32Array, rows.scope).length; // without those of the methods
    this.rowReplicated = new Float64Array(this.rowCalls.length);
    this.rowReplicated.set(column(Float64Array, rows.replicated));
    this.methodNumbers = methods.map((one) => column(Int32Array, one.number));

    this._children = grouped(this.parent, this.size);
    this._sortNumbered();
    this._rows = grouped(this.rowScope, this.size);
    /** @type {Map<string, Float64Array>} */
    this._totals = new Map();
    /** @type {Map<string, number>} */
    this._wholes = new Map([...this.held].map(([key, values]) => [key, values[0]]));
    /** @type {Map<string, [Float64Array, Float64Array]>} */
    this._factorsOf = new Map();
    /** @type {Map<string, number> | null} */
    this._places = null;
    /** @type {Int32Array[] | null} */
    this._likeness = null;
  }

  // --- places -------------------------------------------------------------------------------

  /**
   * What places hold of memory together, by the key of the metric.
   *
   * @param {number[]} nodes
   */
  heldBy(nodes) {
    /** @type {Record<string, number>} */
    const held = {};
    for (const [key, values] of this.held) {
      held[key] = 0;
      for (const node of nodes) {
        // Siblings share the memory that was live, of which each tells the most.
        held[key] = key === "peak_bytes" ? Math.max(held[key], values[node]) : held[key] + values[node];
      }
    }
    return held;
  }

  /** @param {number} place */
  name(place) {
    return this.names[this.nameIndex[place]];
  }

  /** @param {number} place */
  type(place) {
    return this.names[this.typeIndex[place]];
  }

  /** @param {number} place */
  kind(place) {
    return KINDS[this.kindIndex[place]];
  }

  /** @param {number} place */
  childrenOf(place) {
    return this._children.order.subarray(
      this._children.start[place],
      this._children.start[place + 1],
    );
  }

  /** @param {number} place */
  rowsOf(place) {
    return this._rows.order.subarray(this._rows.start[place], this._rows.start[place + 1]);
  }

  /** @param {number} place */
  path(place) {
    const parts = [];
    for (let at = place; at > 0; at = this.parent[at]) parts.push(this.name(at));
    return parts.reduceRight((above, name) => (above ? `${above}.${name}` : name), "");
  }

  /**
   * The place at a path, or -1.
   *
   * @param {string} path
   * @returns {number}
   */
  placeAt(path) {
    if (path === "") return 0;
    if (!this._places) {
      const paths = new Array(this.size).fill("");
      this._places = new Map();
      for (let place = 1; place < this.size; place++) {
        const above = paths[this.parent[place]];
        paths[place] = above ? `${above}.${this.name(place)}` : this.name(place);
        if (!this._places.has(paths[place])) this._places.set(paths[place], place);
      }
    }
    return this._places.get(path) ?? -1;
  }

  /** Numbered children (of a list of modules) by number: 10 after 2. */
  _sortNumbered() {
    const numbers = this.names.map((name) => (/^\d+$/.test(name) ? Number(name) : -1));
    /** @param {number} place */
    const numberOf = (place) => numbers[this.nameIndex[place]];
    const { start } = this._children;
    for (let place = 0; place < this.size; place++) {
      if (start[place + 1] - start[place] < 2) continue;
      const children = this.childrenOf(place);
      if (children.every((child) => numberOf(child) >= 0)) {
        children.sort((a, b) => numberOf(a) - numberOf(b));
      }
    }
  }

  /** Two hashes for each place; equal where two places are alike in all but time. */
  get likeness() {
    if (!this._likeness) {
      this._likeness = [0x2545f491, 0x1b873593].map((seed) => this._hashes(seed));
    }
    return this._likeness;
  }

  /** @param {number} seed */
  _hashes(seed) {
    const hashes = new Int32Array(this.size);
    // By index: views of the two tables would be the greater part of the work.
    const { start: rowStart, order: rowOrder } = this._rows;
    const { start: childStart, order: childOrder } = this._children;
    for (let place = this.size - 1; place >= 0; place--) {
      let own = 0; // a sum, for the order of the rows says nothing
      for (let at = rowStart[place]; at < rowStart[place + 1]; at++) {
        const row = rowOrder[at];
        const call = mix(mix(seed, this.rowSignature[row]), this.rowPhase[row]);
        own = (own + mix(call, this.rowCalls[row])) | 0;
      }
      let hash = mix(mix(seed, own), this.typeIndex[place] * 4 + this.kindIndex[place]);
      hash = mix(mix(hash, this.calls[place]), this.parameters[place]);
      hash = mix(hash, this.instances[place]);
      for (const number of this.shapes.numbersOf(place)) hash = mix(hash, number);
      for (let at = childStart[place]; at < childStart[place + 1]; at++) {
        const child = childOrder[at];
        hash = mix(mix(hash, this.nameIndex[child]), hashes[child]);
      }
      hashes[place] = hash;
    }
    return hashes;
  }

  // --- sums ---------------------------------------------------------------------------------

  /**
   * FLOPs of a call of each signature.
   *
   * @param {string} convention one that says what standard says is not sent
   * @returns {Float64Array}
   */
  costs(convention) {
    return this._costs.get(convention) ?? this._cost("standard");
  }

  /**
   * @param {string} name
   * @returns {Float64Array}
   */
  _cost(name) {
    let cost = this._costs.get(name);
    if (!cost) {
      // Python leaves out what is zero for every signature.
      cost = new Float64Array(this.summed.length);
      this._costs.set(name, cost);
    }
    return cost;
  }

  /**
   * What is multiplied for each row: a column of the rows, and one of the signatures.
   *
   * @param {string} measure
   * @returns {[Float64Array, Float64Array]}
   */
  _factors(measure) {
    let factors = this._factorsOf.get(measure);
    if (!factors) {
      const [key, convention] = measure.split(" ");
      if (key === "flops") factors = [this.rowCalls, this.costs(convention)];
      else if (key === "replicated") factors = [this.rowReplicated, this.costs(convention)];
      else if (key === "peak_seconds") factors = [this.rowCalls, this._peakNanoseconds(convention)];
      else if (key === "activations") factors = [this._callsBefore(1), this._cost(key)];
      // In nanoseconds, of the phases before the recomputation, or with it.
      else if (key === "mfu_seconds") factors = [this._callsBefore(2), this._cost("products")];
      else if (key === "hfu_seconds") factors = [this._callsBefore(3), this._cost("products")];
      else factors = [this.rowCalls, this._cost(key)];
      this._factorsOf.set(measure, factors);
    }
    return factors;
  }

  /**
   * The calls of the rows of the first phases; those of the others are none.
   *
   * @param {number} phase
   */
  _callsBefore(phase) {
    return this.rowCalls.map((calls, row) => (this.rowPhase[row] < phase ? calls : 0));
  }

  /** @param {string} convention */
  _peakNanoseconds(convention) {
    return this.costs(convention).map((flops, signature) =>
      this._peakRate[signature] ? (1e9 * flops) / this._peakRate[signature] : 0);
  }

  /**
   * The number of a row of the report's table.
   *
   * @param {number} row
   * @param {string} measure
   * @returns {number}
   */
  amount(row, measure) {
    if (measure === "seconds") return this.rowNanoseconds[row];
    if (measure === "calls") return this.rowCalls[row];
    const signature = this.rowSignature[row];
    const [calls, cost] = this._factors(measure);
    const times = this.summed[signature] ? Math.sign(calls[row]) : calls[row];
    return cost[signature] * times;
  }

  /**
   * The numbers of all rows of the report's table.
   *
   * @param {string} measure
   * @returns {Float64Array}
   */
  _amounts(measure) {
    if (measure === "seconds") return this.rowNanoseconds;
    if (measure === "calls") return this.rowCalls;
    const [calls, cost] = this._factors(measure);
    const amounts = new Float64Array(calls.length);
    for (let row = 0; row < amounts.length; row++) {
      const signature = this.rowSignature[row];
      amounts[row] = cost[signature] * (this.summed[signature] ? Math.sign(calls[row]) : calls[row]);
    }
    return amounts;
  }

  /**
   * Sums by group and phase: four numbers for each group; a group below 0 is none.
   *
   * @param {Int32Array} groupOfRow
   * @param {number} groups
   * @param {string} measure
   */
  sums(groupOfRow, groups, measure) {
    const sums = new Float64Array(4 * groups);
    const amounts = this._amounts(measure);
    for (let row = 0; row < groupOfRow.length; row++) {
      const group = groupOfRow[row];
      if (group >= 0) sums[4 * group + this.rowPhase[row]] += amounts[row];
    }
    return sums;
  }

  /**
   * Sums by place and phase, what ran inside included.
   *
   * @param {string} measure
   * @returns {Float64Array}
   */
  totals(measure) {
    let totals = this._totals.get(measure);
    if (!totals) {
      totals = this.sums(this.rowScope, this.size, measure);
      for (let place = this.size - 1; place > 0; place--) {
        const above = 4 * this.parent[place];
        for (let phase = 0; phase < 4; phase++) totals[above + phase] += totals[4 * place + phase];
      }
      this._totals.set(measure, totals);
    }
    return totals;
  }

  /**
   * Whether anything ran in a place itself.
   *
   * @param {number} place
   */
  hasOwn(place) {
    return this._rows.start[place + 1] > this._rows.start[place];
  }

  /**
   * The sum of the whole run.
   *
   * @param {string} measure
   * @returns {number}
   */
  whole(measure) {
    let whole = this._wholes.get(measure);
    if (whole === undefined) {
      // Without the sums of the places, which take longer and may never be asked for.
      const amounts = this._amounts(measure).subarray(0, this.rowCount);
      whole = amounts.reduce((sum, amount) => sum + amount, 0);
      this._wholes.set(measure, whole);
    }
    return whole;
  }

  /**
   * The sum of the whole run in each phase.
   *
   * @param {string} measure
   */
  byPhase(measure) {
    const sums = [0, 0, 0, 0];
    const amounts = this._amounts(measure);
    for (let row = 0; row < this.rowCount; row++) sums[this.rowPhase[row]] += amounts[row];
    return sums;
  }

  /** @param {number} line */
  lineName(line) {
    if (line < 0) return "(unknown line)";
    const [file, number] = this.lines[line];
    return `${file}:${number}`;
  }
}
