// A chart: drawn by matplotlib in Python, asked for and shown here, in the colours of the page.

import { debounced, make } from "./dom.js";

/** @import { ChartAnswer, Model } from "./message" */

const PATIENCE = 150; // milliseconds without a change before a chart is asked for
const BUSY = 1000; // milliseconds without an answer before something else is shown
const SILENCE = 20000; // milliseconds without an answer before that is said
/** Alike modules whose sum the chart shows; of more it shows the first. */
export const MAX_ALIKE = 2000;

/**
 * What is asked for, and what may be shown for it.
 *
 * @typedef {object} Wanted
 * @property {object} request as Python takes it
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
    /** What is written, in the colour of the page's own texts. */
    this.ink = "";
    this._svg = "";
    /** @type {ReturnType<typeof setTimeout>[]} */
    this._timers = [];
    this.image = make("img", { class: "fw-image", alt: "", hidden: true });
    this.own = make("div", { hidden: true });
    this.remark = make("figcaption", { class: "fw-note", role: "status" });
    this.element = make("figure", { class: "fw-chart" }, this.image, this.own, this.remark);
    this._ask = debounced(PATIENCE, () => this._send());
    this._onChange = () => void this._show();
    model.on(`change:${this.trait}`, this._onChange);
  }

  /**
   * Show the chart in another colour: Python is not asked again.
   *
   * @param {string} ink
   */
  setInk(ink) {
    if (!ink || ink === this.ink) return;
    this.ink = ink;
    if (this._svg) this._paint();
  }

  _paint() {
    // A picture in an <img> does not inherit what `currentColor` in it stands for.
    this.image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(this.svg())}`;
  }

  /** The chart that is shown as a file of its own; empty where Python has drawn none. */
  svg() {
    return this._svg && this._svg.replace("<svg ", `<svg color="${this.ink}" `);
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
    if (this.draw) {
      this.own.replaceChildren(this.draw());
      this.own.hidden = false;
      this.image.hidden = true;
    } else if (this.image.hidden) {
      this.remark.textContent = "Waiting for the kernel, which draws this chart.";
    }
  }

  _silent() {
    this.element.classList.remove("fw-waiting");
    if (this.image.hidden && !this.draw) this.remark.textContent = "The chart needs a running kernel.";
  }

  _stopWaiting() {
    this._timers.forEach(clearTimeout);
    this._timers = [];
  }

  /** Show the chart that has come; gives whether it is the one that is wanted. */
  _show() {
    const chart = this.model.get(this.trait) ?? {};
    const current = chart.key === this.wanted;
    // Another view of the same widget may have asked for another chart; it is better than none.
    if (!chart.key || !(current || (this.image.hidden && this.own.hidden))) return false;
    if (chart.svg) {
      this._svg = chart.svg;
      this._paint();
      this.image.alt = this.description;
      this.image.hidden = false;
      this.own.hidden = true;
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
