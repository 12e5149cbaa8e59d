// The counted run, as the one message brings it: columns of the report's tables, and sums over them.

export const PHASES = ["forward", "backward", "recompute", "optimizer"];
export const CONVENTIONS = ["standard", "contractions", "article"];
const KINDS = ["root", "module", "code", "optimizer"];

/** A typed array of its own over what arrived; buffers come unaligned, and of several kinds. */
function column(Type, data) {
  if (!data) return new Type(0);
  const bytes = ArrayBuffer.isView(data)
    ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
    : data.slice(0);
  return new Type(bytes);
}

/** Several columns as one. */
function concatenated(Type, parts) {
  const columns = parts.map((part) => column(Type, part));
  const whole = new Type(columns.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of columns) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/** Where the items of each group stand in `order`, groups one after the other. */
function grouped(groups, count) {
  const start = new Int32Array(count + 1);
  for (const group of groups) if (group >= 0) start[group + 1]++;
  for (let i = 0; i < count; i++) start[i + 1] += start[i];
  const next = start.slice(0, count);
  const order = new Int32Array(start[count]);
  groups.forEach((group, item) => {
    if (group >= 0) order[next[group]++] = item;
  });
  return { start, order };
}

const REPLICATED = "replicated ";

/** The measure of the FLOPs that another rank had computed already. */
export function replicated(convention) {
  return REPLICATED + convention;
}

/** The measure of the time that FLOPs would take at the peak. */
export function peakTime(convention) {
  return `peak ${convention}`;
}

function mix(hash, value) {
  const mixed = Math.imul(hash ^ value ^ Math.floor(value / 4294967296), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** A run's tables. `measure` names a column of numbers: a convention, macs, bytes, …, or the
 *  nanoseconds that the FLOPs would take at the peak, as "peak standard". */
export class Run {
  constructor(packed) {
    this.names = packed.names;
    this.headlines = packed.headlines;
    this.lines = packed.lines;
    this.expressions = packed.signatures.text;
    this.exactValues = packed.signatures.exact;

    const { scopes, signatures, rows } = packed;
    this.parent = column(Int32Array, scopes.parent);
    this.nameIndex = column(Int32Array, scopes.name);
    this.typeIndex = column(Int32Array, scopes.type);
    this.kindIndex = column(Uint8Array, scopes.kind);
    this.calls = column(Float64Array, scopes.calls);
    this.parameters = column(Float64Array, scopes.parameters);
    this.size = this.parent.length;

    this.cost = {};
    for (const name of [...CONVENTIONS, "macs", "integer", "bytes"]) {
      this.cost[name] = column(Float64Array, signatures[name] ?? signatures.standard);
    }
    this.cost.communicated = signatures.communicated
      ? column(Float64Array, signatures.communicated)
      : new Float64Array(this.cost.standard.length);
    this.summed = column(Uint8Array, signatures.summed);
    this.peakRate = column(Float64Array, signatures.peak); // FLOPS, 0 where no peak is known
    this.hasPeak = this.peakRate.some((rate) => rate > 0);
    for (const name of this.hasPeak ? CONVENTIONS : []) {
      this.cost[peakTime(name)] = this.cost[name].map((flops, signature) =>
        this.peakRate[signature] ? (1e9 * flops) / this.peakRate[signature] : 0);
    }

    // What ran on the lines of methods ran in the scopes, too: those rows come after all others,
    // and belong to no scope and no line.
    const methods = (this.excerpts = packed.excerpts ?? []);
    const joined = (Type, name) => concatenated(Type, [rows[name], ...methods.map((one) => one[name])]);
    this.rowPhase = joined(Uint8Array, "phase");
    this.rowSignature = joined(Int32Array, "signature");
    this.rowCalls = joined(Float64Array, "calls");
    this.rowNanoseconds = joined(Float64Array, "nanoseconds");
    this.rowScope = new Int32Array(this.rowCalls.length).fill(-1);
    this.rowScope.set(column(Int32Array, rows.scope));
    this.rowLine = new Int32Array(this.rowCalls.length).fill(-1);
    this.rowLine.set(column(Int32Array, rows.line));
    this.rowCount = column(Int32Array, rows.scope).length; // without those of the methods
    this.rowReplicated = new Float64Array(this.rowCalls.length);
    this.rowReplicated.set(column(Float64Array, rows.replicated));
    this.hasReplicated = Boolean(rows.replicated);
    this.methodNumbers = methods.map((one) => column(Int32Array, one.number));

    this._children = grouped(this.parent, this.size);
    this._sortNumbered();
    this._rows = grouped(this.rowScope, this.size);
    this._sums = new Map();
    this._wholes = new Map();
  }

  // --- places -------------------------------------------------------------------------------

  name(place) {
    return this.names[this.nameIndex[place]];
  }

  type(place) {
    return this.names[this.typeIndex[place]];
  }

  kind(place) {
    return KINDS[this.kindIndex[place]];
  }

  childrenOf(place) {
    return this._children.order.subarray(
      this._children.start[place],
      this._children.start[place + 1],
    );
  }

  rowsOf(place) {
    return this._rows.order.subarray(this._rows.start[place], this._rows.start[place + 1]);
  }

  path(place) {
    const parts = [];
    for (let at = place; at > 0; at = this.parent[at]) parts.push(this.name(at));
    return parts.reverse().join(".");
  }

  /** The place at a path, or -1. */
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
      for (let at = childStart[place]; at < childStart[place + 1]; at++) {
        const child = childOrder[at];
        hash = mix(mix(hash, this.nameIndex[child]), hashes[child]);
      }
      hashes[place] = hash;
    }
    return hashes;
  }

  // --- sums ---------------------------------------------------------------------------------

  /** What is multiplied for each row: a column of the rows, and one of the signatures. */
  _factors(measure) {
    return measure.startsWith(REPLICATED)
      ? [this.rowReplicated, this.cost[measure.slice(REPLICATED.length)]]
      : [this.rowCalls, this.cost[measure]];
  }

  /** The number of a row of the report's table. */
  amount(row, measure) {
    if (measure === "nanoseconds") return this.rowNanoseconds[row];
    if (measure === "operators") return this.rowCalls[row];
    const signature = this.rowSignature[row];
    const [calls, cost] = this._factors(measure);
    const times = this.summed[signature] ? Math.sign(calls[row]) : calls[row];
    return cost[signature] * times;
  }

  /** The numbers of all rows of the report's table. */
  _amounts(measure) {
    if (measure === "nanoseconds") return this.rowNanoseconds;
    if (measure === "operators") return this.rowCalls;
    const [calls, cost] = this._factors(measure);
    const amounts = new Float64Array(calls.length);
    for (let row = 0; row < amounts.length; row++) {
      const signature = this.rowSignature[row];
      amounts[row] = cost[signature] * (this.summed[signature] ? Math.sign(calls[row]) : calls[row]);
    }
    return amounts;
  }

  /** Sums by group and phase: four numbers for each group; a group below 0 is none. */
  sums(groupOfRow, groups, measure) {
    const sums = new Float64Array(4 * groups);
    const amounts = this._amounts(measure);
    for (let row = 0; row < groupOfRow.length; row++) {
      const group = groupOfRow[row];
      if (group >= 0) sums[4 * group + this.rowPhase[row]] += amounts[row];
    }
    return sums;
  }

  /** Sums by place and phase, what ran inside included. */
  totals(measure) {
    let totals = this._sums.get(measure);
    if (!totals) {
      totals = this.sums(this.rowScope, this.size, measure);
      for (let place = this.size - 1; place > 0; place--) {
        const above = 4 * this.parent[place];
        for (let phase = 0; phase < 4; phase++) totals[above + phase] += totals[4 * place + phase];
      }
      this._sums.set(measure, totals);
    }
    return totals;
  }

  /** Whether anything ran in a place itself. */
  hasOwn(place) {
    return this._rows.start[place + 1] > this._rows.start[place];
  }

  /** The sum of the whole run. */
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

  lineName(line) {
    if (line < 0) return "(unknown line)";
    const [file, number] = this.lines[line];
    return `${file}:${number}`;
  }
}
