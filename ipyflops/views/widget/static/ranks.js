// The ranks of a run of several processes: how much each did, and which one the tables show.

import { hasFocus, make } from "./dom.js";

/**
 * @import { Convention, Rank } from "./message"
 * @import { Metrics } from "./metrics.js"
 */

/** What the keys of a group of radio buttons do.
 *  @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

export class RankList {
  /**
   * @param {Rank[]} ranks
   * @param {number | null} shown null for all of them together
   * @param {Metrics} metrics
   * @param {(number: number | null) => void} choose
   */
  constructor(ranks, shown, metrics, choose) {
    this.ranks = ranks;
    this.shown = shown;
    this.metrics = metrics;
    this.choose = choose;
    this.element = make("div", {
      class: "fw-ranks", role: "radiogroup", "aria-label": "Ranks: which of them is shown",
    });
    this.element.addEventListener("keydown", (event) => this._key(event));
  }

  /**
   * Draw the rows under a convention: a bar as long as the FLOPs, beside it the time.
   *
   * @param {Convention} convention
   */
  draw(convention) {
    const focused = hasFocus(this.element);
    const most = Math.max(...this.ranks.map((rank) => rank.flops?.[convention] ?? 0));
    this.element.replaceChildren(
      this._row({ number: null, there: true }, `all ${this.ranks.length} ranks`, []),
      ...this.ranks.map((rank) =>
        this._row(rank, `rank ${rank.number}`, this._numbers(rank, convention, most))),
    );
    if (focused) this.focus();
  }

  /** Put the focus on the rank that is shown. */
  focus() {
    const shown = this.element.querySelector('[aria-checked="true"]');
    if (shown instanceof HTMLElement) shown.focus();
  }

  /**
   * A bar, and the numbers beside it.
   *
   * @param {Rank} rank
   * @param {Convention} convention
   * @param {number} most FLOPs of a rank
   */
  _numbers(rank, convention, most) {
    if (!rank.flops) return [];
    const flops = rank.flops[convention];
    const bar = make("i", { class: "fw-forward" });
    bar.style.width = most ? `${(100 * flops) / most}%` : "0";
    const numbers = [this.metrics.of("flops").long(flops)];
    if (rank.seconds) numbers.push(this.metrics.of("seconds").long(rank.seconds));
    if (rank.communicated) {
      const metric = this.metrics.of("communicated");
      numbers.push(`${metric.long(rank.communicated)} ${metric.phrase}`);
    }
    return [
      make("span", { class: "fw-bar", "aria-hidden": "true" }, bar),
      make("span", { textContent: numbers.join(" · ") }),
    ];
  }

  /**
   * @param {Rank} rank
   * @param {string} name
   * @param {HTMLElement[]} numbers
   */
  _row(rank, name, numbers) {
    const checked = rank.number === this.shown;
    const parts = [make("span", { class: "fw-rank-name", textContent: name }), ...numbers];
    if (rank.problem) parts.push(make("span", { class: "fw-flag", textContent: `⚠ ${rank.problem}` }));
    else if (rank.place) parts.push(make("span", { class: "fw-type", textContent: rank.place }));
    const row = make("div", {
      class: "fw-rank", role: "radio", "aria-checked": checked, "aria-disabled": !rank.there,
      tabIndex: checked ? 0 : -1,
    }, ...parts);
    row.addEventListener("click", () => this._chosen(rank));
    return row;
  }

  /** @param {Rank} rank */
  _chosen(rank) {
    if (rank.there && rank.number !== this.shown) this.choose(rank.number);
  }

  /**
   * The arrows choose, as in any group of radio buttons.
   *
   * @param {KeyboardEvent} event
   */
  _key(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const there = [null, ...this.ranks.filter((rank) => rank.there).map((rank) => rank.number)];
    const at = there.indexOf(this.shown);
    this.choose(there[(at + step + there.length) % there.length]);
  }
}
