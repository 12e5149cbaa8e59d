// Small reports for the tests, as Python would send them. tests/views/widget/test_browser_side.py
// checks with real messages that Python sends what is made up here.

/**
 * @import { Column, Convention, Message, SignatureText } from "../../ipyflops/views/widget/static/message"
 */

/**
 * @param {string} key
 * @param {string} title
 * @param {Partial<Column>} [more]
 * @returns {Column}
 */
function column(key, title, more = {}) {
  return {
    key, title, explanation: "", format: "count", unit: "", name: title, quantity: "", phrase: "",
    of_whole: false, of_place: false, optional: false, ...more,
  };
}

/** @type {Record<string, Column>} */
const COLUMNS = {
  flops: column("flops", "FLOPs", { unit: "FLOPs" }),
  share: column("share", "share", { format: "share", ratio: ["flops", "flops"], of_whole: true }),
  macs: column("macs", "MACs", { unit: "MACs" }),
  integer: column("int_ops", "int ops", { name: "integer ops" }),
  replicated_flops: column("replicated", "replicated", { unit: "FLOPs", name: "replicated FLOPs" }),
  replicated: column("replicated_share", "replicated", { format: "share", ratio: ["replicated", "flops"] }),
  communicated: column("communicated", "communicated", { unit: "B", name: "bytes communicated" }),
  calls: column("module_calls", "calls", { of_place: true, phrase: "calls" }),
  operators: column("calls", "calls", { name: "operator calls" }),
  parameters: column("parameters", "params", { name: "parameters", of_place: true }),
  seconds: column("seconds", "time", { format: "time", unit: "s", name: "kernel time", phrase: "in kernels" }),
  time_share: column("time_share", "time share", {
    format: "share", phrase: "of the kernel time", ratio: ["seconds", "seconds"], of_whole: true, optional: true,
  }),
  rate: column("flops_per_second", "rate", { format: "rate", unit: "FLOPS", ratio: ["flops", "seconds"] }),
  utilization: column("utilization", "of peak", {
    format: "share", phrase: "of peak", ratio: ["peak_seconds", "seconds"],
  }),
  input: column("input", "input", { format: "text", of_place: true, optional: true }),
  trainable: column("trainable", "trainable", { of_place: true, optional: true }),
  frozen: column("frozen", "frozen", { of_place: true, optional: true }),
  activations: column("activations", "acts", { name: "activations", optional: true }),
  bytes: column("bytes", "bytes", { unit: "B" }),
  intensity: column("intensity", "FLOPs/B", {
    format: "rate", phrase: "FLOPs per byte", ratio: ["flops", "bytes"],
  }),
};

/**
 * What one operator call costs.
 *
 * @typedef {object} Signature
 * @property {string} operator
 * @property {number} [flops]
 * @property {number} [article] FLOPs under the article's convention, where they are others
 * @property {number} [macs]
 * @property {number} [bytes]
 * @property {number} [peak] FLOPS of the device
 * @property {boolean} [summed]
 */

/**
 * @typedef {object} Call
 * @property {number} place
 * @property {number} signature
 * @property {number} [calls]
 * @property {number} [phase]
 * @property {number} [nanoseconds]
 * @property {number} [line]
 * @property {number} [replicated] calls
 */

/**
 * @typedef {object} Place
 * @property {number} parent
 * @property {string} name
 * @property {string} [type]
 * @property {number} [kind]
 * @property {number} [parameters]
 */

/**
 * A report.
 *
 * @param {object} parts
 * @param {Place[]} parts.places without the first one, which is the whole run
 * @param {Signature[]} parts.signatures
 * @param {Call[]} parts.calls
 * @param {[string, number, string][]} [parts.lines]
 * @param {Message["excerpts"]} [parts.excerpts]
 * @returns {Message}
 */
