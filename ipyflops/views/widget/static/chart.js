// A chart: drawn by matplotlib in Python, asked for and shown here, in the colours of the page.

import { debounced, make } from "./dom.js";

/** @import { ChartAnswer, Model } from "./message" */

const PATIENCE = 150; // milliseconds without a change before a chart is asked for
const BUSY = 1000; // milliseconds without an answer before something else is shown
const SILENCE = 20000; // milliseconds without an answer before that is said
/** The elements that pictures are made of. */
const DRAWN = new Set(["svg", "path", "rect", "text"]);
/** Alike modules whose sum the chart shows; of more it shows the first. */
export const MAX_ALIKE = 2000;

/**
 * What is asked for, and what may be shown for it.
 *
 * @typedef {object} Wanted
 * @property {{ width: number, [name: string]: unknown }} request as Python takes it
 * @property {string} description for those who do not see it
 * @property {() => HTMLElement} [draw] draws it here, for as long as Python does not answer
 */

export class ChartPane {
  /**
   * @param {Model} model
   * @param {"chart" | "roofline" | "memory"} kind what is asked for; the answer comes in a trait of that name
   * @param {(answer: ChartAnswer) => void} [on] called with each answer
   */
  constructor(model, kind, on = () => {}) {
    this.model = model;
    this.kind = kind;
    this.trait = /** @type {"_chart" | "_roofline" | "_memory"} */ (`_${kind}`);
    this.on = on;
    /** @type {string | null} the key of the request */
    this.wanted = null;
    this.description = "";
    /** @type {(() => HTMLElement) | undefined} */
    this.draw = undefined;
    /** @type {ReturnType<typeof setTimeout>[]} */
    this._timers = [];
    this.image = make("div", { class: "fw-image", role: "img", hidden: true });
    this.table = make("div", { class: "fw-sr" });
    this.own = make("div", { hidden: true });
    this.placeholder = make("div", { class: "fw-placeholder", "aria-hidden": "true", textContent: "drawing …" });
    this.remark = make("span", { role: "status" });
    this.element = make("figure", { class: "fw-chart" },
      this.image, this.table, this.own, this.placeholder, make("figcaption", { class: "fw-note" }, this.remark));
    this._ask = debounced(PATIENCE, () => this._send());
    this._onChange = () => void this._show();
    model.on(`change:${this.trait}`, this._onChange);
  }

  /**
   * The chart that is shown as a file of its own; empty where Python has drawn none.
   *
   * @returns {string}
   */
  svg() {
    const svg = this.image.firstElementChild?.cloneNode(true);
    if (!(svg instanceof SVGElement)) return "";
    // What a page gives it, a file has not.
    svg.setAttribute("color", getComputedStyle(this.image).color);
    svg.setAttribute("font-family", "sans-serif");
    svg.removeAttribute("aria-hidden");
    return new XMLSerializer().serializeToString(svg);
  }

  /**
   * Ask for a chart.
   *
   * @param {Wanted} wanted
   */
  want({ request, description, draw }) {
    const key = JSON.stringify(request);
    this.draw = draw;
    if (key === this.wanted) return;
    this.wanted = key;
    this.description = description;
    this._stopWaiting();
    if (this._show()) return;
    this.element.classList.add("fw-waiting");
    this._ask();
  }

  _send() {
    this._timers = [
      setTimeout(() => this._busy(), BUSY),
      setTimeout(() => this._silent(), SILENCE),
    ];
    try {
      this.model.send({ kind: this.kind, key: this.wanted, ...JSON.parse(this.wanted ?? "{}") });
    } catch {
      this._busy();
      this._silent();
    }
  }

  /** Show something else in the place of the chart that does not come. */
  _busy() {
    // The same chart in another size is better than one of the browser's.
    if (!this.image.hidden && withoutSize(this.model.get(this.trait)?.key) === withoutSize(this.wanted)) return;
    if (this.draw) {
      this.own.replaceChildren(this.draw());
      this._put(this.own);
    } else if (this.image.hidden) {
      this.remark.textContent = "Waiting for the kernel, which draws this chart.";
    }
  }

  _silent() {
    this.element.classList.remove("fw-waiting");
    if (!this.placeholder.hidden && !this.draw) this.remark.textContent = "The chart needs a running kernel.";
  }

  _stopWaiting() {
    this._timers.forEach(clearTimeout);
    this._timers = [];
  }

  /**
   * Show one of what may stand in the place of the chart.
   *
   * @param {HTMLElement} shown
   */
  _put(shown) {
    for (const one of [this.image, this.own, this.placeholder]) one.hidden = one !== shown;
    this.table.hidden = this.image.hidden;
  }

  /** Show the chart that has come; gives whether it is the one that is wanted. */
  _show() {
    const chart = this.model.get(this.trait) ?? {};
    const current = chart.key === this.wanted;
    // Another view of the same widget may have asked for another chart; it is better than none.
    if (!chart.key || !(current || !this.placeholder.hidden)) return false;
    const svg = chart.svg && read(chart.svg);
    if (svg) {
      svg.setAttribute("aria-hidden", "true");
      this.image.replaceChildren(svg);
      this.image.setAttribute("aria-label", this.description);
      this.table.replaceChildren(tableOf(this.description, chart));
      this._put(this.image);
    }
    this.remark.textContent = chart.error ?? "";
    this.on(chart);
    if (current) {
      this._stopWaiting();
      this.element.classList.remove("fw-waiting");
    }
    return current;
  }

  remove() {
    this._ask.cancel();
    this._stopWaiting();
    this.model.off(`change:${this.trait}`, this._onChange);
  }
}

/**
 * What a chart shows, whatever room there is.
 *
 * @param {string | null | undefined} key
 */
function withoutSize(key) {
  const request = JSON.parse(key || "{}");
  delete request.width;
  delete request.height;
  return JSON.stringify(request);
}

/**
 * The element of a picture, whose texts are in the fonts and colours of the page. Of what else a
 * file may have put there nothing is taken.
 *
 * @param {string} text
 */
function read(text) {
  const { documentElement } = new DOMParser().parseFromString(text, "image/svg+xml");
  const every = [documentElement, ...documentElement.querySelectorAll("*")];
  const plain = every.every((one) => DRAWN.has(one.localName) &&
    one.getAttributeNames().every((name) => !name.startsWith("on")));
  return plain ? document.importNode(documentElement, true) : null;
}

/**
 * What the picture says, for those who do not see it.
 *
 * @param {string} caption
 * @param {ChartAnswer} chart
 */
function tableOf(caption, { head = [], rows = [] }) {
  return make("table", {},
    make("caption", { textContent: caption }),
    make("thead", {}, make("tr", {}, ...head.map((textContent) => make("th", { scope: "col", textContent })))),
    make("tbody", {}, ...rows.map(([first, ...others]) => make("tr", {},
      make("th", { scope: "row", textContent: first }),
      ...others.map((textContent) => make("td", { textContent }))))));
}
