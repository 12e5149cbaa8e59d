// Lays out the icicle for tests/views/widget/test_icicle.py: the input is a message with its buffers in
// base64, and how it is laid out; the output is its parts, row by row.

import { readFileSync } from "node:fs";

import { layOut } from "../../ipyflops/views/widget/static/icicle.js";
import { Run } from "../../ipyflops/views/widget/static/run.js";
import { withBuffers } from "./buffers.js";

const { message, place, measure, levels, least } = JSON.parse(readFileSync(0, "utf-8"), withBuffers);
const run = new Run(message);
const rows = layOut(run, [place], measure, { levels, least });
const parts = rows.flat().map(({ level, start, width, places, phase }) =>
  ({ level, start, width, phase, places: places.length, name: run.name(places[0]) }));
process.stdout.write(JSON.stringify(parts));
