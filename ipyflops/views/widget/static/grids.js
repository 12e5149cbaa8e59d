// The table of each tab: where its rows come from, and what is open and sorted at first.

import { ChangedRun } from "./change_run.js";
import { ChangeTree } from "./change_tree.js";
import { TABLES } from "./columns.js";
import { Grid } from "./grid.js";
import { OperatorList } from "./lists.js";
import { ROWS } from "./open_places.js";
import { LineList } from "./source_lines.js";
import { ModuleTree } from "./tree.js";

/**
 * @import { Message, TableName } from "./message"
 * @import { Run } from "./run.js"
 * @import { View } from "./view.js"
 */

/**
 * What has changed since another run; null where the report is not set against one.
 *
 * @param {Message} message
 * @param {Run} run
 */
export function changesOf(message, run) {
  return message.change ? new ChangedRun(message.change, message, run) : null;
}

/**
 * @param {View} view
 * @param {TableName} name
 * @param {string} measure
 */
function sourceOf({ run, changes }, name, measure) {
  if (name === "operators") return new OperatorList(run);
  if (name === "lines") return new LineList(run);
  if (name !== "change" || !changes) return new ModuleTree(run);
  const tree = new ChangeTree(changes);
  tree.setMeasure(measure);
  return tree;
}

/**
 * Make the grid of a table.
 *
 * @param {View} view
 * @param {TableName} name
 */
export function makeGrid(view, name) {
  const settings = view.settingsOf(name);
  const source = sourceOf(view, name, settings.measure);
  const grid = new Grid(source, TABLES[name], settings, {
    select: (row) => view.rowSelected(row),
    toggle: () => name === "modules" && !view.searching.isOpen && view.openPlaces.save(),
    fold: (row) => source.fold(row) && grid.rebuild(),
    sort: (column) => view.sortBy(column),
    resize: () => view.fitColumns(),
  });
  grid.sort = { change: "", modules: view.model.get("sort"), operators: "-flops", lines: "" }[name];
  if (source instanceof ChangeTree) {
    grid.openHeaviest(ROWS, (row) => source.weight(row));
    [{ key: grid.selected }] = source.roots();
  } else if (name !== "modules") {
    grid.openLevels(name === "lines" ? 2 : 1);
  }
  return grid;
}
