// From which source lines something ran.

/**
 * @import { Convention } from "./message"
 * @import { Run } from "./run.js"
 */

/**
 * The text of a line without its indentation.
 *
 * @param {Run} run
 * @param {number} line
 */
export function lineOf(run, line) {
  return run.lines[line][2].trim() || "(no source)";
}

/**
 * The lines with the most FLOPs among some rows of the report's table.
 *
 * @param {Run} run
 * @param {number[]} items
 * @param {Convention} convention
 * @param {number} count of lines, at most
 * @returns {{ line: number, flops: number, whole: number }[]} `whole` is the sum over all lines
 */
export function dominant(run, items, convention, count) {
  /** @type {Map<number, number>} */
  const sums = new Map();
  let whole = 0;
  for (const item of items) {
    const flops = run.amount(item, `flops ${convention}`);
    whole += flops;
    const line = run.rowLine[item];
    if (line >= 0) sums.set(line, (sums.get(line) ?? 0) + flops);
  }
  return [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([line, flops]) => ({ line, flops, whole }));
}
