// The view of one report: what the parts are, and how they follow each other.

import { ChartPane, MOST_ALIKE } from "./chart.js";
import { fitting, METRICS, offered, TABLES } from "./columns.js";
import { copyControl, levelsControl, methodsControl } from "./controls.js";
import { drawDetails } from "./details.js";
import { debounced, make, uniqueId } from "./dom.js";
import { Grid } from "./grid.js";
import { drawHeadline } from "./headline.js";
import { OperatorList } from "./lists.js";
import { measureOf } from "./rows.js";
import { RankList } from "./ranks.js";
import { Run } from "./run.js";
import { RooflinePane } from "./roofline.js";
import { LineList } from "./source_lines.js";
import { hideStandIn } from "./stand_in.js";
import { isDark, watchTheme } from "./theme.js";
import { columnsMenu, conventionChoice, metricChoice, Search, Tabs } from "./toolbar.js";
import { ModuleTree } from "./tree.js";

const SOURCES = { modules: ModuleTree, operators: OperatorList, lines: LineList };
const OPEN_ROWS = 30; // as many levels are open at first as have this many rows
const SYNC = 200; // milliseconds after which Python hears of a change

class View {
  constructor(model, element) {
    this.model = model;
    this.root = element;
    this.run = new Run(model.get("_data"));
    this.grids = {};
    this.chosen = {}; // columns, where the user has chosen some
    this.opened = null; // what was open before a search
    this.settings = {};
    this.path = ""; // of what is selected, and the places whose sum the chart shows
    this.charted = [0];
    this._sync = debounced(SYNC, () => this._save());
    this._build();
    this._readSettings();
    this._openAtFirst();
    this._showTab(model.get("by"));
    this._select(model.get("selected"));
    this._listen();
  }

  // --- parts ----------------------------------------------------------------------------------

  _build() {
    this.root.classList.add("ipyflops-widget");
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.root.dataset.theme = isDark(this.root) ? "dark" : "light";
    const panel = uniqueId("panel");
    this.headline = make("div", { class: "fw-headline" });
    this.tabs = new Tabs(panel, (name) => this._showTab(name));
    this.search = new Search({ search: (text) => this._search(text), next: () => this._nextHit() });
    this.convention = conventionChoice((name) => this._set("convention", name));
    this.metric = metricChoice(this.run, (name) => this._set("metric", name));
    this.chart = new ChartPane(this.model);
    this.roofline = new RooflinePane(this.model);
    this.panel = make("div", { class: "fw-panel", role: "tabpanel", id: panel });
    this.details = make("section", { class: "fw-details", "aria-label": "Details of the selected row" });
    this.said = make("span", { class: "fw-note", role: "status" });
    const columns = columnsMenu(
      () => offered(this.grid.table.columns, this.run),
      () => this.grid.columns,
      (chosen) => this._chooseColumns(chosen),
    );
    const say = (text, milliseconds) => this._say(text, milliseconds);
    const copying = copyControl({ grid: () => this.grid, root: this.root, say });
    this.methods = methodsControl({ lines: () => this.grid, say });
    this.levels = levelsControl({
      open: (change) => this._open(change),
      tree: () => this.grids.modules,
    });
    this.ofTables = [
      this.search.element, this.metric.element, this.levels.element, this.methods, columns, copying,
    ];
    this.toolbar = make(
      "div",
      { class: "fw-toolbar", role: "group", "aria-label": "Table" },
      this.tabs.element,
      this.search.element,
      this.convention.element,
      this.metric.element,
      this.levels.element,
      this.methods,
      columns,
      copying,
      this.said,
    );
    const { ranks } = this.model.get("_data"); // of all of them, whichever is shown
    this.ranks = ranks?.ranks ? new RankList(ranks, (number) => this._set("rank", number)) : null;
    const empty = this.run.rowScope.length === 0;
    this.root.replaceChildren(
      hideStandIn(this.model.get("_key")),
      this.headline,
      ...(this.ranks ? [this.ranks.element] : []),
      ...(empty ? [] : [this.toolbar, make("div", { class: "fw-main-area" }, this.panel, this.chart.element), this.details]),
    );
    this.empty = empty;
  }

  _say(text, milliseconds = 3000) {
    this.said.textContent = text;
    clearTimeout(this._saying);
    this._saying = setTimeout(() => (this.said.textContent = ""), milliseconds);
  }

  /** The table of the tab that is open; behind the roofline, the one that was open before. */
  get grid() {
    return this.grids[this.table];
  }

  _gridOf(name) {
    if (!this.grids[name]) {
      const source = new SOURCES[name](this.run);
      const grid = new Grid(source, TABLES[name], { ...this.settings, heat: name === "lines" }, {
        select: (row) => this._selected(row),
        toggle: () => name === "modules" && !this.opened && this._sync(),
        fold: (row) => source.fold(row) && grid.rebuild(),
        sort: (column) => this._sortBy(column),
        resize: () => this._fitColumns(),
      });
      grid.sort = name === "operators" ? "-flops" : name === "modules" ? this.model.get("sort") : "";
      if (name !== "modules") grid.openLevels(name === "lines" ? 2 : 1);
      this.grids[name] = grid;
    }
    return this.grids[name];
  }

