// Which places of the tree are open: at first, as Python says, and as the user has made it.

import { debounced } from "./dom.js";

/** @import { View } from "./view.js" */

export const ROWS = 14; // as many levels are open at first as have this many rows
const SYNC = 200; // milliseconds after which Python hears of a change

export class OpenPlaces {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string[] | null} what Python was told last */
    this._saved = null;
    this.save = debounced(SYNC, () => this._save());
  }

  openAtFirst() {
    const { model, run } = this.view;
    const grid = this.view.gridOf("modules");
    const paths = model.get("expanded");
    const depth = model.get("_depth");
    if (paths) grid.open = new Set(paths.map((path) => run.placeAt(path)).filter((place) => place >= 0));
    else if (depth === null || depth === undefined) grid.openFitting(ROWS);
    else grid.openLevels(depth);
  }

  /**
   * Open the places at these paths.
   *
   * @param {string[] | null} paths
   */
  show(paths) {
    if (paths === this._saved) return;
    this.openAtFirst();
    this.view.gridOf("modules").rebuild();
  }

  /** Tell Python which places are open. */
  _save() {
    const paths = [];
    for (const place of this.view.gridOf("modules").open) paths.push(this.view.run.path(Number(place)));
    this._saved = paths;
    this.view.set("expanded", paths);
  }

  remove() {
    this.save.cancel();
  }
}
