// The keys of the ARIA treegrid pattern.

const PAGE = 15;
const PATIENCE = 700; // milliseconds between the letters of a word that is typed ahead

/** What a key does in a grid; the event goes no further where it does something. */
export function handleKey(grid, event) {
  if (event.target !== grid.element || event.altKey || event.metaKey || !grid.rows.length) return;
  if (move(grid, event) || (!event.ctrlKey && typeAhead(grid, event))) {
    event.preventDefault();
    event.stopPropagation();
  }
}

function move(grid, { key, ctrlKey }) {
  const last = grid.rows.length - 1;
  const inCell = grid.cell >= 0;
  switch (key) {
    case "ArrowDown":
      grid.activate(grid.active + 1);
      return true;
    case "ArrowUp":
      grid.activate(grid.active - 1);
      return true;
    case "PageDown":
      grid.activate(grid.active + PAGE);
      return true;
    case "PageUp":
      grid.activate(grid.active - PAGE);
      return true;
    case "Home":
      if (inCell && !ctrlKey) grid.activate(grid.active, { cell: 0 });
      else grid.activate(0);
      return true;
    case "End":
      if (inCell && !ctrlKey) grid.activate(grid.active, { cell: grid.columns.length });
      else grid.activate(last);
      return true;
    case "ArrowRight":
      right(grid);
      return true;
    case "ArrowLeft":
      left(grid);
      return true;
    case "Enter":
      grid.activate(grid.active);
      grid.toggle(grid.active);
      return true;
    case "Escape":
      if (inCell) grid.activate(grid.active, { cell: -1 });
      return inCell;
    case " ":
      grid.activate(grid.active);
      grid.on.fold(grid.rows[grid.active]);
      return true;
    case "*":
      openSiblings(grid);
      return true;
    default:
      return false;
  }
}

function right(grid) {
  const row = grid.rows[grid.active];
  if (grid.cell >= 0) grid.activate(grid.active, { cell: Math.min(grid.cell + 1, grid.columns.length) });
  else if (row.expandable && !grid.isOpen(row)) grid.toggle(grid.active);
  else grid.activate(grid.active, { cell: 0 });
}

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

function openSiblings(grid) {
  const { parent } = grid.rows[grid.active];
  for (const row of grid.rows) if (row.expandable && row.parent === parent) grid.open.add(row.key);
  grid.rebuild();
  grid.on.toggle();
}

/** Go to the next row whose name begins with what was typed. */
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
