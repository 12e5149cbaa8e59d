// Whether the page is dark, whatever it is: JupyterLab, VS Code or any other.

/**
 * The colour that is seen behind an element, as [red, green, blue], or null.
 *
 * @param {Element} element
 */
function background(element) {
  /** @type {Element | undefined} */
  let at = element;
  while (at) {
    const color = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)$/.exec(getComputedStyle(at).backgroundColor);
    if (color && (color[4] === undefined || Number(color[4]) > 0.5)) return color.slice(1, 4).map(Number);
    const root = at.getRootNode();
    at = at.parentElement ?? (root instanceof ShadowRoot ? root.host : undefined);
  }
  return null;
}

/**
 * Whether an element stands on a dark page.
 *
 * @param {Element} element
 */
export function isDark(element) {
  // JupyterLab says it; to ask for colours costs the layout of the whole page.
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (vscodeThemeKind) return /dark|^vscode-high-contrast$/.test(vscodeThemeKind);
  const color = background(element.parentElement ?? document.body);
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