export function message({ places, signatures, calls, lines = [], excerpts = [] }) {
  const all = [{ parent: -1, name: "", kind: 0 }, ...places];
  const names = [...new Set(all.flatMap(({ name, type = "" }) => [name, type]))];
  const flops = signatures.map((one) => one.flops ?? 0);
  /** @type {SignatureText[]} */
  const text = signatures.map(({ operator }) => [operator, "float32", "2×3", "formula", ["2·n"], [["n", 3]], ""]);
  return {
    columns: COLUMNS,
    tables: { modules: ["flops", "share"], operators: ["flops", "share"], lines: ["flops", "share"] },
    bars: ["flops", "seconds"],
    held: {},
    shapes: {},
    asked: [],
    scopes: {
      parent: ints(all.map(({ parent }) => parent)),
      name: ints(all.map(({ name }) => names.indexOf(name))),
      type: ints(all.map(({ type = "" }) => names.indexOf(type))),
      kind: bytes(all.map(({ kind = 1 }) => kind)),
      calls: floats(all.map((_, index) => (index ? 1 : 0))),
      parameters: floats(all.map(({ parameters = 0 }) => parameters)),
      instances: floats(all.map(() => 1)),
    },
    names,
    lines,
    excerpts,
    signatures: {
      text,
      summed: bytes(signatures.map(({ summed }) => Number(summed ?? false))),
      peak: floats(signatures.map(({ peak = 0 }) => peak)),
      exact: {},
      costs: {
        standard: floats(flops),
        article: floats(signatures.map((one, index) => one.article ?? flops[index])),
        macs: floats(signatures.map(({ macs = 0 }) => macs)),
        bytes: floats(signatures.map((one) => one.bytes ?? 0)),
      },
    },
    rows: {
      scope: ints(calls.map(({ place }) => place)),
      line: ints(calls.map(({ line = -1 }) => line)),
      phase: bytes(calls.map(({ phase = 0 }) => phase)),
      signature: ints(calls.map(({ signature }) => signature)),
      calls: floats(calls.map((one) => one.calls ?? 1)),
      nanoseconds: floats(calls.map(({ nanoseconds = 0 }) => nanoseconds)),
      replicated: floats(calls.map(({ replicated = 0 }) => replicated)),
    },
    headlines: { standard: headline("standard"), contractions: headline("contractions"), article: headline("article") },
  };
}

/** @param {Convention} convention */
function headline(convention) {
  return { figures: [], convention: { text: `[${convention}]`, definition: "" }, notes: [] };
}

/**
 * A column that does not begin where its buffer does, as they arrive.
 *
 * @param {Int32Array | Float64Array | Uint8Array} values
 */
function unaligned(values) {
  const data = new Uint8Array(values.byteLength + 3);
  data.set(new Uint8Array(values.buffer), 3);
  return new DataView(data.buffer, 3, values.byteLength);
}

/** @param {number[]} values */
export const ints = (values) => unaligned(Int32Array.from(values));
/** @param {number[]} values */
export const floats = (values) => unaligned(Float64Array.from(values));
/** @param {number[]} values */
export const bytes = (values) => unaligned(Uint8Array.from(values));

/** A model of a head and four layers that are alike, each with two modules inside. */
export function layers() {
  /** @type {Place[]} */
  const places = [{ parent: 0, name: "model", type: "Net" }];
  /** @type {Call[]} */
  const calls = [];
  for (const number of [7, 8, 9, 10]) {
    places.push({ parent: 1, name: `layer${number}`, type: "Block", parameters: 5 });
    const layer = places.length;
    places.push({ parent: layer, name: "linear", type: "Linear" }, { parent: layer, name: "relu", type: "ReLU" });
    calls.push({ place: layer + 1, signature: 0, nanoseconds: 1000 });
    calls.push({ place: layer + 2, signature: 1, nanoseconds: 500 });
  }
  places.push({ parent: 1, name: "head", type: "Linear", parameters: 7 });
  calls.push({ place: places.length, signature: 0, calls: 3, phase: 1, nanoseconds: 3000, line: 0 });
  calls.push({ place: 1, signature: 1, nanoseconds: 100, line: 1 });
  return message({
    places,
    calls,
    signatures: [
      { operator: "aten::mm", flops: 100, article: 50, macs: 50, bytes: 40, peak: 1e9 },
      { operator: "aten::relu", flops: 10, bytes: 80 },
    ],
    lines: [["In[1]", 1, "loss.backward()"], ["In[1]", 2, "y = relu(x)"]],
  });
}
