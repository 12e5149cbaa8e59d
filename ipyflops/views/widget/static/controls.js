// The controls that change what a table shows, and those that take it elsewhere.

import { make } from "./dom.js";
import { copy, tableText } from "./export.js";
import { button, choice, menu } from "./toolbar.js";

const LEVELS = [1, 2, 3, 4, 5, 6, 8];

/** A button that is pressed or not. */
function toggle(textContent, title, label, pressed, on) {
  const element = make("button", {
    class: "fw-button", type: "button", textContent, title, "aria-label": label, "aria-pressed": pressed,
  });
  element.addEventListener("click", () => on((now) => element.setAttribute("aria-pressed", now)));
  return element;
}

/** How much of the tree is open: `open(change)` opens a grid, `tree()` gives that of the modules. */
export function levelsControl({ open, tree }) {
  const options = [["", "levels"], ...LEVELS.map((level) => [String(level), String(level)])];
  const levels = choice("Open", options, (value) => {
    if (value) open((grid) => grid.openLevels(Number(value)));
    levels.select.value = "";
  });
  levels.element.title = "Open so many levels";
  const folding = toggle("fold ×", "Show siblings that are alike as one row", "Fold siblings that are alike", true, (mark) => {
    const grid = tree();
    grid.source.setFolding(!grid.source.folding);
    mark(grid.source.folding);
    grid.rebuild();
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

/** Whether the methods of modules are shown beside the counted code; `lines()` gives their grid. */
export function methodsControl({ lines, say }) {
  const title = "Show the modules' methods, as forward, with what ran on each of their lines";
  return toggle("methods", title, "methods", false, (mark) => {
    const grid = lines();
    const { source } = grid;
    if (!source.hasMethods) {
      say("Count with %%flops --by lines to see what ran on the lines of methods.", 15000);
      return;
    }
    source.showMethods(!source.methods);
    mark(source.methods);
    grid.openLevels(2);
    grid.rebuild();
  });
}

/** Copies the rows of a grid. */
export function copyControl({ grid, root, say }) {
  const titles = { tsv: "as tab-separated values", markdown: "as Markdown" };
  return menu("Copy", "Copy the rows shown", (list, close) => {
    list.replaceChildren(
      ...Object.entries(titles).map(([format, title]) =>
        button(title, `Copy ${title}`, async () => {
          await copy(tableText(grid(), format), root);
          close();
          say(`${grid().rows.length.toLocaleString("en")} rows copied`);
        }),
      ),
    );
  });
}
