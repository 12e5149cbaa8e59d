// What anywidget calls: it shows a view of the report, and another one when Python brings another run.

import { hasFocus } from "./dom.js";
import { View } from "./view.js";

/** @import { Model } from "./message" */

/**
 * @param {{ model: Model, el: HTMLElement }} given
 * @returns {() => void} ends it
 */
function render({ model, el }) {
  let view = started(model, el);
  // Python has brought another run: that of another rank.
  const replace = () => {
    const { ranks } = view.parts;
    const focused = ranks && hasFocus(ranks.element);
    view.remove();
    view = started(model, el);
    if (focused) view.parts.ranks?.focus();
  };
  model.on("change:_data", replace);
  return () => {
    model.off("change:_data", replace);
    view.remove();
  };
}

/**
 * @param {Model} model
 * @param {HTMLElement} element
 */
function started(model, element) {
  const view = new View(model, element);
  // The element is in the page, and has a width, only after this.
  requestAnimationFrame(() => {
    if (view.empty) return;
    view.readTheme();
    view.fit();
  });
  return view;
}

export default { render };
