// Menus: a button that opens a list below it, inside the widget however narrow that is.

import { make, uniqueId } from "./dom.js";

const EDGE = 6; // pixels that stay free at the edges of the widget
const LEAST = 120; // pixels of a list's height, however low the widget is

/**
 * A button with a list.
 *
 * @typedef {object} Menu
 * @property {HTMLElement} element
 * @property {HTMLButtonElement} opener
 * @property {HTMLElement} list
 * @property {() => void} close
 */

/**
 * Make a menu.
 *
 * @param {object} given
 * @param {string} given.text on the button
 * @param {string} given.title what it is for
 * @param {HTMLElement} given.root the widget, which the list never leaves
 * @param {(HTMLElement | null)[]} given.parts what is in the list
 * @param {() => void} [given.fill] called before the list opens
 * @returns {Menu}
 */
export function menu({ text, title, root, parts, fill = () => {} }) {
  const id = uniqueId("menu");
  const list = make("div", { class: "fw-menu", role: "group", "aria-label": title, id, hidden: true }, ...parts);
  const opener = make("button", {
    class: "fw-button", type: "button", title, "aria-label": `${text}: ${title}`,
    "aria-expanded": false, "aria-controls": id,
  }, text, make("span", { class: "fw-arrow", "aria-hidden": "true", textContent: " ▾" }));
  const element = make("span", { class: "fw-menu-holder" }, opener, list);
  /** @param {boolean} open */
  const show = (open) => {
    if (open) fill();
    list.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) place(list, opener, root);
  };
  opener.addEventListener("click", () => show(Boolean(list.hidden)));
  opener.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    show(true);
    controls(list)[0]?.focus();
  });
  list.addEventListener("keydown", (event) => moveInside(list, event));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    show(false);
    opener.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && element.contains(event.relatedTarget))) show(false);
  });
  // A click on what cannot have the focus must not take it away.
  list.addEventListener("mousedown", (event) => {
    if (event.target instanceof Element && !event.target.closest("button, input, select, label")) event.preventDefault();
  });
  return { element, opener, list, close: () => show(false) };
}

/** @param {HTMLElement} list */
function controls(list) {
  /** @type {NodeListOf<HTMLElement>} */
  const all = list.querySelectorAll("button, input, select");
  return [...all].filter((one) => one.getClientRects().length);
}

/**
 * The arrows go up and down; in a choice they choose.
 *
 * @param {HTMLElement} list
 * @param {KeyboardEvent} event
 */
function moveInside(list, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target instanceof HTMLSelectElement) return;
  const all = controls(list);
  const at = all.findIndex((one) => one === event.target);
  all[(at + step + all.length) % all.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Put a list, or a tooltip, below its button, and to the left of there as far as it has to be.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} opener
 * @param {HTMLElement} root
 */
export function place(list, opener, root) {
  const around = root.getBoundingClientRect();
  const button = opener.getBoundingClientRect();
  const most = list.role === "tooltip" ? 360 : Infinity; // lines of more pixels are hard to read
  list.style.maxWidth = `${Math.min(most, around.width - 2 * EDGE)}px`;
  list.style.maxHeight = `${Math.max(LEAST, around.bottom - button.bottom - EDGE)}px`;
  list.style.top = `${button.bottom - around.top + 2}px`;
  const { width } = list.getBoundingClientRect();
  const left = Math.min(button.left - around.left, around.width - width - EDGE);
  list.style.left = `${Math.max(EDGE, left)}px`;
}

/**
 * A box to tick.
 *
 * @param {object} given
 * @param {string} given.text
 * @param {string} [given.title]
 * @param {boolean} given.checked
 * @param {(checked: boolean) => boolean | void} given.on what it gives is whether it is ticked then
 */
export function tick({ text, title, checked, on }) {
  const box = make("input", { type: "checkbox", checked });
  box.addEventListener("change", () => {
    box.checked = on(box.checked) ?? box.checked;
  });
  const element = make("label", { title }, box, ` ${text}`);
  return { element, box };
}

/**
 * A line of a menu that does something.
 *
 * @param {string} text
 * @param {() => void} on
 * @param {string} [label] where the text does not say it all
 */
export function item(text, on, label) {
  const element = make("button", { class: "fw-item", type: "button", textContent: text, "aria-label": label });
  element.addEventListener("click", on);
  return element;
}
