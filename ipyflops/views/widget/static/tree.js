// The tree of modules as rows: siblings that are alike are folded into one.

import { Row } from "./rows.js";

const NUMBERED = /^(.*?)(\d{1,9})$/s;
const HIT = 1; // its own name or type is what is searched for
const HOLDS = 2; // it, or something inside, is
const INSIDE = 4; // it, or something around it, is

export class ModuleTree {
  constructor(run) {
    this.run = run;
    this.folding = true;
    this.unfolded = new Set(); // the first place of each run of siblings that is not folded
    this.query = "";
    this.hits = 0;
    this.epoch = 0; // another number as soon as other rows are to be shown
    this._flags = null;
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

  children(row) {
    if (row.kind === "own") return [];
    const rows = this._runs(row).map(([nodes, repeats, first]) => {
      const child = this._row(nodes, repeats, row);
      child.runOf = first;
      return child;
    });
    if (!this._flags && rows.length && row.nodes.some((node) => this.run.hasOwn(node))) {
      rows.push(this._own(row));
    }
    return rows;
  }

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

  /** The rows of the report's table that a row of this tree stands for. */
  items(row) {
    const found = [];
    const waiting = [...row.nodes];
    while (waiting.length) {
      const node = waiting.pop();
      for (const item of this.run.rowsOf(node)) found.push(item);
      if (row.kind !== "own") for (const child of this.run.childrenOf(node)) waiting.push(child);
    }
    return found;
  }

  /** The keys that have to be open for a place to be seen; a fold that hides it is unfolded. */
  reveal(place) {
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

  path(row) {
    return this.run.path(row.nodes[0]);
  }

  // --- search -------------------------------------------------------------------------------

  /** Show only what has the text in its name, type or path, and what is around and inside. */
  search(query) {
    this.epoch += 1;
    this.query = query;
    this.hits = 0;
    this._flags = null;
    if (!query) return;
    const { run } = this;
    const found = run.names.map((name) => name.toLowerCase().includes(query));
    const flags = (this._flags = new Uint8Array(run.size));
    for (let place = 1; place < run.size; place++) {
      const hit = found[run.nameIndex[place]] || found[run.typeIndex[place]] ||
        (query.includes(".") && run.path(place).toLowerCase().includes(query));
      if (hit) this.hits += 1;
      flags[place] = hit ? HIT | HOLDS | INSIDE : flags[run.parent[place]] & INSIDE;
    }
    for (let place = run.size - 1; place > 0; place--) {
      flags[run.parent[place]] |= flags[place] & HOLDS;
    }
  }

  isHit(row) {
    return this._flags !== null && (this._flags[row.nodes[0]] & HIT) !== 0;
  }

  /** The keys of all places around a hit. */
  around() {
    const keys = new Set();
    for (let place = 0; place < this.run.size; place++) {
      if (this._flags[place] & HIT) {
        for (let at = this.run.parent[place]; at >= 0 && !keys.has(at); at = this.run.parent[at]) {
          keys.add(at);
        }
      }
    }
    return keys;
  }

  // --- folding ------------------------------------------------------------------------------

  /** Children in runs of siblings that are alike: [places, siblings, first sibling]. */
  _runs(row) {
    const { run } = this;
    const lists = row.nodes.map((node) => run.childrenOf(node));
    const first = lists[0];
    const runs = [];
    let from = 0;
    while (from < first.length) {
      let to = from + 1;
      while (to < first.length && this._continues(first[to - 1], first[to])) to += 1;
      if (to - from > 1 && this.folding && !this.unfolded.has(first[from])) {
        this._add(runs, lists, from, to, -1);
      } else {
        const unfoldedRun = to - from > 1 && this.folding ? first[from] : -1;
        for (let at = from; at < to; at++) this._add(runs, lists, at, at + 1, unfoldedRun);
      }
      from = to;
    }
    return runs;
  }

  _add(runs, lists, from, to, unfoldedRun) {
    if (this._flags && !(this._flags[lists[0][from]] & (HOLDS | INSIDE))) return;
    const nodes = [];
    // The siblings of one parent first, so that the first and the last of them name the range.
    for (const list of lists) for (let at = from; at < to; at++) nodes.push(list[at]);
    runs.push([nodes, to - from, unfoldedRun]);
  }

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

  _firstOfRun(place) {
    if (!this.folding) return place;
    const siblings = this.run.childrenOf(this.run.parent[place]);
    let at = siblings.indexOf(place);
    while (at > 0 && this._continues(siblings[at - 1], siblings[at])) at -= 1;
    return siblings[at];
  }

  /** Unfold the siblings that a row stands for, or fold those that it is one of. */
  fold(row) {
    if (row.repeats > 1) this.unfolded.add(row.key);
    else if (row.runOf >= 0) this.unfolded.delete(row.runOf);
    else return false;
    this.epoch += 1;
    return true;
  }

  /** Whether siblings that are alike are folded at all. */
  setFolding(folding) {
    this.folding = folding;
    this.unfolded.clear();
    this.epoch += 1;
  }

  // --- rows ---------------------------------------------------------------------------------

  _row(nodes, repeats, parent) {
    const { run } = this;
    const place = nodes[0];
    const kind = run.kind(place);
    let name = run.name(place) || (kind === "root" ? "(all)" : "(no name)");
    if (repeats > 1) name = `${name} … ${run.name(nodes[repeats - 1])}`;
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
      name,
      type: kind === "code" ? (this._codeLines.get(run.name(place)) ?? "").trim() : run.type(place),
      calls,
      parameters,
      expandable: this._hasChildren(place),
    });
  }

  _hasChildren(place) {
    const children = this.run.childrenOf(place);
    if (!this._flags) return children.length > 0;
    return children.some((child) => this._flags[child] & (HOLDS | INSIDE));
  }

  _own(row) {
    return new Row(this, {
      key: `own ${row.key}`,
      parent: row,
      level: row.level + 1,
      kind: "own",
      nodes: row.nodes,
      name: row.kind === "root" ? "(outside modules)" : "(own work)",
    });
  }
}
