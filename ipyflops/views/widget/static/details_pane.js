// The details below the table: one line that says what there is, and more once a row is selected.

import { drawDetails } from "./details.js";
import { make, uniqueId } from "./dom.js";
import { groupsOf } from "./operator_table.js";
import { CONVENTIONS } from "./run.js";

/**
 * @import { Convention } from "./message"
 * @import { Row } from "./rows.js"
 * @import { Run } from "./run.js"
 */

export class DetailsPane {
  /**
   * @param {Run} run
   * @param {() => void} on called when it has opened or closed
   */
  constructor(run, on) {
    this.run = run;
    this.on = on;
    this.isOpen = false;
    /** @type {Row | null} */
    this.row = null;
    /** @type {Convention} */
    this.convention = "standard";
    this._drawing = 0; // the request for the next frame
    this._closedByHand = false;
    const id = uniqueId("details");
    this.mark = make("span", { class: "fw-mark", "aria-hidden": "true" });
    this.summary = make("span", { class: "fw-summary" });
    this.opener = make("button", {
      class: "fw-opener", type: "button", title: "Operators, shapes and formulas of the selected row",
      "aria-controls": id,
    }, this.mark, this.summary);
    this.opener.addEventListener("click", () => {
      this._closedByHand = this.isOpen;
      this.open(!this.isOpen);
    });
    this.body = make("section", { class: "fw-details", id, "aria-label": "Details of the selected row", tabIndex: 0 });
    this.element = make("div", { class: "fw-detailed" }, this.opener, this.body);
    this.open(false);
  }

  /** @param {boolean} open */
  open(open) {
    const changed = open !== this.isOpen;
    this.isOpen = open;
    this.opener.setAttribute("aria-expanded", String(open));
    this.mark.textContent = open ? "▾" : "▸";
    this.body.hidden = !open;
    if (changed) this.on();
    this._want();
  }

  /** The user has selected a row: say more about it, unless the details were closed by hand. */
  follow() {
    if (!this.isOpen && !this._closedByHand) this.open(true);
  }

  /**
   * Show the details of a row; none where it is null.
   *
   * @param {Row | null} row
   * @param {Convention} convention
   */
  show(row, convention) {
    this.row = row;
    this.convention = convention;
    this._want();
  }

  /** Draw after the next frame: the details of the whole run look at every row of the report. */
  _want() {
    if (!this.row) this.body.replaceChildren();
    this._drawing ||= requestAnimationFrame(() => setTimeout(() => {
      this._drawing = 0;
      this._draw();
    }));
  }

  _draw() {
    const { row, run, convention } = this;
    this.opener.hidden = !row;
    if (!row) return;
    this.summary.textContent = row.source.summary?.(row, convention) ?? summaryOf(run, row, convention);
    if (!this.isOpen) return;
    const details = row.source.details?.(row, convention);
    if (details) this.body.replaceChildren(...details);
    else drawDetails(this.body, run, row, convention);
  }
}

/**
 * What there is to say about a row, as "59 operators, 7 formulas".
 *
 * @param {Run} run
 * @param {Row} row
 * @param {Convention} convention
 */
export function summaryOf(run, row, convention) {
  const groups = groupsOf(run, row.source.items(row), convention);
  const formulas = new Set();
  for (const { signature } of groups) {
    const [, , , verdict, texts] = run.expressions[signature];
    if (verdict === "formula") formulas.add(texts[CONVENTIONS.indexOf(convention)] ?? texts[0]);
  }
  const said = `${counted(groups.length, "operator")}, ${counted(formulas.size, "formula")}`;
  return row.kind === "root" ? said : `${row.name.trim() || "this line"}: ${said}`;
}

/**
 * @param {number} count
 * @param {string} name
 */
function counted(count, name) {
  return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
}
