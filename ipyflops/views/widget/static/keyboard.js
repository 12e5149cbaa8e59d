// The keys of the ARIA treegrid pattern.

const PAGE = 15;
const PATIENCE = 700; // milliseconds between the letters of a word that is typed ahead

/** @import { Grid } from "./grid.js" */

/**
 * What a key does in a grid; the event goes no further where it does something.
 *
 * @param {Grid} grid
 * @param {KeyboardEvent} event
 */
export function handleKey(grid, event) {
  if (event.target !== grid.element || event.altKey || event.metaKey || !grid.rows.length) return;
  if (move(grid, event) || (!event.ctrlKey && typeAhead(grid, event))) {
    event.preventDefault();
    event.stopPropagation();
  }
}

/** What each key does; false where it does nothing.
 *  @type {Record<string, (grid: Grid, ctrlKey: boolean) => boolean | void>} */
const KEYS = {
  ArrowDown: (grid) => grid.activate(grid.active + 1),
  ArrowUp: (grid) => {
    if (grid.active > 0) grid.activate(grid.active - 1);
    else grid.header.focus(Math.max(grid.cell, 0));
  },
  PageDown: (grid) => grid.activate(grid.active + PAGE),
  PageUp: (grid) => grid.activate(grid.active - PAGE),
  Home: (grid, ctrlKey) => {
    if (grid.cell >= 0 && !ctrlKey) grid.activate(grid.active, { cell: 0 });
    else grid.activate(0);
  },
  End: (grid, ctrlKey) => {
    if (grid.cell >= 0 && !ctrlKey) grid.activate(grid.active, { cell: grid.columns.length });
    else grid.activate(grid.rows.length - 1);
  },
  ArrowRight: right,
  ArrowLeft: left,
  Enter: (grid) => {
    grid.activate(grid.active);
    grid.toggle(grid.active);
  },
  Escape: (grid) => {
    if (grid.cell < 0) return false;
    grid.activate(grid.active, { cell: -1 });
    return true;
  },
  " ": (grid) => {
    grid.activate(grid.active);
    grid.on.fold(grid.rows[grid.active]);
  },
  "*": openSiblings,
};

/**
 * @param {Grid} grid
 * @param {KeyboardEvent} event
 */
function move(grid, { key, ctrlKey }) {
  return Object.hasOwn(KEYS, key) && KEYS[key](grid, ctrlKey) !== false;
}

/** @param {Grid} grid */
function right(grid) {
  const row = grid.rows[grid.active];
  if (grid.cell >= 0) grid.activate(grid.active, { cell: Math.min(grid.cell + 1, grid.columns.length) });
  else if (row.expandable && !grid.isOpen(row)) grid.toggle(grid.active);
  else grid.activate(grid.active, { cell: 0 });
}

/** @param {Grid} grid */
function left(grid) {
  const row = grid.rows[grid.active];
  if (grid.cell >= 0) {
    grid.activate(grid.active, { cell: grid.cell - 1 });
  } else if (grid.isOpen(row)) {
    grid.toggle(grid.active);
  } else if (row.parent) {
    grid.activate(grid.indexOfKey(row.parent.key));
  }
}

/** @param {Grid} grid */
function openSiblings(grid) {
  const { parent } = grid.rows[grid.active];
  for (const row of grid.rows) if (row.expandable && row.parent === parent) grid.open.add(row.key);
  grid.rebuild();
  grid.on.toggle();
}

/**
 * Go to the next row whose name begins with what was typed.
 *
 * @param {Grid} grid
 * @param {KeyboardEvent} event
 */
function typeAhead(grid, { key, timeStamp }) {
  if ([...key].length !== 1) return false;
  const typed = grid.typed && timeStamp - grid.typedAt < PATIENCE ? grid.typed : "";
  grid.typed = typed + key.toLowerCase();
  grid.typedAt = timeStamp;
  // The same letter again goes on to the next one.
  const word = [...grid.typed].every((letter) => letter === grid.typed[0]) ? grid.typed[0] : grid.typed;
  const from = word.length > 1 ? grid.active : grid.active + 1;
  for (let step = 0; step < grid.rows.length; step++) {
    const index = (from + step) % grid.rows.length;
    if (grid.rows[index].name.toLowerCase().startsWith(word)) {
      grid.activate(index);
      break;
    }
  }
  return true;
}
