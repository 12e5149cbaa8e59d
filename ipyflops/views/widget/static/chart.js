// A chart: drawn by matplotlib in Python, asked for and shown here.

import { debounced, make } from "./dom.js";

/** @import { ChartAnswer, Model } from "./message" */

const PATIENCE = 150; // milliseconds without a change before a chart is asked for
/** Alike modules whose sum the chart shows; of more it shows the first. */
export const MAX_ALIKE = 2000;
const SILENCE = 20000; // milliseconds without an answer before that is said

export class ChartPane {
  /**
   * @param {Model} model
   * @param {"chart" | "roofline"} kind what is asked for; the answer comes in a trait of that name
   * @param {(answer: ChartAnswer) => void} [on] called with each answer
   */
  constructor(model, kind, on = () => {}) {
    this.model = model;
    this.kind = kind;
    this.trait = /** @type {"_chart" | "_roofline"} */ (`_${kind}`);
    this.on = on;
    /** @type {string | null} the key of the request */
    this.wanted = null;
    this.dark = false;
    this.description = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    this.image = make("img", { class: "fw-image", alt: "", hidden: true });
    this.remark = make("figcaption", { class: "fw-note", role: "status" });
    this.element = make("figure", { class: "fw-chart" }, this.image, this.remark);
    this._ask = debounced(PATIENCE, () => this._send());
    this._onChange = () => void this._show();
    model.on(`change:${this.trait}`, this._onChange);
  }

  /**
   * Ask for a chart.
   *
   * @param {{ dark: boolean, width: number, [option: string]: unknown }} request as Python takes it
   * @param {string} description for those who do not see it
   */
  want(request, description) {
    const key = JSON.stringify(request);
    if (key === this.wanted) return;
    // What was drawn for a light page cannot be read on a dark one.
    if (request.dark !== this.dark) this.image.hidden = true;
    this.wanted = key;
    this.dark = request.dark;
    this.description = description;
    if (this._show()) return;
    this.element.classList.add("fw-waiting");
    this._ask();
  }

  _send() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._silent(), SILENCE);
    try {
      this.model.send({ kind: this.kind, key: this.wanted, ...JSON.parse(this.wanted ?? "{}") });
    } catch {
      this._silent();
    }
  }

  _silent() {
    this.element.classList.remove("fw-waiting");
    if (this.image.hidden) this.remark.textContent = "The chart needs a running kernel.";
  }

  /** Show the chart that has come; gives whether it is the one that is wanted. */
  _show() {
    const chart = this.model.get(this.trait) ?? {};
    const current = chart.key === this.wanted;
    // Another view of the same widget may have asked for another chart; it is better than none.
    const usable = current || (this.image.hidden && JSON.parse(chart.key ?? "{}").dark === this.dark);
    if (!chart.key || !usable) return false;
    if (chart.svg) {
      this.image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(chart.svg)}`;
      this.image.alt = this.description;
      this.image.hidden = false;
    }
    this.remark.textContent = chart.error ?? "";
    this.on(chart);
    if (current) {
      clearTimeout(this._timer);
      this.element.classList.remove("fw-waiting");
    }
    return current;
  }

  remove() {
    this._ask.cancel();
    clearTimeout(this._timer);
    this.model.off(`change:${this.trait}`, this._onChange);
  }
}
