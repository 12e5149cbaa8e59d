// What each view is sent: it fetches the program, which a kernel sends once, and starts it.

/**
 * @import { Model, ProgramModel } from "./message"
 */

/** How ipywidgets writes a reference to another model. */
const REFERENCE = "IPY_MODEL_";
const PATIENCE = 2000; // milliseconds until the view's own model is asked, too
const SILENCE = 30000; // milliseconds until it is said that nothing came

/**
 * The program's model, as the front ends of ipywidgets give it to whoever has a reference.
 *
 * @param {Model} model
 * @returns {Promise<ProgramModel>}
 */
async function lookedUp(model) {
  const id = model.get("_program").slice(REFERENCE.length);
  const program = await model.widget_manager?.get_model(id);
  if (!program?.get("code")) throw new Error("this front end does not give the program");
  return program;
}

/**
 * The program as Python sends it to this view alone: other hosts of anywidget know single models.
 *
 * @param {Model} model
 * @returns {Promise<ProgramModel>}
 */
function asked(model) {
  return new Promise((resolve) => {
    /** @param {{ kind?: string, code: string, style: string }} message */
    const hear = (message) => {
      if (message?.kind !== "program") return;
      model.off("msg:custom", hear);
      resolve({ get: (name) => message[name] });
    };
    model.on("msg:custom", hear);
    model.send({ kind: "program" });
  });
}

/** @param {number} milliseconds */
const after = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @param {Model} model
 * @returns {Promise<ProgramModel>}
 */
function programOf(model) {
  const shared = lookedUp(model);
  const alone = Promise.race([shared.catch(() => {}), after(PATIENCE)]).then((program) =>
    program ?? asked(model));
  const nothing = after(SILENCE).then(() => {
    throw new Error("ipyflops: the kernel has not sent this view its program");
  });
  return Promise.race([Promise.any([shared, alone]), nothing]);
}

/**
 * Start the program in this page, once for all views: the promise is kept on the program's model.
 *
 * @param {ProgramModel} program
 */
function started(program) {
  program.ipyflops ??= imported(program.get("code"));
  return program.ipyflops;
}

/**
 * Put the style sheet where it reaches an element: into the page, or into the shadow tree around it.
 *
 * @param {HTMLElement} element
 * @param {string} rules
 */
function dress(element, rules) {
  const root = element.getRootNode();
  const place = root instanceof ShadowRoot ? root : document.head;
  let style = place.querySelector("#ipyflops-style");
  if (!style) {
    style = document.createElement("style");
    style.id = "ipyflops-style";
    place.append(style);
  }
  if (style.textContent !== rules) style.textContent = rules;
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
  const program = await programOf(given.model);
  const { default: widget } = await started(program);
  dress(given.el, program.get("style"));
  // Where the element is put into a page only after this, it may be a shadow tree.
  requestAnimationFrame(() => dress(given.el, program.get("style")));
  return widget.render(given);
}

export default { render };
