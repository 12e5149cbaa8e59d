// From which source lines something ran.

/** The text of a line without its indentation. */
export function lineOf(run, line) {
  return run.lines[line][2].trim() || "(no source)";
}

/** The lines with the most FLOPs among some rows of the report's table. */
export function dominant(run, items, convention, most) {
  const sums = new Map();
  let whole = 0;
  for (const item of items) {
    const flops = run.amount(item, convention);
    whole += flops;
    const line = run.rowLine[item];
    if (line >= 0) sums.set(line, (sums.get(line) ?? 0) + flops);
  }
  return [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([line, flops]) => ({ line, flops, whole }));
}
