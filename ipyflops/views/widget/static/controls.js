// The toolbar of four: search, what is open, what is shown, and what is taken elsewhere.

import { copyMenu } from "./copying.js";
import { make } from "./dom.js";
import { item, menu, tick } from "./menus.js";
import { rove } from "./roving.js";
import { LineList } from "./source_lines.js";
import { conventionChoice, metricChoice, Search } from "./toolbar.js";
import { ModuleTree } from "./tree.js";

/**
 * @import { View } from "./view.js"
 */

const LEVELS = [1, 2, 3, 4, 5, 6];
const METHODS = "Count with %%flops --by lines to see what ran on the lines of methods.";

/**
 * Make the controls of a view.
 *
 * @param {View} view
 * @param {(text: string, milliseconds?: number) => void} say
 */
export function makeControls(view, say) {
  const search = new Search({ search: (text) => view.search(text), next: () => view.nextHit() });
  const expand = expandMenu(view);
  const shown = viewMenu(view, say);
  const copying = copyMenu(view, say);
  const element = make(
    "div",
    { class: "fw-tools", role: "toolbar", "aria-label": "Table" },
    search.element, expand.element, shown.menu.element, copying.element,
  );
  const refresh = rove(element, () => [search.input, expand.opener, shown.menu.opener, copying.opener]);
  // What is typed is no command of the page's.
  search.input.addEventListener("keydown", (event) => event.key.startsWith("Arrow") || event.stopPropagation());
  element.addEventListener("keydown", (event) => event.target === search.input && event.stopPropagation());
  return { element, search, expand: expand.element, copying: copying.element, refresh, ...shown };
}

/**
 * How much of the table is open.
 *
 * @param {View} view
 */
function expandMenu(view) {
  /**
   * @param {string} text
   * @param {number} levels
   */
  const line = (text, levels) =>
    item(text, () => {
      made.close();
      made.opener.focus();
      view.changeOpen((grid) => grid.openLevels(levels));
    });
  const made = menu({
    text: "Expand", title: "how many levels are open", root: view.root,
    parts: [
      line("Expand all", Infinity),
      line("Collapse all", 1),
      ...LEVELS.slice(1).map((level) => line(`${level} levels`, level)),
    ],
  });
  return made;
}

/**
 * What is shown, and how.
 *
 * @param {View} view
 * @param {(text: string, milliseconds?: number) => void} say
 */
function viewMenu(view, say) {
  const { run, root } = view;
  const convention = conventionChoice((name) => view.set("convention", name));
  const metric = metricChoice(run.metrics, (name) => view.set("metric", name));
  const folding = tick({
    text: "Fold what is alike", title: "Show siblings that are alike as one row", checked: true,
    on: (checked) => fold(view, checked),
  });
  const icicle = tick({
    text: "Icicle", checked: false,
    title: "Show the modules as an icicle: a row for each level, as wide as what ran there",
    on: (checked) => view.set("icicle", checked),
  });
  const methods = tick({
    text: "methods", checked: false,
    title: "Show the modules' methods, as forward, with what ran on each of their lines",
    on: (checked) => showMethods(view, checked, say),
  });
  const columns = make("fieldset", { class: "fw-columns" });
  const heights = make(
    "div",
    { class: "fw-heights", role: "group", "aria-label": "Height" },
    item("Taller", () => view.height.choose(view.height.pixels * 1.5)),
    item("All rows", () => view.height.chooseAll()),
    item("First height", () => view.height.choose(null)),
  );
  const made = menu({
    text: "View", title: "convention, measure, columns", root,
    parts: [
      make("div", { class: "fw-choices" }, convention.element, metric.element, icicle.element, folding.element, methods.element, heights),
      columns,
    ],
    fill: () => fillColumns(view, columns),
  });
  return { menu: made, convention, metric, icicle, folding: folding.element, methods: methods.element, columns, heights };
}

/**
 * @param {View} view
 * @param {HTMLElement} element
 */
function fillColumns(view, element) {
  const { metrics, columns } = view.grid.source.run;
  const offered = columns[view.table] ?? [];
  element.replaceChildren(
    make("legend", { textContent: "Columns" }),
    ...offered.map((name) => {
      const { title, explanation } = metrics.inColumn(name);
      return tick({
        text: title, title: explanation, checked: view.grid.columns.includes(name),
        on: (checked) => {
          const chosen = new Set(view.grid.columns);
          if (checked) chosen.add(name);
          else chosen.delete(name);
          view.chooseColumns(offered.filter((one) => chosen.has(one)));
        },
      }).element;
    }),
    item("Those that fit", () => {
      view.chooseColumns(null);
      fillColumns(view, element);
    }),
  );
}

/**
 * @param {View} view
 * @param {boolean} folding
 */
function fold(view, folding) {
  for (const { source } of view.grids.values()) {
    if (source instanceof ModuleTree) source.setFolding(folding);
  }
  view.grid.rebuild();
}

/**
 * Whether the methods of modules are shown beside the counted code.
 *
 * @param {View} view
 * @param {boolean} methods
 * @param {(text: string, milliseconds?: number) => void} say
 */
function showMethods(view, methods, say) {
  const { grid } = view;
  const { source } = grid;
  if (!(source instanceof LineList)) return false;
  if (!source.hasMethods) {
    say(METHODS, 15000);
    return false;
  }
  source.showMethods(methods);
  grid.openLevels(2);
  grid.rebuild();
  return source.methods;
}
