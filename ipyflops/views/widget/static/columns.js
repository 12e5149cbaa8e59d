// The columns of the tables: what they are called, what they say, and how wide they are.

import { duration, exact, percent, scaled } from "./units.js";

const blank = (text, value) => (value ? text : "");

/** Columns by name. `value` is what is sorted and copied, `text` what is shown. */
export const COLUMNS = {
  flops: {
    title: "FLOPs",
    tip: "Floating point operations, under the convention",
    width: 66,
    value: (f) => f.flops,
    text: (f) => scaled(f.flops),
    full: (f) => `${exact(f.flops)} FLOPs`,
  },
  share: {
    title: "share",
    tip: "Share of the whole run, in the colours of the phases",
    width: 132,
  },
  macs: {
    title: "MACs",
    tip: "Multiply-accumulates of matrix products, convolutions and attention; 1 MAC = 2 FLOPs",
    width: 66,
    value: (f) => f.macs,
    text: (f) => blank(scaled(f.macs), f.macs),
    full: (f) => `${exact(f.macs)} MACs`,
  },
  integer: {
    title: "int ops",
    tip: "Integer operations, which are never part of the FLOPs",
    width: 64,
    value: (f) => f.integer,
    text: (f) => blank(scaled(f.integer), f.integer),
    full: (f) => `${exact(f.integer)} integer operations`,
  },
  calls: {
    title: "calls",
    tip: "How often the module was called",
    width: 52,
    value: (f) => f.calls,
    text: (f) => blank(scaled(f.calls), f.calls),
    full: (f) => `${exact(f.calls)} calls`,
  },
  operators: {
    title: "calls",
    tip: "Operator calls: views, which do nothing, are not among them",
    width: 64,
    value: (f) => f.operators,
    text: (f) => blank(scaled(f.operators), f.operators),
    full: (f) => `${exact(f.operators)} operator calls`,
  },
  parameters: {
    title: "params",
    tip: "Elements of the parameters, those of the modules inside included",
    width: 68,
    value: (f) => f.parameters,
    text: (f) => blank(scaled(f.parameters), f.parameters),
    full: (f) => `${exact(f.parameters)} parameters`,
  },
  seconds: {
    title: "time",
    tip: "Kernel time, one run: the time inside the operators, without Python",
    width: 66,
    value: (f) => f.seconds,
    text: (f) => blank(duration(f.seconds), f.seconds),
    full: (f) => `${duration(f.seconds)} in kernels`,
  },
  rate: {
    title: "FLOPS",
    tip: "FLOPs per second of kernel time",
    width: 62,
    value: (f) => f.rate,
    text: (f) => blank(scaled(f.rate, "", false), f.rate),
    full: (f) => scaled(f.rate, "FLOPS", false),
  },
  utilization: {
    title: "of peak",
    tip: "Utilisation (MFU): FLOPS as a share of the measured peak, each dtype by its own, in kernel time",
    width: 68,
    value: (f) => f.utilization,
    text: (f) => blank(percent(f.utilization), f.utilization),
    full: (f) => `${percent(f.utilization)} of the measured peak`,
  },
  replicated: {
    title: "replicated",
    tip: "Share of its FLOPs that another rank had computed already, on the same values",
    width: 84,
    value: (f) => f.replicated,
    text: (f) => blank(percent(f.replicated / f.flops), f.replicated),
    full: (f) => `${exact(f.replicated)} FLOPs that another rank had computed already`,
  },
  communicated: {
    title: "communicated",
    tip: "Payload of the collectives: what a rank hands in or gets, whichever is more",
    width: 104,
    value: (f) => f.communicated,
    text: (f) => blank(scaled(f.communicated, "B"), f.communicated),
    full: (f) => `${exact(f.communicated)} bytes communicated`,
  },
  bytes: {
    title: "bytes",
    tip: "Bytes of the tensors read and written, once each for every operator call",
    width: 68,
    value: (f) => f.bytes,
    text: (f) => blank(scaled(f.bytes, "B"), f.bytes),
    full: (f) => `${exact(f.bytes)} bytes`,
  },
  intensity: {
    title: "FLOPs/B",
    tip: "Arithmetic intensity: FLOPs per byte read or written",
    width: 76,
    value: (f) => f.intensity,
    text: (f) => blank(scaled(f.intensity, "", false), f.intensity),
    full: (f) => `${scaled(f.intensity, "", false)} FLOPs per byte`,
  },
};

/** What a bar's length may be, and what the whole of it is called. */
export const METRICS = {
  flops: { title: "FLOPs", unit: "FLOPs", text: (value) => scaled(value, "FLOPs") },
  macs: { title: "MACs", unit: "MACs", text: (value) => scaled(value, "MACs") },
  seconds: { title: "kernel time", unit: "s", text: (value) => duration(value / 1e9) },
  bytes: { title: "bytes", unit: "B", text: (value) => scaled(value, "B") },
  int_ops: { title: "integer ops", unit: "integer ops", text: (value) => `${scaled(value)} int ops` },
};

/** The columns of each table in their order, the first ones to be given up last. */
export const TABLES = {
  modules: {
    title: "module",
    columns: [
      "flops", "share", "macs", "calls", "parameters", "seconds", "rate", "utilization", "bytes", "intensity", "integer",
      "replicated", "communicated",
    ],
    importance: ["flops", "share", "replicated", "seconds", "calls", "communicated", "utilization", "parameters", "rate", "macs", "intensity"],
  },
  operators: {
    title: "operator",
    columns: ["flops", "share", "macs", "integer", "operators", "seconds", "rate", "utilization", "bytes", "intensity", "replicated", "communicated"],
    importance: ["flops", "share", "operators", "seconds", "utilization", "rate", "macs", "intensity", "integer"],
  },
  lines: {
    title: "line",
    columns: ["flops", "share", "macs", "integer", "operators", "seconds", "rate", "utilization", "bytes", "intensity", "replicated", "communicated"],
    importance: ["flops", "share", "seconds", "operators", "utilization", "rate"],
  },
};

/** A column is offered only where it says something. */
export function offered(columns, run) {
  const measures = { macs: "macs", integer: "integer", seconds: "nanoseconds", rate: "nanoseconds", utilization: "nanoseconds", communicated: "communicated" };
  return columns.filter((name) => {
    if (name === "parameters") return run.parameters.some((count) => count > 0);
    if (name === "utilization" && !run.hasPeak) return false;
    if (name === "replicated") return run.hasReplicated;
    return !(name in measures) || run.whole(measures[name]) > 0;
  });
}

/** As many columns as leave the names their room, the more important ones first. */
export function fitting(table, columns, widths, room) {
  const kept = new Set();
  // In a narrow window a bar is worth more than the end of a long name.
  const names = table === TABLES.lines ? 300 : 200;
  let left = room - (room < 420 ? 160 : names);
  for (const name of table.importance) {
    if (!columns.includes(name)) continue;
    left -= widths[name] ?? COLUMNS[name].width;
    if (left < 0 && kept.size > 0) break;
    kept.add(name);
  }
  return columns.filter((name) => kept.has(name));
}

/** A share as text, empty where there is no whole. */
export function shareText(part, whole) {
  if (!whole) return "";
  // Sums of large numbers in another order differ in their last digits.
  return percent(Math.abs(part / whole - 1) < 1e-9 ? 1 : part / whole);
}
