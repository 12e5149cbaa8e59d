// The icicle as plain data: one row for each level, each part as wide as its amount. The rules are
// those of rows/icicle.py, which makes the same of a report for the HTML and for matplotlib.

import { PHASES } from "./run.js";

/** @import { Run } from "./run.js" */

/**
 * A part of a row.
 *
 * @typedef {object} Part
 * @property {string} key
 * @property {number[]} places one, or several that are too narrow to stand alone
 * @property {boolean} rest whether it stands for several
 * @property {number} level its row, 0 at the top
 * @property {number} start where it begins; the whole is 1
 * @property {number} width
 * @property {string | null} phase the one with the most of it; null for several places
 */

/**
 * Lay out what is inside some places, level by level.
 *
 * @param {Run} run
 * @param {number[]} top the place of the first row, or several siblings that share it
 * @param {string} measure what widths are
 * @param {object} how
 * @param {number} how.levels how many rows there are at most
 * @param {number} how.least siblings that are narrower stand together
 * @param {number} [how.shared] so wide is at least what they share, as far as there are enough; all
 *   share one part where it is left out
 * @returns {Part[][]} by level, each from left to right; empty where there is nothing to share
 */
export function layOut(run, top, measure, { levels, least, shared = 1 }) {
  const totals = run.totals(measure);
  /** @param {number} place */
  const amount = (place) =>
    totals[4 * place] + totals[4 * place + 1] + totals[4 * place + 2] + totals[4 * place + 3];
  const whole = top.reduce((sum, place) => sum + amount(place), 0);
  if (!whole) return [];
  /** @type {(places: number[], level: number, start: number, width: number) => Part} */
  const part = (places, level, start, width) => ({
    key: places.length > 1 ? `${places[0]}…${places[places.length - 1]}` : String(places[0]),
    places, rest: places.length > 1, level, start, width,
    phase: level > 0 && places.length > 1 ? null : dominantPhase(totals, places),
  });
  const rows = [[part(top, 0, 0, 1)]];
  while (rows.length < levels) {
    const level = rows.length;
    /** @type {Part[]} */
    const row = [];
    for (const above of rows[level - 1]) {
      if (above.rest && level > 1) continue; // what is too narrow to be told apart
      let end = above.start;
      const { wide, narrow } = sorted(above.rest ? above.places : run.childrenOf(above.places[0]));
      for (const [place, width] of wide) {
        row.push(part([place], level, end, width));
        end += width;
      }
      for (const [places, width] of together(narrow, shared)) {
        row.push({ ...part(places, level, end, width), phase: null });
        end += width;
      }
    }
    if (!row.length) break;
    rows.push(row);
  }
  return rows;

  /** @param {Iterable<number>} places */
  function sorted(places) {
    /** @type {[number, number][]} */
    const wide = [];
    /** @type {[number, number][]} */
    const narrow = [];
    for (const place of places) {
      const width = amount(place) / whole;
      if (width >= least) wide.push([place, width]);
      else if (width) narrow.push([place, width]);
    }
    return { wide, narrow };
  }
}

/**
 * Narrow siblings that stand together, in their order.
 *
 * @param {[place: number, width: number][]} narrow
 * @param {number} shared the least width of what they share
 */
function together(narrow, shared) {
  /** @type {[number[], number][]} */
  const groups = [];
  for (const [place, width] of narrow) {
    const last = groups.at(-1);
    if (!last || last[1] >= shared) {
      groups.push([[place], width]);
    } else {
      last[0].push(place);
      last[1] += width;
    }
  }
  return groups;
}

/**
 * @param {Float64Array} totals four numbers for each place
 * @param {number[]} places
 */
function dominantPhase(totals, places) {
  const sums = PHASES.map((_, phase) => places.reduce((sum, place) => sum + totals[4 * place + phase], 0));
  return PHASES[sums.indexOf(Math.max(...sums))];
}
