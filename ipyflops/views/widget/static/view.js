// The view of one report: which table is shown, how, and which of its rows is selected.

import { barsWanted } from "./bars_wanted.js";
import { settingsOf } from "./cells.js";
import { changeLegend } from "./change_chart.js";
import { ChangeTree } from "./change_tree.js";
import { fitting, nameRoom } from "./columns.js";
import { changesOf, makeGrid } from "./grids.js";
import { drawHeadline, phaseLine } from "./headline.js";
import { Height } from "./height.js";
import { listen } from "./listening.js";
import { OpenPlaces } from "./open_places.js";
import { arrange, chartBelow, mainArea, makeParts, ofTables, showControls } from "./parts.js";
import { Run } from "./run.js";
import { goToNextHit, Searching } from "./searching.js";
import { isDark } from "./theme.js";
import { ModuleTree } from "./tree.js";

/**
 * @import { Settings } from "./cells.js"
 * @import { Grid } from "./grid.js"
 * @import { Model, TableName, TabName, Traits } from "./message"
 * @import { Row } from "./rows.js"
 */

export class View {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.run = new Run(model.get("_data"));
    this.changes = changesOf(model.get("_data"), this.run);
    this.empty = this.run.rowScope.length === 0;
    /** @type {Partial<Record<TabName, boolean>>} the tabs that not every report has */
    this.there = { change: this.changes !== null, memory: this.run.held.has("peak_bytes") };
    /** @type {Map<TableName, Grid>} */
    this.grids = new Map();
    /** @type {TabName} */
    this.tab = "modules";
    /** @type {TableName} the table of the tab; behind a chart, the one that was open before */
    this.table = "modules";
    this.path = ""; // of what is selected, and the places whose sum the chart shows
    /** @type {number[]} */
    this.charted = [0];
    this._requested = 0; // a request for the next frame
    this.openPlaces = new OpenPlaces(this);

