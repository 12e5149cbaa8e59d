// The HTML that stands in for the widget where none lives: here one does.

import { make } from "./dom.js";

/**
 * A style that hides the HTML of the same report, wherever it is in the page.
 *
 * @param {string} key
 */
export function hideStandIn(key) {
  return make("style", { textContent: `[data-ipyflops-key="${CSS.escape(key)}"] { display: none; }` });
}
