// Operators with their shapes, as rows of two levels; and what they share with source lines.

import { Row } from "./rows.js";

/** Rows of the report's table, in groups; each group is part of a larger one. A row of the table
 *  whose inner group is below 0 is in none. */
export class Groups {
  constructor(run, innerOfRow, inner, outerOfInner, outer) {
    this.run = run;
    this.query = "";
    this.hits = 0;
    this.epoch = 0;
    const outerOfRow = innerOfRow.map((group) => (group < 0 ? -1 : outerOfInner[group]));
    this._ofRow = { inner: innerOfRow, outer: outerOfRow };
    this._count = { inner, outer };
    this._outerOfInner = outerOfInner;
    this._sums = new Map();
  }

  phases(row, measure) {
    const name = `${row.depth} ${measure}`;
    let sums = this._sums.get(name);
    if (!sums) {
      sums = this.run.sums(this._ofRow[row.depth], this._count[row.depth], measure);
      this._sums.set(name, sums);
    }
    return sums.subarray(4 * row.group, 4 * row.group + 4);
  }

  /** The rows of the report's table that a row of this list stands for. */
  items(row) {
    const found = [];
    this._ofRow[row.depth].forEach((group, item) => {
      if (group === row.group) found.push(item);
    });
    return found;
  }

  innerOf(outer) {
    const found = [];
    this._outerOfInner.forEach((group, inner) => {
      if (group === outer) found.push(inner);
    });
    return found;
  }

  children(row) {
    return row.depth === "outer" ? this.inside(row) : [];
  }

  search(query) {
    this.query = query;
    this.epoch += 1;
  }

  fold() {
    return false;
  }

  around() {
    return new Set();
  }

  isHit(row) {
    return this.query !== "" && this._matches(row);
  }

  _matches(row) {
    return `${row.name}\n${row.type}`.toLowerCase().includes(this.query);
  }

  /** Those of the rows that are searched for. */
  _found(rows) {
    const found = this.query ? rows.filter((row) => this._matches(row)) : rows;
    this.hits = found.length;
    return found;
  }

  reveal() {
    return [];
  }
}

export class OperatorList extends Groups {
  constructor(run) {
    const names = [];
    const indexOf = new Map();
    const operatorOf = Int32Array.from(run.expressions, ([operator]) => {
      if (!indexOf.has(operator)) {
        indexOf.set(operator, names.length);
        names.push(operator);
      }
      return indexOf.get(operator);
    });
    const signatureOf = run.rowSignature.map((signature, row) => (row < run.rowCount ? signature : -1));
    super(run, signatureOf, run.expressions.length, operatorOf, names.length);
    this._names = names;
    this._operatorOf = operatorOf;
  }

  roots() {
    const verdicts = this._names.map(() => new Set());
    this.run.expressions.forEach(([, , , verdict], signature) => {
      verdicts[this._operatorOf[signature]].add(verdict);
    });
    return this._found(this._names.map((name, group) =>
      new Row(this, {
        key: name,
        group,
        depth: "outer",
        kind: verdicts[group].has("unknown") ? "unknown" : "operator",
        name,
        type: verdictText(verdicts[group]),
        expandable: true,
      }),
    ));
  }

  inside(row) {
    return this.innerOf(row.group).map((group) => {
      const [, dtype, shapes, verdict] = this.run.expressions[group];
      return new Row(this, {
        key: `${row.name} ${group}`,
        group,
        depth: "inner",
        parent: row,
        level: 1,
        kind: verdict === "unknown" ? "unknown" : "signature",
        name: shapes || "no tensors",
        type: dtype,
      });
    });
  }
}

function verdictText(verdicts) {
  if (verdicts.has("unknown")) return verdicts.size > 1 ? "partly unknown" : "unknown";
  return verdicts.has("formula") ? "" : "free";
}
