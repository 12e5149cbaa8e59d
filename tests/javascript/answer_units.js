// Writes numbers for tests/test_units.py: each line of the input is a list of [how, value, unit], and
// each line of the output the list of their texts.

import { createInterface } from "node:readline";

import { duration, percent, scaled } from "../../ipyflops/views/widget/static/units.js";

/** @type {Record<string, (value: number, unit?: string) => string>} */
export const WRITERS = {
  scaled: (value, unit) => scaled(value, unit),
  rate: (value, unit) => scaled(value, unit, false),
  duration: (value) => duration(value),
  percent: (value) => percent(value),
};

/**
 * A number of JSON; what JSON has no number for comes as Python writes it.
 *
 * @param {number | "inf" | "-inf" | "nan"} value
 * @returns {number}
 */
export function numberOf(value) {
  if (typeof value === "number") return value;
  return { inf: Infinity, "-inf": -Infinity, nan: NaN }[value];
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) {
    /** @type {[string, number, string][]} */
    const requests = JSON.parse(line);
    const texts = requests.map(([how, value, unit]) => WRITERS[how](numberOf(value), unit));
    process.stdout.write(`${JSON.stringify(texts)}\n`);
  }
}
