// The icicle in the place of the table of modules: a click goes into a place, one on what is above
// it goes out again.
//
// As in the table, one element has the focus, and only the rows in sight are made.

import { hasFocus, make, marked, uniqueId } from "./dom.js";
import { inSight, ROW_HEIGHT } from "./grid.js";
import { layOut } from "./icicle.js";
import { percent } from "./units.js";

/**
 * @import { Settings } from "./cells.js"
 * @import { Part } from "./icicle.js"
 * @import { Run } from "./run.js"
 */

const LEVELS = 100;
const LEAST = 3; // pixels of a part that stands alone
const LEAST_SHARED = 1; // pixels of one that several share
const SHARED = 90; // pixels that parts share which are narrower, so that they have a name
const NAMED = 30; // pixels from which on a part has its name in it
const FULL = 130; // pixels from which on it has its share, too
const END = 7; // characters at most of a name that are seen whatever is cut out of its middle
const OF_END = 14; // pixels of a part to each of them

/** A part as it is drawn, below those around it. @typedef {Part & { around: boolean }} Drawn */

export class IciclePane {
  /**
   * @param {Run} run
   * @param {(place: number) => void} select called when somebody has chosen a place
   */
  constructor(run, select) {
    this.run = run;
    this.select = select;
    this.query = "";
    const children = run.childrenOf(0);
    /** The first place: the whole run, or the one outermost module, as in the table. */
    this.first = children.length === 1 && !run.hasOwn(0) ? children[0] : 0;
    /** @type {number[]} what is shown: a place, or siblings that share a part */
    this.top = [this.first];
    this.selected = this.first;
    this.active = String(this.first); // the key of the part that the keys start from
    /** @type {Drawn[][]} */
    this.rows = [];
    /** @type {Settings | null} */
    this.settings = null;
    this._width = 0;
    this._id = uniqueId("icicle");
    /** @type {Map<number, HTMLElement>} */
    this._shown = new Map();
    this.body = make("div", { class: "fw-icicle-body", role: "none" });
    this.nothing = make("p", { class: "fw-note", hidden: true });
    this.element = make("div", {
      class: "fw-icicle", role: "tree", tabIndex: 0, "aria-label": "Modules as an icicle",
    }, this.body, this.nothing);
    this.element.addEventListener("scroll", () => this._drawRows(), { passive: true });
    this.element.addEventListener("keydown", (event) => this._key(event));
    this.body.addEventListener("click", (event) => this._clicked(event));
  }

  /** The pixels that all rows take. */
  get wholeHeight() {
    return Math.max(this.rows.length, 3) * ROW_HEIGHT + 2;
  }

  /**
   * Draw it, as wide as there is room.
   *
   * @param {Settings} settings
   * @param {string} query what is searched for, in lower case
   */
  draw(settings, query) {
    this.settings = settings;
    this.query = query;
    this._width = this.element.clientWidth;
    if (!this._width) return;
    const { run, top } = this;
    const parts = layOut(run, top, settings.measure, {
      levels: LEVELS, least: LEAST / this._width, shared: SHARED / this._width,
    });
    const around = parts.length ? this._around() : [];
    this.rows = [
      ...around.map((place, level) => [{
        key: String(place), places: [place], rest: false, level, start: 0, width: 1, phase: null, around: true,
      }]),
      ...parts.map((row) => row.filter(({ width }) => width * this._width >= LEAST_SHARED).map((part) => ({ ...part, level: part.level + around.length, around: false }))),
    ];
    this.nothing.hidden = parts.length > 0;
    this.nothing.textContent = `no ${settings.bar.name}`;
    this.body.style.height = `${this.rows.length * ROW_HEIGHT}px`;
    this.element.setAttribute("aria-label", `Modules as an icicle: widths are ${settings.bar.name}`);
    if (!this._find(this.active)) this.active = this.rows[around.length]?.[0].key ?? "";
    this._shown.forEach((element) => element.remove());
    this._shown.clear();
    this._drawRows();
  }

  /**
   * A place was selected elsewhere: it is marked, and seen.
   *
   * @param {number} place
   */
  show(place) {
    this.selected = place;
    this.active = String(place);
    if (!this.settings) return;
    const found = this._find(this.active);
    if (!found || found.width * this._width < NAMED) {
      const { parent } = this.run;
      this.top = [place === this.first || place === 0 ? this.first : parent[place]];
      if (this.top[0] < this.first) this.top = [this.first];
      this.draw(this.settings, this.query);
    }
    // It may be one of many that are too narrow there.
    if (!this._find(String(place)) && place > this.first) {
      this.top = [place];
      this.active = String(place);
      this.draw(this.settings, this.query);
    }
    this._drawRows();
  }

