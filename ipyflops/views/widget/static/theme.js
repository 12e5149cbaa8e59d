// Whether the page is dark, whatever it is: JupyterLab, VS Code or any other.

/**
 * Any colour of CSS as [red, green, blue, opacity], of 255.
 *
 * @param {string} color
 */
function channels(color) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  if (!context) return [255, 255, 255, 255];
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/**
 * The colour that is seen behind an element, as [red, green, blue, opacity], or null.
 *
 * @param {Element} element
 */
function background(element) {
  /** @type {Element | undefined} */
  let at = element;
  while (at) {
    const { backgroundColor } = getComputedStyle(at);
    const color = /^$|transparent|^rgba\(.*, 0\)$|\/ 0\)$/.test(backgroundColor) ? null : channels(backgroundColor);
    if (color && color[3] > 127) return color;
    const root = at.getRootNode();
    at = at.parentElement ?? (root instanceof ShadowRoot ? root.host : undefined);
  }
  return null;
}

/**
 * Whether an element stands on a dark ground: its own, where that is of the page's colours, else
 * that of what is around it.
 *
 * @param {Element} element
 */
export function isDark(element) {
  // JupyterLab says it; to ask for colours costs the layout of the whole page.
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  const style = getComputedStyle(element);
  const isOfThePage = ["--vscode-editor-background", "--jp-layout-color0"].some((name) => style.getPropertyValue(name));
  const color = background(isOfThePage ? element : element.parentElement ?? document.body);
  if (!color) return matchMedia("(prefers-color-scheme: dark)").matches;
  const [red, green, blue] = color;
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

/**
 * Call `action` when the theme may have changed; gives a function that ends it.
 *
 * @param {() => void} action
 */
export function watchTheme(action) {
  const observer = new MutationObserver(action);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, {
      attributes: true,
      attributeFilter: ["class", "style", "data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-kind"],
    });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", action);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", action);
  };
}