  // --- what is shown --------------------------------------------------------------------------

  _showTab(name) {
    this.tab = name;
    const onTable = name in SOURCES;
    if (onTable) this.table = name;
    const grid = this._gridOf(this.table ?? (this.table = "modules"));
    this.panel.setAttribute("aria-labelledby", this.tabs.mark(name));
    this.panel.replaceChildren(onTable ? grid.element : this.roofline.element);
    this.details.hidden = !onTable;
    // Code needs all the width that there is.
    this.chart.element.hidden = !onTable || name === "lines";
    for (const part of this.ofTables) part.hidden = !onTable;
    if (this.model.get("by") !== name) this._set("by", name);
    if (!onTable) return this._wantChart();
    this.levels.element.hidden = name === "lines";
    this.levels.folding.hidden = name !== "modules";
    this.methods.hidden = name !== "lines";
    if (grid.source.query !== this.query) this._searchIn(grid);
    this._fitColumns();
    grid.rebuild();
    const row = grid.rows[grid.indexOfKey(grid.selected)];
    if (row) this._showDetails(row);
    else this.details.replaceChildren();
    return this._wantChart();
  }

  _readSettings() {
    const convention = this.model.get("convention");
    const metric = this.model.get("metric");
    const measure = measureOf(metric, convention);
    Object.assign(this.settings, { convention, metric, measure, whole: this.run.whole(measure) });
    for (const grid of Object.values(this.grids)) Object.assign(grid.settings, this.settings);
    this.convention.select.value = convention;
    this.metric.select.value = metric;
    drawHeadline(this.headline, this.run.headlines[convention]);
    this.ranks?.draw(convention);
  }

  /** Convention or metric have changed. */
  _update() {
    this._readSettings();
    for (const grid of Object.values(this.grids)) if (grid !== this.grid) grid.insideEpoch = -1;
    this.grid.rebuild();
    const row = this.grid.rows[this.grid.indexOfKey(this.grid.selected)];
    if (row) this._showDetails(row);
    this._wantChart();
  }

  _fitColumns() {
    const { grid } = this;
    if (!grid.element.isConnected) return;
    const columns = offered(grid.table.columns, this.run);
    const room = this.panel.clientWidth - 16;
    grid.columns = this.chosen[this.tab] ?? fitting(grid.table, columns, grid.widths, room);
    grid.refresh();
  }

  _chooseColumns(columns) {
    this.chosen[this.tab] = columns;
    this._fitColumns();
  }

  _sortBy(name) {
    const { grid } = this;
    // Numbers begin with the largest, names with the first; a third click gives the own order.
    const [first, second] = name === "name" ? [name, `-${name}`] : [`-${name}`, name];
    grid.sort = { [first]: second, [second]: "" }[grid.sort] ?? first;
    grid.rebuild();
    if (this.tab === "modules") this._set("sort", grid.sort);
  }

  _open(change) {
    change(this.grid);
    this.grid.rebuild();
    this.grid.on.toggle();
  }

  _openAtFirst() {
    const grid = this._gridOf("modules");
    const paths = this.model.get("expanded");
    const depth = this.model.get("_depth");
    if (paths) this._openPaths(paths);
    else if (depth === null || depth === undefined) grid.openFitting(OPEN_ROWS);
    else grid.openLevels(depth);
  }

  _openPaths(paths) {
    const { run } = this;
    this.grids.modules.open = new Set(paths.map((path) => run.placeAt(path)).filter((place) => place >= 0));
  }

  // --- search ---------------------------------------------------------------------------------

  _search(query) {
    this.query = query;
    this._searchIn(this.grid);
    this.grid.rebuild();
    if (query && this.grid.rows.length) this._nextHit();
  }

  _searchIn(grid) {
    const modules = grid.source instanceof ModuleTree;
    grid.source.search(this.query ?? "");
    if (modules && this.query) {
      this.opened ??= grid.open;
      grid.open = grid.source.around();
    } else if (modules && this.opened) {
      grid.open = this.opened;
      this.opened = null;
      const place = typeof grid.selected === "number" ? grid.selected : -1;
      if (place > 0) for (const key of grid.source.reveal(place)) grid.open.add(key);
      this._sync();
    }
    const { hits } = grid.source;
    this.search.count.textContent = this.query ? `${hits.toLocaleString("en")} match${hits === 1 ? "" : "es"}` : "";
  }

  _nextHit() {
    const { grid } = this;
    for (let step = 1; step <= grid.rows.length; step++) {
      const index = (grid.active + step) % grid.rows.length;
      if (grid.source.isHit(grid.rows[index])) return grid.activate(index, { cell: -1 });
    }
    return undefined;
  }

