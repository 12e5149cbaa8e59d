// Making elements. Text only ever becomes a text node: nothing here parses HTML.

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties] properties, and attributes: what has a dash or is
 *   `role`; null and undefined are left out
 * @param {(Node | string | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = String(value);
    else if (name === "role" || name.includes("-")) element.setAttribute(name, String(value));
    else Reflect.set(element, name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Whether the focus is on an element or inside of it, in a shadow tree, too.
 *
 * @param {HTMLElement} element
 */
export function hasFocus(element) {
  const root = element.getRootNode();
  return (root instanceof Document || root instanceof ShadowRoot) && element.contains(root.activeElement);
}

let lastId = 0;

/**
 * An id that no other view of the page has.
 *
 * @param {string} name
 */
export function uniqueId(name) {
  lastId += 1;
  return `ipyflops-${name}-${lastId}-${Math.random().toString(36).slice(2, 8)}`;
}

/**
 * A function that runs once its calls have stopped for so many milliseconds.
 *
 * @param {number} milliseconds
 * @param {() => void} action
 * @returns {{ (): void, cancel: () => void }}
 */
export function debounced(milliseconds, action) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const run = () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
  run.cancel = () => clearTimeout(timer);
  return run;
}

/**
 * The text in parts, those marked that are searched for.
 *
 * @param {string} text
 * @param {string} query in lower case
 * @returns {(string | HTMLElement)[]}
 */
export function marked(text, query) {
  if (!query) return [text];
  const parts = [];
  const lower = text.toLowerCase();
  // Some letters change their length in lower case; then nothing is marked.
  if (lower.length !== text.length) return [text];
  let from = 0;
  for (let at = lower.indexOf(query); at >= 0; at = lower.indexOf(query, from)) {
    parts.push(text.slice(from, at), make("mark", {}, text.slice(at, at + query.length)));
    from = at + query.length;
  }
  parts.push(text.slice(from));
  return parts;
}
