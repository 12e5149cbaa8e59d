// What changes from outside: the traits, the room that there is, and the theme.

import { debounced } from "./dom.js";
import { watchTheme } from "./theme.js";

/** @import { View } from "./view.js" */

const SETTLED = 60; // milliseconds without a change of the width

/**
 * Tell a view what changes; gives a function that ends it.
 *
 * @param {View} view
 */
export function listen(view) {
  const ends = [listenToModel(view), listenToRoom(view), watchTheme(() => view.readTheme())];
  return () => ends.forEach((end) => end());
}

/** @param {View} view */
function listenToModel(view) {
  const { model } = view;
  /** @type {Record<string, () => void>} */
  const actions = {
    "change:convention": () => view.showSettings(),
    "change:metric": () => view.showSettings(),
    "change:selected": () => view.select(model.get("selected")),
    "change:by": () => view.showTab(model.get("by")),
    "change:sort": () => view.sortModules(model.get("sort")),
    "change:icicle": () => view.showAsIcicle(),
    "change:height": () => view.fit(),
    "change:columns": () => view.fit(),
    "change:expanded": () => view.openPlaces.show(model.get("expanded")),
  };
  for (const [name, action] of Object.entries(actions)) model.on(name, action);
  return () => {
    for (const [name, action] of Object.entries(actions)) model.off(name, action);
  };
}

/** @param {View} view */
function listenToRoom(view) {
  const { root } = view;
  const resized = debounced(SETTLED, () => view.fit());
  let width = root.clientWidth;
  const observer = new ResizeObserver(() => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    resized();
  });
  observer.observe(root);
  return () => {
    observer.disconnect();
    resized.cancel();
  };
}
