// The rows of a report, as a table would show them.

import { OpenRows } from "../../ipyflops/views/widget/static/open_rows.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { ModuleTree } from "../../ipyflops/views/widget/static/tree.js";

/** @import { Settings } from "../../ipyflops/views/widget/static/cells.js" */

/** @param {import("../../ipyflops/views/widget/static/message").Message} packed */
export function opened(packed) {
  const run = new Run(packed);
  /** @type {Settings} */
  const settings = {
    convention: "standard", bar: run.metrics.of("flops"), measure: "flops standard",
    whole: run.whole("flops standard"), heat: false,
  };
  return new OpenRows(new ModuleTree(run), settings);
}
