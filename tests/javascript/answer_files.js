// Makes the browser's files for tests/views/widget/test_browser_files.py: the input is a message with its
// buffers in base64 and some texts, the output the file for speedscope and the texts in LaTeX.

import { readFileSync } from "node:fs";

import { escaped } from "../../ipyflops/views/widget/static/latex.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { speedscope } from "../../ipyflops/views/widget/static/speedscope.js";
import { withBuffers } from "./buffers.js";

const { message, texts } = JSON.parse(readFileSync(0, "utf-8"), withBuffers);
process.stdout.write(JSON.stringify({
  speedscope: speedscope(new Run(message), "article"),
  latex: texts.map(escaped),
}));
