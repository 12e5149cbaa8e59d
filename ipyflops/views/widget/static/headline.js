// What a report says first: figures with their definitions, and what nobody may miss.

import { make, uniqueId } from "./dom.js";

/** @import { Headline, HeadlineItem } from "./message" */

/**
 * Write the headline into an element.
 *
 * @param {HTMLElement} element
 * @param {Headline} headline
 */
export function drawHeadline(element, { figures, convention, notes }) {
  /** @param {HeadlineItem["tone"]} tone */
  const toned = (tone) => figures.filter((figure) => figure.tone === tone);
  const line = make("p", { class: "fw-figures" });
  toned("plain").forEach((figure, index) => {
    if (index) line.append(make("span", { class: "fw-dot", textContent: " · " }));
    line.append(explained(figure, index ? "" : "fw-main"));
  });
  line.append("  ", explained(convention, "fw-type"));
  element.replaceChildren(
    ...toned("error").map((figure) => banner("error", figure)),
    line,
    ...toned("warning").map((figure) => banner("warning", figure)),
    ...notes.map((note) => make("p", { class: "fw-note", textContent: `note: ${note}` })),
  );
}

/**
 * A figure whose definition shows when the pointer or the focus is on it.
 *
 * @param {{ text: string, definition: string }} figure
 * @param {string} name of its class
 */
function explained({ text, definition }, name) {
  const id = uniqueId("tip");
  return make(
    "span",
    { class: `fw-figure ${name}`, tabIndex: 0, role: "note", "aria-describedby": id },
    text,
    make("span", { class: "fw-tip", role: "tooltip", id, textContent: definition }),
  );
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
