// The columns of the tables: how wide they are, and which of them fit.

import { percent } from "./units.js";

/**
 * @import { Metric } from "./metrics.js"
 * @import { TableName } from "./message"
 */

/**
 * How a table is laid out. The columns and their order come from Python.
 *
 * @typedef {object} Table
 * @property {string} title of the first column
 * @property {string[]} importance the columns that are shown unasked; the last are given up first
 * @property {number} nameRoom pixels that the names keep
 */

/** @type {Record<TableName, Table>} */
export const TABLES = {
  change: { title: "module", importance: ["difference", "ratio", "after", "before", "change"], nameRoom: 200 },
  modules: {
    title: "module",
    importance: [
      "flops", "share", "replicated", "seconds", "calls", "communicated", "mfu", "saved_bytes", "peak_bytes",
      "parameters", "rate", "macs", "intensity", "flops_per_call", "parameter_bytes",
    ],
    nameRoom: 200,
  },
  operators: {
    title: "operator",
    importance: [
      "flops", "share", "operators", "seconds", "mfu", "rate", "macs", "intensity", "integer",
    ],
    nameRoom: 200,
  },
  lines: {
    title: "line",
    importance: ["flops", "share", "seconds", "operators", "mfu", "rate"],
    nameRoom: 300,
  },
};

/** Pixels, where the title does not say it: bars, and numbers that are wider than their title.
 *  @type {Record<string, number>} */
const WIDTHS = {
  share: 132, change: 132, before: 64, after: 64, difference: 86, ratio: 78, calls: 60, rate: 62, integer: 64, operators: 64, flops: 66, macs: 66, seconds: 66,
  parameters: 68, utilization: 68, mfu: 62, hfu: 62, bytes: 68, intensity: 76, replicated: 84, communicated: 104,
};

/** @param {Metric} metric */
export function columnWidth(metric) {
  if (metric.format === "text") return metric.column === "kernel" ? 66 : metric.column.startsWith("bound") ? 8 * metric.title.length + 16 : 118;
  return WIDTHS[metric.column] ?? Math.max(66, 8 * metric.title.length + 8);
}

/**
 * The pixels that names keep: in a narrow window a bar is worth more than the end of a long name.
 *
 * @param {Table} table
 * @param {number} room
 */
export function nameRoom(table, room) {
  if (room >= 560) return table.nameRoom;
  return Math.max(96, Math.min(table.nameRoom, Math.round(0.42 * room)));
}

/**
 * As many columns as leave the names their room, the more important ones first.
 *
 * @param {Table} table
 * @param {string[]} columns those offered
 * @param {(name: string) => number} width
 * @param {number} room
 * @param {string[]} asked those that somebody has asked for
 */
export function fitting(table, columns, width, room, asked = []) {
  const kept = new Set();
  let left = room - nameRoom(table, room);
  const [first, ...others] = table.importance;
  for (const name of new Set([first, ...asked, ...others])) {
    if (!columns.includes(name)) continue;
    left -= width(name);
    if (left < 0 && kept.size > 0) break;
    kept.add(name);
  }
  return columns.filter((name) => kept.has(name));
}

/**
 * A share as text, empty where there is no whole.
 *
 * @param {number} part
 * @param {number} whole
 */
export function shareText(part, whole) {
  if (!whole) return "";
  // Sums of large numbers in another order differ in their last digits.
  return percent(Math.abs(part / whole - 1) < 1e-9 ? 1 : part / whole);
}
