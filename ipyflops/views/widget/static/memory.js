// The tab with memory: its curve and its peak, drawn by matplotlib in Python, and who held it.

import { ChartPane } from "./chart.js";
import { make } from "./dom.js";

/** @import { Model } from "./message" */

const MAX_WIDTH = 900; // pixels; a wider chart only has more empty room

export class MemoryPane {
  /** @param {Model} model */
  constructor(model) {
    this.words = make("div", { class: "fw-words", role: "status" });
    this.chart = new ChartPane(model, "memory", (answer) => this._say(answer.words ?? []));
    this.element = make("div", { class: "fw-roofline" }, this.chart.element, this.words);
  }

  /** Show the chart, as wide as there is room. */
  update() {
    const room = Math.min(this.element.clientWidth, MAX_WIDTH);
    const width = Math.round(room / 20) * 20;
    if (!width) return;
    this.chart.want({
      request: { width },
      description: "Chart of memory: live bytes over operators, and what the peak is made of",
    });
  }

  /** @param {string[]} words */
  _say(words) {
    this.words.replaceChildren(...words.map((text) => make("p", { textContent: text })));
  }

  remove() {
    this.chart.remove();
  }
}