  /** The places around what is shown, the outermost first. */
  _around() {
    const places = [];
    const [place] = this.top;
    for (let at = place; at !== this.first && at > 0;) {
      at = this.run.parent[at];
      places.unshift(at);
    }
    return places;
  }

  /** @param {string} key */
  _find(key) {
    for (const row of this.rows) {
      const found = row.find((part) => part.key === key);
      if (found) return found;
    }
    return undefined;
  }

  // --- drawing ----------------------------------------------------------------------------------

  _drawRows() {
    const { scrollTop, clientHeight } = this.element;
    const [from, to] = inSight(scrollTop, clientHeight, this.rows.length);
    for (const [level, element] of this._shown) {
      if (level >= from && level < to) continue;
      element.remove();
      this._shown.delete(level);
    }
    for (let level = from; level < to; level++) {
      if (this._shown.has(level)) continue;
      const row = make("div", { class: "fw-icicle-row", role: "none" },
        ...this.rows[level].map((part, index) => this._box(part, index)));
      row.style.top = `${level * ROW_HEIGHT}px`;
      this._shown.set(level, row);
      this.body.append(row);
    }
    this._mark();
  }

  /**
   * @param {Drawn} part
   * @param {number} index
   */
  _box(part, index) {
    const width = part.width * this._width;
    const said = this._said(part);
    const isMiss = this.query !== "" && !this._isHit(part);
    const box = make("div", {
      class: `fw-part fw-${part.around ? "around" : (part.phase ?? "rest")}${isMiss ? " fw-miss" : ""}`,
      role: "treeitem", id: `${this._id}-${part.level}-${index}`, title: said, "aria-label": said,
      "aria-level": part.level + 1, "aria-expanded": this._expanded(part), "data-key": part.key,
    }, ...(width >= NAMED ? this._label(part, width) : []));
    box.style.left = `${(100 * part.start).toFixed(4)}%`;
    box.style.width = `${(100 * part.width).toFixed(4)}%`;
    return box;
  }

  /**
   * Whether what is inside a part stands below it; null where nothing is inside.
   *
   * @param {Drawn} part
   */
  _expanded(part) {
    if (!part.rest && !this.run.childrenOf(part.places[0]).length) return null;
    const below = this.rows[part.level + 1] ?? [];
    return below.some(({ start }) => start >= part.start && start < part.start + part.width);
  }

  /**
   * @param {Drawn} part
   * @param {number} width in pixels
   */
  _label(part, width) {
    const name = this._name(part);
    const letters = [...name];
    const end = letters.length - Math.max(1, Math.min(END, Math.floor(width / OF_END) - 1));
    const text = this.query && name.toLowerCase().includes(this.query)
      ? [make("span", { class: "fw-start" }, ...marked(name, this.query))]
      : [
        make("span", { class: "fw-start", textContent: letters.slice(0, Math.max(end, 0)).join("") }),
        make("span", { class: "fw-end", textContent: letters.slice(Math.max(end, 0)).join("") }),
      ];
    const share = width >= FULL ? make("span", { class: "fw-type", textContent: this._share(part) }) : null;
    return share ? [...text, share] : text;
  }

  /** @param {Drawn} part */
  _name({ places, rest, level }) {
    /** @param {number} place */
    const name = (place) => this.run.name(place) || (place ? "(no name)" : "(all)");
    if (!rest) return name(places[0]);
    const among = this.rows[level]?.some((one) => !one.rest);
    if (among) return `${places.length.toLocaleString("en")} more`;
    return `${name(places[0])} … ${name(places[places.length - 1])}`;
  }

  /** @param {Drawn} part */
  _sum({ places }) {
    const totals = this.run.totals(this.settings?.measure ?? "");
    let sum = 0;
    for (const place of places) for (let phase = 0; phase < 4; phase++) sum += totals[4 * place + phase];
    return sum;
  }

  /** @param {Drawn} part */
  _share(part) {
    const whole = this.settings?.whole ?? 0;
    const share = this._sum(part) / whole;
    // Sums of large numbers in another order differ in their last digits.
    return percent(Math.abs(share - 1) < 1e-9 ? 1 : share);
  }

