// What a report says first: figures with their definitions, and what nobody may miss.

import { make, uniqueId } from "./dom.js";
import { place } from "./menus.js";
import { rove } from "./roving.js";
import { PHASES } from "./run.js";
import { percent } from "./units.js";

/** @import { Headline, HeadlineItem } from "./message" */

const LINE = 100; // characters of a note that needs no line of its own to unfold

/**
 * Write the headline into an element. It is one stop of the Tab key: the arrows go from figure to figure.
 *
 * @param {HTMLElement} element
 * @param {Headline} headline
 * @param {HTMLElement | null} legend what the colours of the bars mean
 */
export function drawHeadline(element, { figures, convention, notes }, legend) {
  /** @param {HeadlineItem["tone"]} tone */
  const toned = (tone) => figures.filter((figure) => figure.tone === tone);
  const line = make("p", { class: "fw-figures" });
  toned("plain").forEach((figure, index) => {
    if (index) line.append(make("span", { class: "fw-dot", textContent: " · " }));
    line.append(explained(figure, index ? "" : "fw-main"));
  });
  line.append("  ", explained(convention, "fw-type"));
  // Arrow keys and the focus are heard on the inner element, which goes when another is drawn.
  const inner = make(
    "div",
    { role: "group", "aria-label": "Figures" },
    ...toned("error").map((figure) => banner("error", figure)),
    line,
    ...toned("warning").map((figure) => banner("warning", figure)),
    legend,
    ...notesBelow(notes),
  );
  element.replaceChildren(inner);
  rove(inner, () => [.../** @type {NodeListOf<HTMLElement>} */ (inner.querySelectorAll("[tabindex]"))]);
}

/**
 * What the colours of the bars mean, where there are several.
 *
 * @param {number[]} phases what each phase has of what the bars show
 */
export function phaseLine(phases) {
  const whole = phases.reduce((sum, one) => sum + one, 0);
  const ran = PHASES.map((name, index) => ({ name, share: phases[index] / whole })).filter(({ share }) => share > 0);
  if (ran.length < 2) return null;
  return make("ul", { class: "fw-phase-line", "aria-label": "Phases" }, ...ran.map(({ name, share }) =>
    make("li", {}, make("i", { class: `fw-key fw-${name}`, "aria-hidden": "true" }), `${name} ${percent(share)}`)));
}

/**
 * Notes: one is a line, and several are behind one.
 *
 * @param {string[]} notes
 */
function notesBelow(notes) {
  if (!notes.length) return [];
  if (notes.length === 1 && notes[0].length <= LINE) {
    return [make("p", { class: "fw-note", textContent: `note: ${notes[0]}` })];
  }
  const id = uniqueId("notes");
  const all = make("ul", { class: "fw-all-notes fw-note", id, hidden: true },
    ...notes.map((textContent) => make("li", { textContent })));
  const first = make("span", { class: "fw-summary", textContent: notes[0] });
  const mark = make("span", { class: "fw-mark", "aria-hidden": "true", textContent: "▸" });
  const many = notes.length > 1 ? `${notes.length} notes: ` : "note: ";
  const opener = make("button", {
    class: "fw-opener fw-note", type: "button", tabIndex: -1, "aria-expanded": false, "aria-controls": id,
  }, mark, make("span", { textContent: many }), first);
  opener.addEventListener("click", () => {
    all.hidden = !all.hidden;
    first.hidden = !all.hidden;
    opener.setAttribute("aria-expanded", String(!all.hidden));
    mark.textContent = all.hidden ? "▸" : "▾";
  });
  return [opener, all];
}

/**
 * A figure whose definition shows when the pointer or the focus is on it.
 *
 * @param {{ text: string, definition: string }} figure
 * @param {string} name of its class
 */
function explained({ text, definition }, name) {
  const id = uniqueId("tip");
  const tip = make("span", { class: "fw-tip", role: "tooltip", id, textContent: definition });
  const element = make("span", { class: `fw-figure ${name}`, tabIndex: 0, role: "note", "aria-describedby": id }, text, tip);
  const show = () => {
    const root = /** @type {HTMLElement | null} */ (element.closest(".ipyflops-widget"));
    if (root) place(tip, element, root);
  };
  element.addEventListener("pointerenter", show);
  element.addEventListener("focus", show);
  return element;
}

/**
 * @param {"error" | "warning"} tone
 * @param {HeadlineItem} figure
 */
function banner(tone, figure) {
  return make(
    "p",
    { class: `fw-banner fw-${tone}` },
    make("strong", { "aria-hidden": "true", textContent: "⚠ " }),
    explained(figure, ""),
  );
}
