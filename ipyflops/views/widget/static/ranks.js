// The ranks of a run of several processes: how much each did, and which one the tables show.

import { make } from "./dom.js";
import { duration, scaled } from "./units.js";

/** The list of ranks; `choose(number)` is called with null for all of them together. */
export class RankList {
  constructor({ ranks, shown }, choose) {
    this.ranks = ranks;
    this.shown = shown ?? null;
    this.choose = choose;
    this.element = make("div", {
      class: "fw-ranks", role: "radiogroup", "aria-label": "Ranks: which of them is shown",
    });
    this.element.addEventListener("keydown", (event) => this._key(event));
  }

  /** Draw the rows under a convention: a bar as long as the FLOPs, beside it the time. */
  draw(convention) {
    const focused = this.element.contains(this.element.getRootNode().activeElement);
    const most = Math.max(...this.ranks.map((rank) => rank.flops?.[convention] ?? 0));
    this.element.replaceChildren(
      this._row({ number: null, there: true }, `all ${this.ranks.length} ranks`),
      ...this.ranks.map((rank) => this._row(rank, `rank ${rank.number}`, convention, most)),
    );
    if (focused) this.focus();
  }

  /** Put the focus on the rank that is shown. */
  focus() {
    this.element.querySelector('[aria-checked="true"]').focus();
  }

  _row(rank, name, convention, most) {
    const checked = rank.number === this.shown;
    const parts = [make("span", { class: "fw-rank-name", textContent: name })];
    if (rank.flops) {
      const flops = rank.flops[convention];
      const bar = make("span", { class: "fw-bar", "aria-hidden": "true" }, make("i", { class: "fw-forward" }));
      bar.firstChild.style.width = most ? `${(100 * flops) / most}%` : "0";
      const said = [scaled(flops, "FLOPs")];
      if (rank.seconds) said.push(duration(rank.seconds));
      if (rank.communicated) said.push(`${scaled(rank.communicated, "B")} communicated`);
      parts.push(bar, make("span", { textContent: said.join(" · ") }));
    }
    if (rank.problem) parts.push(make("span", { class: "fw-flag", textContent: `⚠ ${rank.problem}` }));
    else if (rank.place) parts.push(make("span", { class: "fw-type", textContent: rank.place }));
    const row = make("div", {
      class: "fw-rank", role: "radio", "aria-checked": checked, "aria-disabled": !rank.there,
      tabIndex: checked ? 0 : -1,
    }, ...parts);
    row.addEventListener("click", () => this._chosen(rank));
    return row;
  }

  _chosen(rank) {
    if (rank.there && rank.number !== this.shown) this.choose(rank.number);
  }

  /** The arrows choose, as in any group of radio buttons. */
  _key(event) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const there = [null, ...this.ranks.filter((rank) => rank.there).map((rank) => rank.number)];
    const at = there.indexOf(this.shown);
    this.choose(there[(at + step + there.length) % there.length]);
  }
}