  /** @param {Drawn} part */
  _said(part) {
    const { run, settings } = this;
    const [place] = part.places;
    const path = part.rest ? this._name(part) : run.path(place) || this._name(part);
    const type = part.rest ? "" : run.type(place);
    const amount = `${settings?.bar.longOfSum(this._sum(part))} · ${this._share(part)} of all`;
    return [path, type, amount].filter(Boolean).join(" · ");
  }

  /** @param {Drawn} part */
  _isHit({ places }) {
    const { run, query } = this;
    return places.some((place) => [run.name(place), run.type(place), query.includes(".") ? run.path(place) : ""]
      .some((text) => text.toLowerCase().includes(query)));
  }

  _mark() {
    let active = "";
    for (const row of this._shown.values()) {
      for (const box of row.children) {
        const key = box.getAttribute("data-key");
        box.classList.toggle("fw-selected", key === String(this.selected));
        box.classList.toggle("fw-active", key === this.active);
        box.setAttribute("aria-selected", String(key === String(this.selected)));
        if (key === this.active) active = box.id;
      }
    }
    if (active) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
  }

  // --- moving -----------------------------------------------------------------------------------

  /**
   * Make a part the active one, and its place the selected one.
   *
   * @param {Drawn} part
   */
  activate(part) {
    this.active = part.key;
    const top = part.level * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) this.element.scrollTop = top + ROW_HEIGHT - clientHeight;
    const [place] = part.places;
    if (!part.rest && place !== this.selected) {
      this.selected = place;
      this.select(place);
    }
    this._drawRows();
  }

  /**
   * Go into a part, or out to one that is around what is shown.
   *
   * @param {Drawn} part
   */
  enter(part) {
    const isOpen = part.places.length === this.top.length && part.places[0] === this.top[0];
    const inside = part.rest || this.run.childrenOf(part.places[0]).length > 0;
    if (!isOpen && inside && this.settings) {
      this.top = part.places;
      this.active = part.key;
      this.element.scrollTop = 0;
      this.draw(this.settings, this.query);
    }
    this.activate(this._find(part.key) ?? part);
  }

  /** Go one place out; gives whether there is one. */
  out() {
    const around = this._around();
    const last = this._find(String(around.at(-1)));
    if (!around.length || !last) return false;
    this.enter(last);
    return true;
  }

  /** @param {MouseEvent} event */
  _clicked(event) {
    const target = /** @type {Element} */ (event.target);
    const key = target.closest(".fw-part")?.getAttribute("data-key");
    const part = key && this._find(key);
    if (!part) return;
    this.element.focus({ preventScroll: true });
    this.enter(part);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (!hasFocus(this.element) || event.altKey || event.ctrlKey || event.metaKey) return;
    const part = this._find(this.active);
    if (!part || !this._move(event.key, part)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Do what a key does; gives whether it does something.
   *
   * @param {string} key
   * @param {Drawn} part
   */
  _move(key, part) {
    const row = this.rows[part.level];
    const at = row.indexOf(part);
    /** @type {Record<string, Drawn | undefined>} */
    const next = {
      ArrowRight: row[at + 1],
      ArrowLeft: row[at - 1],
      Home: row[0],
      End: row[row.length - 1],
      ArrowUp: this.rows[part.level - 1]?.findLast(({ start }) => start <= part.start + 1e-12),
      ArrowDown: this.rows[part.level + 1]?.find(
        ({ start }) => start >= part.start - 1e-12 && start < part.start + part.width - 1e-12),
    };
    if (Object.hasOwn(next, key)) {
      if (next[key]) this.activate(next[key]);
      return true;
    }
    if (key === "Enter" || key === " ") this.enter(part);
    else if (key === "Escape" || key === "Backspace") return this.out() || key === "Backspace";
    else if ([...key].length === 1) this._goTo(key.toLowerCase(), part);
    else return false;
    return true;
  }

  /**
   * Go to the next part whose name begins with a letter.
   *
   * @param {string} letter
   * @param {Drawn} part
   */
  _goTo(letter, part) {
    const all = this.rows.flat();
    const at = all.indexOf(part);
    const next = [...all.slice(at + 1), ...all.slice(0, at)]
      .find((one) => this._name(one).toLowerCase().startsWith(letter));
    if (next) this.activate(next);
  }
}
