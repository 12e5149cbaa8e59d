// What each view is sent: it fetches the program, which a kernel sends once, and starts it.

/**
 * @import { Model, ProgramModel } from "./message"
 */

/** How ipywidgets writes a reference to another model. */
const REFERENCE = "IPY_MODEL_";

/**
 * Start the program in this page, once for all views: the promise is kept on the program's model.
 *
 * @param {ProgramModel} program
 */
function started(program) {
  program.ipyflops ??= imported(program.get("code"));
  let style = document.getElementById("ipyflops-style");
  if (!style) {
    style = document.createElement("style");
    style.id = "ipyflops-style";
    document.head.append(style);
  }
  const rules = program.get("style");
  if (style.textContent !== rules) style.textContent = rules;
  return program.ipyflops;
}

/** @param {string} code of an ES module */
async function imported(code) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {{ model: Model, el: HTMLElement }} given
 * @returns {Promise<() => void>} ends it
 */
async function render(given) {
  const { model } = given;
  const program = await model.widget_manager.get_model(model.get("_program").slice(REFERENCE.length));
  const { default: widget } = await started(program);
  return widget.render(given);
}

export default { render };
