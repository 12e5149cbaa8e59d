// Which bars stand beside the table: what is inside the selected places, the operators, or who
// calls the selected one.

import { changeChart } from "./change_chart.js";
import { MAX_ALIKE } from "./chart.js";
import { barsInside, callerBars, itemsOf, operatorBars, ownChart } from "./own_chart.js";

/**
 * @import { Bar } from "./own_chart.js"
 * @import { ChangedRun } from "./change_run.js"
 * @import { BarsOf, Convention } from "./message"
 * @import { Settings } from "./cells.js"
 * @import { Wanted } from "./chart.js"
 * @import { View } from "./view.js"
 */

/**
 * @typedef {object} Bars
 * @property {BarsOf} of as Python is asked
 * @property {string} description
 * @property {() => Bar[]} bars the same, by the browser
 */

/**
 * What the chart is to show beside the table that is open.
 *
 * @param {View} view
 * @param {{ metric: string, convention: Convention, width: number, height: number }} how
 * @returns {Wanted}
 */
export function barsWanted(view, how) {
  const settings = view.settingsOf(view.tab);
  if (view.tab === "change" && view.changes) return changesWanted(view, view.changes, settings, how);
  const { of, description, bars } = view.tab === "operators" ? ofOperators(view, settings) : ofPlaces(view);
  return {
    request: { ...of, ...how },
    description: `Bar chart: ${settings.bar.name} ${description}`,
    draw: () => ownChart(bars(), settings),
  };
}

/**
 * Before and after, of what has changed inside the selected row.
 *
 * @param {View} view
 * @param {ChangedRun} changes
 * @param {Settings} settings
 * @param {{ metric: string, convention: Convention, width: number, height: number }} how
 * @returns {Wanted}
 */
function changesWanted({ grid }, { placeBefore, placeAfter }, settings, how) {
  const row = grid.rows[grid.indexOfKey(grid.selected)] ?? grid.source.roots()[0];
  const isPlace = row.kind !== "own" && row.kind !== "quiet";
  const places = isPlace ? row.nodes.slice(0, row.nodes.length > MAX_ALIKE ? 1 : undefined) : [0];
  return {
    request: { of: "change", nodes: places.map((place) => [placeBefore[place], placeAfter[place]]), ...how },
    description: `Bar chart: ${settings.bar.name} before and after inside ${places[0] ? row.name : "the whole run"}`,
    draw: () => {
      const inside = isPlace ? row.source.children(row) : [];
      return changeChart(inside.length ? inside : [row], settings.bar);
    },
  };
}

/**
 * @param {View} view
 * @returns {Bars}
 */
function ofPlaces({ run, charted, path, settings }) {
  const alike = charted.length;
  const nodes = alike > MAX_ALIKE ? charted.slice(0, 1) : charted;
  return {
    of: { of: "inside", nodes },
    description: `inside ${alike > 1 ? `${path} and ${alike - 1} alike` : path || "the whole run"}`,
    bars: () => barsInside(run, nodes, settings.measure),
  };
}

/**
 * @param {View} view
 * @param {Settings} settings
 * @returns {Bars}
 */
function ofOperators({ grid, run }, settings) {
  const row = grid.rows[grid.indexOfKey(grid.selected)];
  const signatures = row?.source.signatures?.(row) ?? [];
  if (!row || !signatures.length) {
    return {
      of: { of: "operators" },
      description: "of the operators",
      bars: () => operatorBars(run, itemsOf(run), settings.measure),
    };
  }
  return {
    of: { of: "callers", signature: signatures[0], alone: row.depth === "inner" },
    description: `of ${run.expressions[signatures[0]][0]} by who calls it`,
    bars: () => callerBars(run, new Set(signatures), settings.measure),
  };
}
