// Several controls that are one stop of the Tab key: the arrows go from one to the next.

/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/**
 * Let the arrows, Home and End move the focus among some elements, as the ARIA toolbar pattern has it.
 * What it gives is to be called when some of them have been hidden or shown.
 *
 * @param {HTMLElement} around what holds the elements
 * @param {() => HTMLElement[]} members those that take part now, in their order
 */
export function rove(around, members) {
  /** @param {EventTarget | null} kept */
  const keep = (kept) => {
    const all = members().filter((member) => !member.closest("[hidden]"));
    const one = all.find((member) => member === kept) ?? all[0];
    for (const member of all) member.tabIndex = member === one ? 0 : -1;
  };
  keep(null);
  around.addEventListener("focusin", (event) => {
    if (members().some((member) => member === event.target)) keep(event.target);
  });
  around.addEventListener("keydown", (event) => {
    const there = members().filter((member) => member.getClientRects().length);
    const at = there.findIndex((member) => member === event.target);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || !leaves(event)) return;
    const next = { Home: 0, End: there.length - 1 }[event.key] ??
      (at + STEPS[event.key] + there.length) % there.length;
    event.preventDefault();
    event.stopPropagation();
    there[next].focus();
  });
  return () => keep(members().find((member) => member.tabIndex === 0) ?? null);
}

/**
 * Whether a key leaves an element: in a field the arrows first go through its text.
 *
 * @param {KeyboardEvent} event
 */
function leaves({ key, target, shiftKey }) {
  if (!(target instanceof HTMLInputElement)) return key in STEPS || key === "Home" || key === "End";
  const { selectionStart, selectionEnd, value } = target;
  if (shiftKey || selectionStart !== selectionEnd) return false;
  return (key === "ArrowRight" && selectionEnd === value.length) || (key === "ArrowLeft" && selectionStart === 0);
}
