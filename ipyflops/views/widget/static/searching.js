// Searching in the tables: what is searched for, and what was open before.

import { ModuleTree } from "./tree.js";

/**
 * @import { Grid } from "./grid.js"
 * @import { Key } from "./rows.js"
 */

export class Searching {
  /**
   * @param {(hits: string) => void} tell says how much was found
   * @param {() => void} closed called when the tree is as it was before a search
   */
  constructor(tell, closed) {
    this.query = "";
    this.tell = tell;
    this.closed = closed;
    /** @type {Map<Grid, Set<Key>>} what was open in each tree before a search */
    this._openBefore = new Map();
  }

  /** Whether the tree is open because of a search. */
  get isOpen() {
    return this._openBefore.size > 0;
  }

  /**
   * Show in a grid what is searched for.
   *
   * @param {Grid} grid
   */
  apply(grid) {
    grid.source.search(this.query);
    if (grid.source instanceof ModuleTree) this._openTree(grid);
    const { hits } = grid.source;
    this.tell(this.query ? `${hits.toLocaleString("en")} match${hits === 1 ? "" : "es"}` : "");
  }

  /**
   * Open the tree around the hits, or as it was before, and around the row that is selected.
   *
   * @param {Grid} grid
   */
  _openTree(grid) {
    if (this.query) {
      if (!this._openBefore.has(grid)) this._openBefore.set(grid, grid.open);
      grid.open = grid.source.around();
    } else if (this._openBefore.has(grid)) {
      grid.open = this._openBefore.get(grid) ?? grid.open;
      this._openBefore.delete(grid);
      const place = typeof grid.selected === "number" ? grid.selected : -1;
      if (place > 0) for (const key of grid.source.reveal(place)) grid.open.add(key);
      this.closed();
    }
  }
}

/**
 * Go to the next row that is searched for.
 *
 * @param {Grid} grid
 */
export function goToNextHit(grid) {
  for (let step = 1; step <= grid.rows.length; step++) {
    const index = (grid.active + step) % grid.rows.length;
    if (grid.source.isHit(grid.rows[index])) {
      grid.activate(index, { cell: -1 });
      return;
    }
  }
}
