// Numbers as a person reads them. The same rules as ipyflops/units.py, and the same texts: tests of
// both languages read tests/data/units.json.

const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];
// Written out: 1000 ** 8 need not be the number that is nearest to 10²⁴.
const POWERS = [1, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18, 1e21, 1e24, 1e27, 1e30];

/** A whole number beyond this is no count of anything. */
const MAX_WHOLE = 10n ** 300n;

/**
 * A number with a fixed count of decimals. What is exactly in the middle goes to the even digit, as
 * in Python; `toFixed` would round it up: 1.125 becomes "1.12" here and "1.13" there.
 *
 * @param {number} value
 * @param {number} decimals
 * @returns {string}
 */
function fixed(value, decimals) {
  if (!Number.isFinite(value)) return notFinite(value);
  // toFixed writes an exponent from here on; such a number is whole.
  if (Math.abs(value) >= 1e21) return String(BigInt(value)) + (decimals ? `.${"0".repeat(decimals)}` : "");
  const rounded = value.toFixed(decimals);
  // Only a multiple of 2^-(decimals + 1) can be in the middle; one more decimal writes all of it.
  if (!Number.isInteger(value * 2 ** (decimals + 1))) return rounded;
  const all = value.toFixed(decimals + 1);
  const inTheMiddle = all.endsWith("5");
  const isOdd = "13579".includes(rounded.slice(-1));
  return inTheMiddle && isOdd ? all.slice(0, -1).replace(/\.$/, "") : rounded;
}

/** @param {number} value infinite, or not a number */
function notFinite(value) {
  if (Number.isNaN(value)) return "nan";
  return value < 0 ? "-inf" : "inf";
}

/**
 * Three significant figures without an exponent.
 *
 * @param {number} value 0 or more
 * @returns {string}
 */
function threeFigures(value) {
  if (value === 0) return "0";
  for (const [decimals, limit] of [[2, 10], [1, 100]]) {
    const text = fixed(value, decimals);
    if (Number(text) < limit) return text;
  }
  return fixed(value, 0);
}

/**
 * Three significant figures and an SI prefix, as "8.18 GFLOPs".
 *
 * @param {number} value
 * @param {string} [unit] as FLOPs, FLOPS or B
 * @param {boolean} [whole] whether it is a count, which stays as it is below 1000; a rate is not
 * @returns {string}
 */
export function scaled(value, unit = "", whole = true) {
  const [number, prefix] = scaledParts(value, whole);
  return `${number} ${prefix}${unit}`.trimEnd();
}

/**
 * @param {number} value
 * @param {boolean} whole
 * @returns {[string, string]} the number and its prefix
 */
function scaledParts(value, whole) {
  const sign = value < 0 ? "-" : "";
  const magnitude = Math.abs(value);
  // Python sends a whole number that no float can hold as infinite.
  if (whole && isBeyondWhole(magnitude)) return [`${value < 0 ? "<-" : ">"}1e+300`, ""];
  if (!Number.isFinite(value)) return [notFinite(value), ""];
  const isCount = whole && Number.isInteger(value);
  if (isCount && magnitude < 1000) return [String(value), ""];
  for (const [power, prefix] of PREFIXES.entries()) {
    // Rounding may carry into the next prefix: 999.95 k is 1.00 M.
    const figures = threeFigures(isCount ? shifted(magnitude, 3 * power) : magnitude / POWERS[power]);
    if (Number(figures) < 1000) return [sign + figures, prefix];
  }
  return [value.toExponential(2), ""];
}

/** @param {number} magnitude */
function isBeyondWhole(magnitude) {
  return magnitude === Infinity || (Number.isInteger(magnitude) && BigInt(magnitude) > MAX_WHOLE);
}

/**
 * A whole number divided by a power of ten, rounded once: as Python divides whole numbers.
 *
 * @param {number} whole
 * @param {number} decimals
 */
function shifted(whole, decimals) {
  return Number(`${BigInt(whole)}e-${decimals}`);
}

/**
 * A time in the unit that fits, as "38.1 ms".
 *
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds === 0) return "0 s";
  const sign = seconds < 0 ? "-" : "";
  const magnitude = Math.abs(seconds);
  for (const [factor, unit] of /** @type {[number, string][]} */ ([[1e9, "ns"], [1e6, "µs"], [1e3, "ms"]])) {
    const figures = threeFigures(magnitude * factor);
    if (Number(figures) < 1000) return `${sign}${figures} ${unit}`;
  }
  return `${sign}${threeFigures(magnitude)} s`;
}

/**
 * A share of 1 as a percentage that never rounds something to nothing or a part to all.
 *
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  if (share === 0) return "0 %";
  if (share === 1) return "100 %";
  if (share > 0 && share < 0.001) return "<0.1 %";
  if (share > 0.999 && share < 1) return ">99.9 %";
  return `${fixed(100 * share, 1)} %`;
}

/**
 * A number with the sign that a difference has.
 *
 * @param {string} text of the number
 * @param {number} value
 */
export function signed(text, value) {
  return value > 0 ? `+${text}` : text;
}

/**
 * A ratio, as "×1.50": the same text as `views/changes/rows.py` writes.
 *
 * @param {number} value 0 or more
 */
export function ratio(value) {
  if (value >= 1000) return `×${scaled(value)}`;
  return `×${value >= 0.1 ? fixed(value, 2) : Number(value.toPrecision(3))}`;
}

/**
 * All digits of a count, in groups; "about" where a double does not hold them all.
 *
 * @param {number | bigint} value
 * @returns {string}
 */
export function exact(value) {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
  }
  return `about ${scaled(value)}`.trimEnd();
}
