// The controls that change what a table shows, and those that take it elsewhere.

import { make } from "./dom.js";
import { copy, tableText } from "./export.js";
import { LineList } from "./source_lines.js";
import { button, choice, menu } from "./toolbar.js";
import { ModuleTree } from "./tree.js";

/** @import { Grid } from "./grid.js" */

const LEVELS = [1, 2, 3, 4, 5, 6, 8];
/** @type {["tsv" | "markdown", string][]} */
const FORMATS = [["tsv", "as tab-separated values"], ["markdown", "as Markdown"]];

/**
 * A button that is pressed or not.
 *
 * @param {string} textContent
 * @param {string} title
 * @param {string} label
 * @param {boolean} pressed
 * @param {() => boolean} on called for a click; gives whether it is pressed now
 */
function toggle(textContent, title, label, pressed, on) {
  const element = make("button", {
    class: "fw-button", type: "button", textContent, title, "aria-label": label, "aria-pressed": pressed,
  });
  element.addEventListener("click", () => element.setAttribute("aria-pressed", String(on())));
  return element;
}

/**
 * How much of the tree is open.
 *
 * @param {object} given
 * @param {(change: (grid: Grid) => void) => void} given.open opens rows of the grid that is shown
 * @param {() => Grid} given.tree gives the grid of the modules
 */
export function levelsControl({ open, tree }) {
  /** @type {[string, string][]} */
  const options = [["", "levels"]];
  for (const level of LEVELS) options.push([String(level), String(level)]);
  const levels = choice("Open", options, (value) => {
    if (value) open((grid) => grid.openLevels(Number(value)));
    levels.select.value = "";
  });
  levels.element.title = "Open so many levels";
  const folding = toggle("fold ×", "Show siblings that are alike as one row", "Fold siblings that are alike", true, () => {
    const grid = tree();
    const { source } = grid;
    if (!(source instanceof ModuleTree)) return true;
    source.setFolding(!source.folding);
    grid.rebuild();
    return source.folding;
  });
  const element = make(
    "span",
    { class: "fw-group" },
    button("+ all", "Expand all", () => open((grid) => grid.openLevels(Infinity))),
    button("− all", "Collapse all", () => open((grid) => grid.openLevels(1))),
    levels.element,
    folding,
  );
  return { element, folding };
}

/**
 * Whether the methods of modules are shown beside the counted code.
 *
 * @param {object} given
 * @param {() => Grid} given.lines gives the grid of the lines
 * @param {(text: string, milliseconds?: number) => void} given.say
 */
export function methodsControl({ lines, say }) {
  const title = "Show the modules' methods, as forward, with what ran on each of their lines";
  return toggle("methods", title, "methods", false, () => {
    const grid = lines();
    const { source } = grid;
    if (!(source instanceof LineList)) return false;
    if (!source.hasMethods) {
      say("Count with %%flops --by lines to see what ran on the lines of methods.", 15000);
      return false;
    }
    source.showMethods(!source.methods);
    grid.openLevels(2);
    grid.rebuild();
    return source.methods;
  });
}

/**
 * Copies the rows of a grid.
 *
 * @param {object} given
 * @param {() => Grid} given.grid
 * @param {HTMLElement} given.root
 * @param {(text: string) => void} given.say
 */
export function copyControl({ grid, root, say }) {
  return menu("Copy", "Copy the rows shown", (list, close) => {
    list.replaceChildren(
      ...FORMATS.map(([format, title]) =>
        button(title, `Copy ${title}`, async () => {
          await copy(tableText(grid(), format), root);
          close();
          say(`${grid().rows.length.toLocaleString("en")} rows copied`);
        }),
      ),
    );
  });
}
