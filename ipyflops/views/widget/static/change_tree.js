// The tree of what has changed between two runs: its rows are those of the tree of modules, of both
// runs, and what is the same in both stands together in one row.

import { changedOperators, detailsOfChange } from "./change_details.js";
import { ModuleTree } from "./tree.js";

/**
 * @import { ChangedRun } from "./change_run.js"
 * @import { Convention } from "./message"
 * @import { Row } from "./rows.js"
 * @import { Fold } from "./tree.js"
 */

export class ChangeTree extends ModuleTree {
  /** @param {ChangedRun} run */
  constructor(run) {
    super(run);
    this.changes = run;
  }

  /**
   * Say what is compared.
   *
   * @param {string} measure
   */
  setMeasure(measure) {
    if (measure === this.changes.measure) return;
    this.changes.setMeasure(measure);
    this.epoch += 1;
  }

  /**
   * What there was before and is after, in the place of four phases.
   *
   * @override
   * @param {Row} row
   */
  phases({ kind, nodes }) {
    const { before, after } = kind === "own" ? this.changes.own : this.changes.totalsOf;
    const sums = [0, 0, 0, 0];
    for (const node of nodes) {
      sums[0] += before[node];
      sums[1] += after[node];
    }
    return sums;
  }

  /**
   * How much a row has changed: what changes inside of it without changing its sum is little.
   *
   * @param {Row} row
   */
  weight(row) {
    if (row.kind === "quiet" || !row.nodes.some((node) => this.changes.changed[node])) return 0;
    const [before, after] = this.phases(row);
    return Math.abs(after - before) || Number.MIN_VALUE;
  }

  /**
   * What has not changed, where something else has.
   *
   * @override
   * @param {Fold[]} folds
   */
  _quiet(folds) {
    if (this._flags || !this.folding) return [];
    const quiet = folds.filter(([nodes]) => nodes.every((node) => !this.changes.changed[node]));
    return quiet.length > 1 && quiet.length < folds.length ? quiet : [];
  }

  /**
   * @override
   * @param {Row} row
   * @param {Fold[]} folds
   */
  _together(row, folds) {
    const together = super._together(row, folds);
    together.name = `${together.nodes.length.toLocaleString("en")} unchanged`;
    return together;
  }

  /**
   * @override
   * @param {number[]} nodes
   * @param {number} repeats
   * @param {Row | null} parent
   */
  _row(nodes, repeats, parent) {
    const row = super._row(nodes, repeats, parent);
    const status = this.changes.statusOf(row.nodes[0]);
    if (status !== "both") row.status = status;
    return row;
  }

  /**
   * @param {Row} row
   * @param {Convention} convention
   */
  summary(row, convention) {
    const count = changedOperators(this.changes, row, convention).length;
    const said = count ? `${count.toLocaleString("en")} operator${count === 1 ? "" : "s"} changed` : "no operator changed";
    return row.kind === "root" ? said : `${row.name}: ${said}`;
  }

  /**
   * @param {Row} row
   * @param {Convention} convention
   */
  details(row, convention) {
    return detailsOfChange(this.changes, row, convention);
  }
}
