// Places that need no row of their own: those without FLOPs, and those around an only child.

/** @import { Run } from "./run.js" */

const BACKWARD = 1; // the number of the phase
/** Places without FLOPs share a row where they take less than this share of the kernel time. */
const TIME_THAT_MATTERS = 0.01;
/** Functions share it even where they have FLOPs, if these are less than this share of the whole. */
const LITTLE_OF_FUNCTION = 0.001;

/**
 * The sum of all phases of a place.
 *
 * @param {Run} run
 * @param {number} place
 * @param {string} measure
 */
export function sumOf(run, place, measure) {
  const totals = run.totals(measure);
  return totals[4 * place] + totals[4 * place + 1] + totals[4 * place + 2] + totals[4 * place + 3];
}

/**
 * Whether a place has no FLOPs, or is a function with few, takes no time that matters, and is no line of a backward pass.
 *
 * @param {Run} run
 * @param {number} place
 * @param {Set<string>} withBackward
 */
export function isQuiet(run, place, withBackward) {
  const least = run.kind(place) === "function" ? LITTLE_OF_FUNCTION * run.whole("flops standard") : 0;
  if (sumOf(run, place, "flops standard") > least) return false;
  if (["int_ops", "communicated"].some((measure) => sumOf(run, place, measure))) return false;
  if (sumOf(run, place, "seconds") > TIME_THAT_MATTERS * run.whole("seconds")) return false;
  return !startedBackward(run, place, withBackward);
}

/**
 * Whether a place is a line, or a function by its name, of a backward pass of modules.
 *
 * @param {Run} run
 * @param {number} place
 * @param {Set<string>} withBackward
 */
export function startedBackward(run, place, withBackward) {
  if (run.kind(place) === "function") return withBackward.size > 0 && run.name(place) === "backward";
  return run.kind(place) === "code" && withBackward.has(run.name(place));
}

/**
 * The names of the lines whose backward pass ran in modules, where its FLOPs stand.
 *
 * @param {Run} run
 */
export function linesOfBackwardPasses(run) {
  /** @type {Set<string>} */
  const names = new Set();
  for (let row = 0; row < run.rowCount; row++) {
    if (run.rowLine[row] < 0 || run.rowPhase[row] !== BACKWARD) continue;
    if (run.kind(run.rowScope[row]) === "code") continue;
    const [file, number] = run.lines[run.rowLine[row]];
    names.add(`${file}:${number}`);
  }
  return names;
}

/**
 * Go down from places that are alike as long as all that is in each is one module, or one function
 * in a function; gives the names that are passed by. `nodes` become those at the end.
 *
 * @param {Run} run
 * @param {number[]} nodes
 */
export function onlyChildren(run, nodes) {
  /** @type {string[]} */
  const above = [];
  const kind = run.kind(nodes[0]);
  if (kind !== "module" && kind !== "function") return above;
  for (;;) {
    const children = run.childrenOf(nodes[0]);
    const ends = nodes.some((node) => run.hasOwn(node)) || run.instances[nodes[0]] > 1;
    if (ends || children.length !== 1 || run.kind(children[0]) !== kind) return above;
    above.push(run.name(nodes[0]));
    nodes.splice(0, nodes.length, ...nodes.map((node) => run.childrenOf(node)[0]));
  }
}
