// Operators with their shapes, as rows of two levels; and what they share with source lines.

import { Row } from "./rows.js";

/**
 * @import { Verdict } from "./message"
 * @import { Key, Source } from "./rows.js"
 * @import { Run } from "./run.js"
 */

/**
 * Rows of the report's table, in groups; each group is part of a larger one.
 *
 * @implements {Source}
 */
export class Groups {
  /**
   * @param {Run} run
   * @param {Int32Array} innerOfRow the inner group of each row of the report's table; below 0 for none
   * @param {number} inner how many inner groups there are
   * @param {Int32Array} outerOfInner
   * @param {number} outer how many outer groups there are
   */
  constructor(run, innerOfRow, inner, outerOfInner, outer) {
    this.run = run;
    this.query = "";
    this.hits = 0;
    this.epoch = 0;
    const outerOfRow = innerOfRow.map((group) => (group < 0 ? -1 : outerOfInner[group]));
    this._ofRow = { inner: innerOfRow, outer: outerOfRow };
    this._count = { inner, outer };
    /** @type {Map<string, Float64Array>} */
    this._sums = new Map();
  }

  /**
   * @param {Row} row
   * @param {string} measure
   */
  phases(row, measure) {
    const name = `${row.depth} ${measure}`;
    let sums = this._sums.get(name);
    if (!sums) {
      sums = this.run.sums(this._ofRow[row.depth], this._count[row.depth], measure);
      this._sums.set(name, sums);
    }
    return sums.subarray(4 * row.group, 4 * row.group + 4);
  }

  /** @param {Row} row */
  items(row) {
    return indicesOf(this._ofRow[row.depth], row.group);
  }

  /** @returns {Row[]} */
  roots() {
    throw new Error("each list has its own");
  }

  /** @param {Row} row */
  children(row) {
    return row.depth === "outer" ? this.inside(row) : [];
  }

  /**
   * The rows of the inner groups of an outer one.
   *
   * @param {Row} _row
   * @returns {Row[]}
   */
  inside(_row) {
    throw new Error("each list has its own");
  }

  /** @param {string} query */
  search(query) {
    this.query = query;
    this.epoch += 1;
  }

  fold() {
    return false;
  }

  /** @returns {Set<Key>} */
  around() {
    return new Set();
  }

  /** @param {Row} row */
  isHit(row) {
    return this.query !== "" && this.matches(row);
  }

  /** @param {Row} row */
  matches(row) {
    return `${row.name}\n${row.type}`.toLowerCase().includes(this.query);
  }

  /**
   * Those of the rows that are searched for.
   *
   * @param {Row[]} rows
   */
  filtered(rows) {
    const hits = this.query ? rows.filter((row) => this.matches(row)) : rows;
    this.hits = hits.length;
    return hits;
  }

  /** @returns {Key[]} */
  reveal() {
    return [];
  }
}

/**
 * @param {Int32Array} groups
 * @param {number} wanted
 */
function indicesOf(groups, wanted) {
  /** @type {number[]} */
  const indices = [];
  groups.forEach((group, index) => {
    if (group === wanted) indices.push(index);
  });
  return indices;
}

export class OperatorList extends Groups {
  /** @param {Run} run */
  constructor(run) {
    const operators = run.expressions.map(([operator]) => operator);
    const names = [...new Set(operators)];
    const indexOf = new Map(names.map((name, index) => [name, index]));
    const operatorOf = Int32Array.from(operators, (operator) => indexOf.get(operator) ?? -1);
    const signatureOf = run.rowSignature.map((signature, row) => (row < run.rowCount ? signature : -1));
    super(run, signatureOf, run.expressions.length, operatorOf, names.length);
    this._names = names;
    this._operatorOf = operatorOf;
  }

  /** @override */
  roots() {
    /** @type {Set<Verdict>[]} */
    const verdicts = this._names.map(() => new Set());
    this.run.expressions.forEach(([, , , verdict], signature) => {
      verdicts[this._operatorOf[signature]].add(verdict);
    });
    return this.filtered(this._names.map((name, group) =>
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

  /**
   * The signatures that a row stands for.
   *
   * @param {Row} row
   */
  signatures(row) {
    return row.depth === "inner" ? [row.group] : indicesOf(this._operatorOf, row.group);
  }

  /**
   * @override
   * @param {Row} row
   */
  inside(row) {
    return indicesOf(this._operatorOf, row.group).map((group) => {
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

/** @param {Set<Verdict>} verdicts */
function verdictText(verdicts) {
  if (verdicts.has("unknown")) return verdicts.size > 1 ? "partly unknown" : "unknown";
  return verdicts.has("formula") ? "" : "free: computes nothing";
}