    root.classList.add("ipyflops-widget");
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.readTheme();
    this.parts = makeParts(this);
    this.main = mainArea(this.parts);
    this.height = new Height({
      root, panel: this.parts.panel,
      rest: () => this.parts.details.body.offsetHeight + chartBelow(this.parts),
      beside: () => !this.parts.chartOpener.offsetHeight && !this.parts.chart.element.hidden,
      table: () => (this.asIcicle ? this.parts.icicle : this.grid).wholeHeight,
      get: () => model.get("height"),
      set: (height) => this.set("height", height),
    });
    arrange(this, this.parts);
    this.searching = new Searching(
      (hits) => (this.parts.controls.search.count.textContent = hits),
      () => this.openPlaces.save(),
    );
    this.settings = this.settingsOf("modules");
    this._drawSettings();
    this.openPlaces.openAtFirst();
    this._open(model.get("by"));
    this._show(model.get("selected"));
    this._unlisten = listen(this);
  }

  get grid() {
    return this.gridOf(this.table);
  }

  /** Whether the modules are shown, and as an icicle. */
  get asIcicle() {
    return this.tab === "modules" && this.model.get("icicle");
  }

  /**
   * The grid of a table, which is made when it is first asked for.
   *
   * @param {TableName} name
   */
  gridOf(name) {
    let grid = this.grids.get(name);
    if (!grid) {
      grid = makeGrid(this, name);
      this.grids.set(name, grid);
    }
    return grid;
  }

  // --- what is shown --------------------------------------------------------------------------

  /**
   * Show another tab.
   *
   * @param {TabName} name
   */
  showTab(name) {
    if (name !== this.tab) this._open(name);
    if (this.model.get("by") !== name) this.set("by", name);
  }

  /** @param {TabName} name */
  _open(name) {
    if (this.there[name] === false) name = "modules";
    this.tab = name;
    const { parts } = this;
    const pane = name === "roofline" || name === "memory" ? parts[name] : null;
    if (name !== "roofline" && name !== "memory") this.table = name;
    const isTable = !pane;
    const { grid } = this;
    if (this.changes) this._drawHeadline();
    parts.panel.setAttribute("aria-labelledby", parts.tabs.mark(name));
    parts.panel.replaceChildren((pane ?? (this.asIcicle ? parts.icicle : grid)).element);
    this.main.classList.toggle("fw-high", !isTable);
    for (const part of ofTables(parts)) part.hidden = !isTable;
    // Code needs all the width that there is.
    parts.chart.element.hidden = parts.chartOpener.hidden = !isTable || name === "lines";
    if (isTable) {
      showControls(parts, name, this.asIcicle);
      if (grid.source.query !== this.searching.query) this.searching.apply(grid);
      this.fitColumns();
      grid.rebuild();
      this._drawIcicle();
      if (!this._detailSelected()) parts.details.show(null, this.settings.convention);
    }
    parts.controls.refresh();
    this.height.apply();
    this._wantChart();
  }

  /**
   * What is shown of a tab.
   *
   * @param {TabName} tab
   * @returns {Settings}
   */
  settingsOf(tab) {
    return settingsOf(this.run, this.model.get("metric"), this.model.get("convention"), tab);
  }

  _drawSettings() {
    const { convention, bar } = this.settings;
    this.parts.controls.convention.select.value = convention;
    this.parts.controls.metric.select.value = bar.key;
    this._drawHeadline();
    this.parts.ranks?.draw(convention);
  }

  _drawHeadline() {
    const { convention } = this.settings;
    if (this.changes && this.tab === "change") {
      drawHeadline(this.parts.headline, this.changes.headlines[convention], changeLegend(this.changes));
      return;
    }
    const phases = this.empty ? [] : this.run.byPhase(this.settingsOf("operators").measure);
    drawHeadline(this.parts.headline, this.run.headlines[convention], phaseLine(phases));
  }

  /** Convention or metric have changed. */
  showSettings() {
    this.settings = this.settingsOf("modules");
    for (const [name, grid] of this.grids) {
      Object.assign(grid.settings, this.settingsOf(name));
      if (grid.source instanceof ChangeTree) grid.source.setMeasure(grid.settings.measure);
    }
    this._drawSettings();
    this.grid.rebuild();
    this._drawIcicle();
    this._detailSelected();
    this.height.apply();
    this._wantChart();
  }

  /** The modules are to be shown as an icicle, or as a table again. */
  showAsIcicle() {
    if (this.tab !== "modules") return;
    this._open("modules");
    this._show(this.path);
    if (this.asIcicle) this.parts.icicle.show(this.charted[0]);
  }

  _drawIcicle() {
    if (this.asIcicle) this.parts.icicle.draw(this.settings, this.searching.query);
  }

  readTheme() {
    this.root.dataset.theme = isDark(this.root) ? "dark" : "light";
  }

  /** There is more room, or less. */
  fit() {
    if (this.empty) return;
    this._drawIcicle();
    this.fitColumns();
    this.height.apply();
    this._wantChart();
  }

  fitColumns() {
    const { grid } = this;
    if (!grid.element.isConnected) return;
    const columns = grid.source.run.columns[this.table] ?? [];
    const room = this.parts.panel.clientWidth - 16;
    grid.nameRoom = nameRoom(grid.table, room);
    const chosen = this.model.get("columns")[this.table]?.filter((name) => columns.includes(name));
    grid.columns = chosen ?? fitting(grid.table, columns, (name) => grid.width(name), room, this.run.asked);
    // Where there are no bars, nothing has to be said of their colours.
    this.root.classList.toggle("fw-no-bars", this.tab === "change" && !grid.columns.includes("change"));
    grid.refresh();
  }

  /** @param {string[] | null} columns null for those that fit */
  chooseColumns(columns) {
    const chosen = { ...this.model.get("columns") };
    if (columns) chosen[this.table] = columns;
    else delete chosen[this.table];
    this.set("columns", chosen);
    this.fitColumns();
  }

  /** @param {string} name of a column */
  sortBy(name) {
    const { grid } = this;
    // Numbers begin with the largest, names with the first; a third click gives the own order.
    const [first, second] = name === "name" ? [name, `-${name}`] : [`-${name}`, name];
    grid.sort = { [first]: second, [second]: "" }[grid.sort] ?? first;
    grid.rebuild();
    if (this.tab === "modules") this.set("sort", grid.sort);
  }

  /** @param {string} sort as the trait has it */
  sortModules(sort) {
    const grid = this.gridOf("modules");
    if (grid.sort === sort) return;
    grid.sort = sort;
    grid.rebuild();
  }

  // --- what is open ---------------------------------------------------------------------------

  /** @param {(grid: Grid) => void} change */
  changeOpen(change) {
    change(this.grid);
    this.grid.rebuild();
    this.grid.on.toggle();
  }

  // --- search ---------------------------------------------------------------------------------

  /** @param {string} query in lower case */
  search(query) {
    this.searching.query = query;
    this.searching.apply(this.grid);
    this.grid.rebuild();
    this._drawIcicle();
    if (query) this.nextHit();
  }

  nextHit() {
    goToNextHit(this.grid);
  }

  // --- selection ------------------------------------------------------------------------------

  /**
   * A row was selected here.
   *
   * @param {Row} row
   */
  rowSelected(row) {
    this._detail(row);
    this.parts.details.follow();
    if (this.tab !== "modules") this._wantChart();
    if (this.tab !== "modules") return;
    this.path = this.run.path(row.nodes[0]);
    this.charted = row.nodes;
    if (this.asIcicle && row.nodes[0] !== this.parts.icicle.selected) this.parts.icicle.show(row.nodes[0]);
    this._wantChart();
    this._requested ||= requestAnimationFrame(() => {
      this._requested = 0;
      this.set("selected", this.path);
    });
  }

  /**
   * A place of the icicle was selected.
   *
   * @param {number} place
   */
  selectPlace(place) {
    const { source } = this.gridOf("modules");
    if (source instanceof ModuleTree) this.rowSelected(source.rowOf([place]));
  }

  /**
   * A place was selected from outside: show it.
   *
   * @param {string} path
   */
  select(path) {
    if (path === this.path) return;
    this._show(path);
    this.parts.details.follow();
  }

  /** @param {string} path */
  _show(path) {
    if (this.empty) return;
    const grid = this.gridOf("modules");
    const place = this.run.placeAt(path);
    this.path = place >= 0 ? path : "";
    this.charted = [Math.max(place, 0)];
    if (this.asIcicle) this.parts.icicle.show(this.charted[0]);
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
    if (row && this.tab === "modules") this._detail(row);
    this._wantChart();
  }

  /** Show the details of the row that is selected; gives whether there is one. */
  _detailSelected() {
    const { grid } = this;
    const row = grid.rows[grid.indexOfKey(grid.selected)];
    if (row) this._detail(row);
    return Boolean(row);
  }

  /** @param {Row} row */
  _detail(row) {
    this.parts.details.show(row, this.settings.convention);
  }

  _wantChart() {
    if (this.empty) return;
    const { convention, bar } = this.settingsOf(this.tab);
    if (this.tab === "roofline") {
      this.parts.roofline.update({ convention });
      return;
    }
    if (this.tab === "memory") {
      this.parts.memory.update();
      return;
    }
    const { chart } = this.parts;
    const width = Math.round(chart.element.clientWidth / 20) * 20;
    const height = Math.floor(chart.element.clientHeight / 20) * 20;
    if (!width) return;
    chart.want(barsWanted(this, { metric: bar.key, convention, width, height }));
  }

  // --- Python ---------------------------------------------------------------------------------

  /**
   * Set a trait, and tell Python.
   *
   * @template {keyof Traits} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** End everything that would go on without the element. */
  remove() {
    this._unlisten();
    this.openPlaces.remove();
    this.parts.chart.remove();
    this.parts.roofline.remove();
    this.parts.memory.remove();
  }
}
