// The tree of modules as rows: siblings that are alike are folded into one.

import { isQuiet, linesOfBackwardPasses, onlyChildren, startedBackward, sumOf } from "./quiet_places.js";
import { ownHeld, Row } from "./rows.js";

/**
 * @import { Key, Source } from "./rows.js"
 * @import { Run } from "./run.js"
 */

/**
 * Siblings that are one row: their places, how many siblings they are of each parent, and the first
 * of the siblings that are alike where they could be folded (-1 where not).
 *
 * @typedef {[nodes: number[], repeats: number, runOf: number]} Fold
 */

const NUMBERED = /^(.*?)(\d{1,9})$/s;
const HIT = 1; // its own name or type is what is searched for
const HOLDS = 2; // it, or something inside, is
const INSIDE = 4; // it, or something around it, is

/** @implements {Source} */
export class ModuleTree {
  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    this.folding = true;
    /** @type {Set<Key>} */
    this.unfolded = new Set(); // the first place of each run of siblings that is not folded
    this.query = "";
    this.hits = 0;
    this.epoch = 0; // another number as soon as other rows are to be shown
    /** @type {Uint8Array | null} HIT, HOLDS and INSIDE of each place, during a search */
    this._flags = null;
    this._withBackward = linesOfBackwardPasses(run);
    this._codeLines = new Map(run.lines.map(([file, number, text]) => [`${file}:${number}`, text]));
  }

  /** The first rows: the whole run, or the one outermost module where nothing ran beside it. */
  roots() {
    const children = this.run.childrenOf(0);
    const alone = children.length === 1 && !this.run.hasOwn(0);
    const row = this._row([alone ? children[0] : 0], 1, null);
    row.position = row.siblings = 1;
    return [row];
  }

  /**
   * @param {Row} row
   * @returns {Row[]}
   */
  children(row) {
    if (row.kind === "own") return [];
    const folds = row.kind === "quiet" ? row.folds : this._folds(row);
    const put = row.kind === "quiet" ? [] : this._quiet(folds);
    const rows = folds.filter((fold) => !put.includes(fold)).map(([nodes, repeats, runOf]) => {
      const child = this._row(nodes, repeats, row);
      child.runOf = runOf;
      return child;
    });
    if (row.kind === "quiet") return rows;
    if (put.length) rows.push(this._together(row, put));
    if (!this._flags && rows.length && row.nodes.some((node) => this.run.hasOwn(node))) {
      rows.push(this._own(row));
    }
    return rows;
  }

  /**
   * @param {Row} row
   * @param {string} measure
   */
  phases(row, measure) {
    const sum = [0, 0, 0, 0];
    if (row.kind === "own") {
      for (const node of row.nodes) {
        for (const item of this.run.rowsOf(node)) {
          sum[this.run.rowPhase[item]] += this.run.amount(item, measure);
        }
      }
      return sum;
    }
    const totals = this.run.totals(measure);
    for (const node of row.nodes) {
      for (let phase = 0; phase < 4; phase++) sum[phase] += totals[4 * node + phase];
    }
    return sum;
  }

  /** @param {Row} row */
  items(row) {
    /** @type {number[]} */
    const items = [];
    const waiting = [...row.nodes];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const item of this.run.rowsOf(node)) items.push(item);
      if (row.kind !== "own") for (const child of this.run.childrenOf(node)) waiting.push(child);
    }
    return items;
  }

  /**
   * The keys that have to be open for a place to be seen; a fold that hides it is unfolded.
   *
   * @param {number} place
   */
  reveal(place) {
    /** @type {Key[]} */
    const keys = [];
    for (let at = place; at > 0; at = this.run.parent[at]) {
      const first = this._firstOfRun(at);
      if (first !== at && !this.unfolded.has(first)) {
        this.unfolded.add(first);
        this.epoch += 1;
      }
      if (at !== place) keys.push(at);
    }
    keys.push(0);
    return keys;
  }

  /**
   * Those for which one row is enough: several without FLOPs that take no time that matters.
   *
   * @param {Fold[]} folds
   */
  _quiet(folds) {
    if (this._flags || !this.folding) return [];
    const quiet = folds.filter(([nodes]) => nodes.every((node) => isQuiet(this.run, node, this._withBackward)));
    return quiet.length > 1 && quiet.length < folds.length ? quiet : [];
  }

  /**
   * The row of those for which one is enough.
   *
   * @param {Row} row
   * @param {Fold[]} folds
   */
  _together(row, folds) {
    const nodes = folds.flatMap(([places]) => places);
    const hasFlops = nodes.some((node) => sumOf(this.run, node, "flops standard"));
    return new Row(this, {
      key: `quiet ${row.key}`,
      parent: row,
      level: row.level + 1,
      kind: "quiet",
      nodes,
      folds,
      name: `${nodes.length.toLocaleString("en")} rows ${hasFlops ? "with few" : "without"} FLOPs`,
      expandable: true,
    });
  }

  /** @param {Row} row */
  path(row) {
    return this.run.path(row.nodes[0]);
  }

  // --- search -------------------------------------------------------------------------------

  /**
   * Show only what has the text in its name, type or path, and what is around and inside.
   *
   * @param {string} query
   */
  search(query) {
    this.epoch += 1;
    this.query = query;
    this.hits = 0;
    this._flags = null;
    if (!query) return;
    const { run } = this;
    const isWanted = run.names.map((name) => name.toLowerCase().includes(query));
    const flags = (this._flags = new Uint8Array(run.size));
    for (let place = 1; place < run.size; place++) {
      const hit = isWanted[run.nameIndex[place]] || isWanted[run.typeIndex[place]] ||
        (query.includes(".") && run.path(place).toLowerCase().includes(query));
      if (hit) this.hits += 1;
      flags[place] = hit ? HIT | HOLDS | INSIDE : flags[run.parent[place]] & INSIDE;
    }
    for (let place = run.size - 1; place > 0; place--) {
      flags[run.parent[place]] |= flags[place] & HOLDS;
    }
  }

  /** @param {Row} row */
  isHit(row) {
    return this._flags !== null && (this._flags[row.nodes[0]] & HIT) !== 0;
  }

  around() {
    /** @type {Set<Key>} */
    const keys = new Set();
    this._flags?.forEach((flags, place) => {
      if (!(flags & HIT)) return;
      for (let at = this.run.parent[place]; at >= 0 && !keys.has(at); at = this.run.parent[at]) {
        keys.add(at);
      }
    });
    return keys;
  }

  // --- folding ------------------------------------------------------------------------------

  /**
   * The children of a row, those that are alike as one.
   *
   * @param {Row} row
   * @returns {Fold[]}
   */
  _folds(row) {
    const { run } = this;
    const lists = row.nodes.map((node) => run.childrenOf(node));
    const first = lists[0];
    /** @type {Fold[]} */
    const folds = [];
    let from = 0;
    while (from < first.length) {
      let to = from + 1;
      while (to < first.length && this._continues(first[to - 1], first[to])) to += 1;
      if (to - from > 1 && this.folding && !this.unfolded.has(first[from])) {
        this._add(folds, lists, from, to, -1);
      } else {
        const runOf = to - from > 1 && this.folding ? first[from] : -1;
        for (let at = from; at < to; at++) this._add(folds, lists, at, at + 1, runOf);
      }
      from = to;
    }
    return folds;
  }

  /**
   * Add the siblings from one position to another, unless a search hides them.
   *
   * @param {Fold[]} folds
   * @param {Int32Array[]} lists the children of each place that the parent's row stands for
   * @param {number} from
   * @param {number} to
   * @param {number} runOf
   */
  _add(folds, lists, from, to, runOf) {
    if (this._flags && !(this._flags[lists[0][from]] & (HOLDS | INSIDE))) return;
    const nodes = [];
    // The siblings of one parent first, so that the first and the last of them name the range.
    for (const list of lists) for (let at = from; at < to; at++) nodes.push(list[at]);
    folds.push([nodes, to - from, runOf]);
  }

  /**
   * Whether a place goes on with what its sibling before it is: alike, and the next number.
   *
   * @param {number} before
   * @param {number} place
   */
  _continues(before, place) {
    const { run } = this;
    const [high, low] = run.likeness;
    if (high[before] !== high[place] || low[before] !== low[place]) return false;
    if (run.kind(place) !== "module") return false;
    if (this._flags && this._flags[before] !== this._flags[place]) return false;
    const first = NUMBERED.exec(run.name(before));
    const second = NUMBERED.exec(run.name(place));
    return !!first && !!second && first[1] === second[1] && Number(second[2]) === Number(first[2]) + 1;
  }

  /**
   * The first of the siblings that are alike.
   *
   * @param {number} place
   */
  _firstOfRun(place) {
    if (!this.folding) return place;
    const siblings = this.run.childrenOf(this.run.parent[place]);
    let at = siblings.indexOf(place);
    while (at > 0 && this._continues(siblings[at - 1], siblings[at])) at -= 1;
    return siblings[at];
  }

  /**
   * Unfold the siblings that a row stands for, or fold those that it is one of.
   *
   * @param {Row} row
   */
  fold(row) {
    if (row.repeats > 1) this.unfolded.add(row.key);
    else if (row.runOf >= 0) this.unfolded.delete(row.runOf);
    else return false;
    this.epoch += 1;
    return true;
  }

  /**
   * Say whether siblings that are alike are folded at all.
   *
   * @param {boolean} folding
   */
  setFolding(folding) {
    this.folding = folding;
    this.unfolded.clear();
    this.epoch += 1;
  }

  // --- rows ---------------------------------------------------------------------------------

  /**
   * The row of places that are alike, outside of any table.
   *
   * @param {number[]} nodes
   */
  rowOf(nodes) {
    return this._row(nodes, 1, null);
  }

  /**
   * The row of some places.
   *
   * @param {number[]} nodes
   * @param {number} repeats
   * @param {Row | null} parent
   * @returns {Row}
   */
  _row(nodes, repeats, parent) {
    const { run } = this;
    const inner = parent && (parent.kind !== "root" || run.kind(nodes[0]) === "function");
    const joins = inner && repeats === 1 && !this._flags && this.folding;
    const above = joins ? onlyChildren(run, nodes) : [];
    const place = nodes[0];
    const kind = run.kind(place);
    let name = run.name(place) || (kind === "root" ? "(all)" : "(no name)");
    if (repeats > 1) name = `${name} … ${run.name(nodes[repeats - 1])}`;
    if (above.length) name = [...above, name].join(".");
    let calls = 0;
    let parameters = 0;
    for (const node of nodes) {
      calls += run.calls[node];
      parameters += run.parameters[node];
    }
    return new Row(this, {
      key: place,
      parent,
      level: parent ? parent.level + 1 : 0,
      kind,
      nodes,
      repeats,
      instances: run.instances[place],
      name,
      type: kind === "code" ? (this._codeLines.get(run.name(place)) ?? "").trim() : run.type(place),
      note: this._noteOf(place),
      calls,
      parameters,
      held: run.heldBy(nodes),
      trainable: run.shapes.trainableIn(nodes),
      texts: run.shapes.textsOf(place),
      expandable: this._hasChildren(place),
    });
  }

  /**
   * Where the FLOPs of the backward pass are that a line or function has started.
   *
   * @param {number} place
   */
  _noteOf(place) {
    if (!startedBackward(this.run, place, this._withBackward)) return "";
    // Such a function divides the loss, say: that is not the backward pass.
    const isWhole = this.run.kind(place) !== "function" && sumOf(this.run, place, "flops standard") > 0;
    return isWhole ? "" : "counted in the modules";
  }

  /** @param {number} place */
  _hasChildren(place) {
    const children = this.run.childrenOf(place);
    const flags = this._flags;
    if (!flags) return children.length > 0;
    return children.some((child) => (flags[child] & (HOLDS | INSIDE)) !== 0);
  }

  /**
   * The row of what ran in the places of a row and not inside of their children.
   *
   * @param {Row} row
   */
  _own(row) {
    return new Row(this, {
      key: `own ${row.key}`,
      parent: row,
      level: row.level + 1,
      kind: "own",
      nodes: row.nodes,
      held: ownHeld(this.run, row.nodes),
      name: row.kind === "root" ? "(outside modules)" : "(own work)",
    });
  }
}
