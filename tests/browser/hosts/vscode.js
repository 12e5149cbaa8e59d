// What VS Code's Jupyter extension does in the page of a notebook's outputs, as far as widgets are
// concerned: it connects a kernel with its bundle of widgets, and makes a place for each output.
// The bundle, the connection (@jupyterlab/services) and anywidget are the real ones; see
// src/webviews/webview-side/ipywidgets of microsoft/vscode-jupyter for what is played here.

import { KernelManager, ServerConnection } from "@jupyterlab/services";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

/** Start a kernel and the bundle's manager; gives what runs a cell. */
export async function start(version) {
  const bundle = await import(`/hosts/ipywidgets${version}.js`);
  bundle.activate();
  window[`vscIPyWidgets${version}`].load();
  const settings = ServerConnection.makeSettings({ baseUrl: location.origin, token: "" });
  const kernels = new KernelManager({ serverSettings: settings });
  const kernel = await kernels.startNew({ name: "python3" });
  // The extension finds the scripts of other widgets where the kernel's environment has them.
  const scripts = {
    widgetsRegisteredInRequireJs: new Set(),
    successHandler() {},
    errorHandler: (...parts) => console.error("widget", ...parts),
    async loadWidgetScript(name) {
      window.requirejs.config({ paths: { [name]: `/hosts/nbextensions/${name}/index` } });
    },
  };
  const manager = new window.vscIPyWidgets.WidgetManager(
    kernel, document.createElement("div"), scripts, () => {});

  let cells = 0;
  const places = new Map(); // of the outputs that can be updated, by their name
  async function run(code, view = document.body) {
    const errors = [];
    const future = kernel.requestExecute({ code }, false, { cellId: `cell-${++cells}` });
    const container = document.createElement("div");
    container.className = "output_container";
    view.append(container);
    const shown = [];
    future.onIOPub = ({ header, content }) => {
      const name = content.transient?.display_id;
      if (header.msg_type === "error") errors.push(content.traceback.join("\n"));
      if (header.msg_type === "update_display_data") {
        for (const output of places.get(name) ?? []) shown.push(show(content.data, output));
      }
      if (!["display_data", "execute_result"].includes(header.msg_type)) return;
      const output = document.createElement("div");
      container.append(output);
      if (name) places.set(name, [...(places.get(name) ?? []), output]);
      shown.push(show(content.data, output));
    };
    await future.done;
    await Promise.all(shown);
    return errors.join("\n");
  }

  async function show(data, output) {
    output.className = "output";
    output.replaceChildren();
    if (!(WIDGET_VIEW in data)) {
      // Another renderer shows it.
      if (data["text/html"]) output.innerHTML = data["text/html"];
      else output.textContent = data["text/plain"];
      return;
    }
    const model = await manager.get_model(data[WIDGET_VIEW].model_id);
    output.className += " cell-output-ipywidget-background";
    const place = document.createElement("div");
    place.className = "cell-output-ipywidget-background";
    output.append(place);
    const widget = await manager.create_view(model, { el: place });
    await manager.display_view(data, widget, { node: place });
  }

  return { run, shutdown: () => kernel.shutdown() };
}

/** Put the page under a theme, as VS Code does: colours as variables, and a class of the body. */
export function dress(kind, colors) {
  document.documentElement.removeAttribute("style");
  for (const [name, value] of Object.entries(colors)) {
    document.documentElement.style.setProperty(`--vscode-${name.replaceAll(".", "-")}`, value);
  }
  document.body.className = kind;
  document.body.dataset.vscodeThemeKind = kind;
}
