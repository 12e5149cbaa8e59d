// Numbers as a person reads them. The same rules as ipyflops/units.py.

const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];

function threeFigures(value) {
  if (value === 0) return "0";
  for (const [decimals, limit] of [[2, 10], [1, 100]]) {
    const text = value.toFixed(decimals);
    if (Number(text) < limit) return text;
  }
  return value.toFixed(0);
}

/** Three significant figures and an SI prefix; a whole count below 1000 stays as it is. */
export function scaled(value, unit = "", whole = true) {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (whole && magnitude < 1000 && Number.isInteger(value)) return `${value} ${unit}`.trimEnd();
  for (let power = 0; power < PREFIXES.length; power++) {
    const figures = threeFigures(magnitude / 1000 ** power);
    if (Number(figures) < 1000) {
      return `${value < 0 ? "-" : ""}${figures} ${PREFIXES[power]}${unit}`.trimEnd();
    }
  }
  return `${value.toExponential(2)} ${unit}`.trimEnd();
}

/** A time in the unit that fits. */
export function duration(seconds) {
  if (seconds === 0) return "0 s";
  for (const [factor, unit] of [[1e9, "ns"], [1e6, "µs"], [1e3, "ms"]]) {
    const figures = threeFigures(seconds * factor);
    if (Number(figures) < 1000) return `${figures} ${unit}`;
  }
  return `${threeFigures(seconds)} s`;
}

/** A share of 1 that never rounds something to nothing or a part to all. */
export function percent(share) {
  if (share === 0) return "0 %";
  if (share === 1) return "100 %";
  if (share > 0 && share < 0.001) return "<0.1 %";
  if (share > 0.999 && share < 1) return ">99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** All digits of a count, in groups; "about" where a double does not hold them all. */
export function exact(value) {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
  }
  return `about ${scaled(value)}`.trimEnd();
}