  // --- selection ------------------------------------------------------------------------------

  /** A row was selected here. */
  _selected(row) {
    this._showDetails(row);
    if (this.tab !== "modules") return;
    this.path = row.source.path(row);
    this.charted = row.nodes;
    this._wantChart();
    if (!this._requested) this._requested = requestAnimationFrame(() => {
      this._requested = 0;
      this._set("selected", this.path);
    });
  }

  /** A place was selected from outside: show it. */
  _select(path) {
    if (this.empty) return;
    const grid = this._gridOf("modules");
    const place = this.run.placeAt(path);
    this.path = place >= 0 ? path : "";
    this.charted = [Math.max(place, 0)];
    const shown = Math.max(place, 0);
    let index = grid.indexOfKey(shown);
    if (index < 0 && shown > 0) {
      for (const key of grid.source.reveal(shown)) grid.open.add(key);
      grid.rebuild();
      index = grid.indexOfKey(shown);
    }
    grid.selected = shown;
    if (index >= 0) grid.activate(index, { cell: -1 });
    else if (grid.rows.length) grid.selected = grid.rows[0].key;
    grid.refresh();
    const row = grid.rows[Math.max(index, 0)];
    if (row && this.tab === "modules") this._showDetails(row);
    this._wantChart();
  }

  /** After the next frame: details of the whole run look at every row of the report. */
  _showDetails(row) {
    this._detailed = row;
    if (this._drawing) return;
    this._drawing = requestAnimationFrame(() => setTimeout(() => {
      this._drawing = 0;
      drawDetails(this.details, this.run, this._detailed, this.settings.convention);
    }));
  }

  _wantChart() {
    if (this.empty) return;
    const { convention, metric } = this.settings;
    const dark = this.root.dataset.theme === "dark";
    if (this.tab === "roofline") {
      this.roofline.update({ convention, dark });
      return;
    }
    const width = Math.round(this.chart.element.clientWidth / 20) * 20;
    if (!width) return;
    const alike = this.charted.length;
    const nodes = alike > MOST_ALIKE ? this.charted.slice(0, 1) : this.charted;
    const where = alike > 1 ? `${this.path} and ${alike - 1} alike` : this.path || "the whole run";
    this.chart.want(
      { nodes, metric, convention, dark, width },
      `Bar chart: ${METRICS[metric].title} inside ${where}`,
    );
  }

  // --- Python ---------------------------------------------------------------------------------

  _set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** Tell Python which places are open. */
  _save() {
    const { open } = this.grids.modules;
    const paths = [];
    for (const place of open) paths.push(this.run.path(place));
    this._savedPaths = paths;
    this._set("expanded", paths);
  }

  _listen() {
    const { model } = this;
    const on = {
      "change:convention": () => this._update(),
      "change:metric": () => this._update(),
      "change:selected": () => model.get("selected") !== this.path && this._select(model.get("selected")),
      "change:by": () => model.get("by") !== this.tab && this._showTab(model.get("by")),
      "change:sort": () => {
        const grid = this.grids.modules;
        if (grid.sort === model.get("sort")) return;
        grid.sort = model.get("sort");
        grid.rebuild();
      },
      "change:expanded": () => {
        if (model.get("expanded") === this._savedPaths) return;
        this._openAtFirst();
        this.grids.modules.rebuild();
      },
    };
    for (const [name, action] of Object.entries(on)) model.on(name, action);
    const resized = debounced(60, () => {
      this._fitColumns();
      this._wantChart();
    });
    let width = this.root.clientWidth;
    const observer = new ResizeObserver(() => {
      if (this.root.clientWidth === width) return;
      width = this.root.clientWidth;
      resized();
    });
    observer.observe(this.root);
    const unwatch = watchTheme(() => {
      this.root.dataset.theme = isDark(this.root) ? "dark" : "light";
      this._wantChart();
    });
    this.remove = () => {
      for (const [name, action] of Object.entries(on)) model.off(name, action);
      observer.disconnect();
      unwatch();
      resized.cancel();
      this._sync.cancel();
      this.chart.remove();
      this.roofline.remove();
    };
  }
}

function render({ model, el }) {
  let view = started(model, el);
  // Python has brought another run: that of another rank.
  const replaced = () => {
    const focused = view.ranks?.element.contains(el.getRootNode().activeElement);
    view.remove();
    view = started(model, el);
    if (focused) view.ranks?.focus();
  };
  model.on("change:_data", replaced);
  return () => {
    model.off("change:_data", replaced);
    view.remove();
  };
}

function started(model, el) {
  const view = new View(model, el);
  // The element is in the page, and has a width, only after this.
  requestAnimationFrame(() => {
    if (view.empty) return;
    view.root.dataset.theme = isDark(view.root) ? "dark" : "light";
    view._fitColumns();
    view._wantChart();
  });
  return view;
}

export default { render };
