// The tab with the roofline: drawn by matplotlib in Python, with words about what limits what.

import { ChartPane } from "./chart.js";
import { make } from "./dom.js";
import { choice } from "./toolbar.js";

/** @import { Convention, Model } from "./message" */

const MAX_WIDTH = 900; // pixels; a wider chart only has more empty room

export class RooflinePane {
  /** @param {Model} model */
  constructor(model) {
    /** @type {{ convention: Convention } | undefined} */
    this._request = undefined;
    this.points = choice("Points", [["modules", "modules"], ["operators", "operators"]], () => this.update());
    this.words = make("div", { class: "fw-words", role: "status" });
    this.chart = new ChartPane(model, "roofline", (answer) => this._say(answer.words ?? []));
    this.element = make("div", { class: "fw-roofline" }, this.points.element, this.words, this.chart.element);
  }

  /**
   * Show the chart for a convention.
   *
   * @param {{ convention: Convention }} [request] that of the last call where left out
   */
  update(request = this._request) {
    if (!request) return;
    this._request = request;
    const room = Math.min(this.element.clientWidth, MAX_WIDTH);
    const width = Math.round(room / 20) * 20;
    if (!width) return;
    const points = this.points.select.value;
    this.chart.want({
      request: { ...request, points, width },
      description: `Roofline chart of the ${points}: FLOPS against FLOPs per byte`,
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
