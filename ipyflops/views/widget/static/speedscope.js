// A report as a file for speedscope, as views/documents/speedscope.py writes it.

import { PHASES } from "./run.js";

/**
 * @import { Convention } from "./message"
 * @import { Run } from "./run.js"
 */

const SCHEMA = "https://www.speedscope.app/file-format-schema.json";
const NAME_LENGTH = 400;

/** @typedef {{ name: string, file?: string, line?: number }} Frame */

/**
 * Flame graphs by FLOPs, kernel time and bytes, of which there are any.
 *
 * @param {Run} run
 * @param {Convention} convention
 */
export function speedscope(run, convention) {
  const profiles = new Profiles(run);
  const all = [
    profiles.profile(`FLOPs [${convention}]`, "none", `flops ${convention}`),
    profiles.profile("kernel time", "nanoseconds", "seconds"),
    profiles.profile("bytes", "bytes", "bytes"),
  ];
  const kept = all.filter((profile) => profile.events.length);
  const modules = [...run.childrenOf(0)].filter((place) => run.kind(place) === "module");
  return {
    $schema: SCHEMA,
    exporter: "ipyflops",
    name: cut(modules.map((place) => run.name(place)).join(", ")) || "ipyflops",
    activeProfileIndex: 0,
    shared: { frames: profiles.frames },
    profiles: kept.length ? kept : all.slice(0, 1),
  };
}

/**
 * Cut the middle out of a text that is too long.
 *
 * @param {string} text
 */
function cut(text) {
  const letters = [...text];
  if (letters.length <= NAME_LENGTH) return text;
  const end = NAME_LENGTH / 2;
  return `${letters.slice(0, NAME_LENGTH - 1 - end).join("")}…${letters.slice(-end).join("")}`;
}

class Profiles {
  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    /** @type {Frame[]} */
    this.frames = [];
    /** @type {Map<string, number>} */
    this._index = new Map();
    this._lines = new Map(run.lines.map((line) => [`${line[0]}:${line[1]}`, line]));
  }

  /**
   * One profile: what is inside a place comes after what it ran itself.
   *
   * @param {string} name
   * @param {string} unit
   * @param {string} measure
   */
  profile(name, unit, measure) {
    const { run } = this;
    const totals = run.totals(measure);
    /** @type {{ type: "O" | "C", frame: number, at: number }[]} */
    const events = [];
    let at = 0;
    /** @type {{ place: number, close: number }[]} what is still to be opened, or to be closed */
    const waiting = [{ place: 0, close: -1 }];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { place, close } = next;
      if (close >= 0) {
        events.push({ type: "C", frame: close, at });
        continue;
      }
      if (!totals.subarray(4 * place, 4 * place + 4).some((sum) => sum)) continue;
      // The root is the whole graph, and so no frame of it.
      if (place) {
        const frame = this._place(place);
        events.push({ type: "O", frame, at });
        waiting.push({ place, close: frame });
      }
      for (const [leaf, weight] of this._own(place, measure)) {
        if (!weight) continue;
        const frame = this._number(`operator ${leaf}`, { name: leaf });
        events.push({ type: "O", frame, at });
        at += weight;
        events.push({ type: "C", frame, at });
      }
      for (const child of [...run.childrenOf(place)].reverse()) waiting.push({ place: child, close: -1 });
    }
    return { type: "evented", name, unit, startValue: 0, endValue: at, events };
  }

  /**
   * What ran in a place itself, by operator and phase.
   *
   * @param {number} place
   * @param {string} measure
   */
  _own(place, measure) {
    const { run } = this;
    /** @type {Map<string, number>} */
    const own = new Map();
    for (const row of run.rowsOf(place)) {
      const [operator] = run.expressions[run.rowSignature[row]];
      const phase = PHASES[run.rowPhase[row]];
      const leaf = phase === "forward" ? operator : `${operator} (${phase})`;
      own.set(leaf, (own.get(leaf) ?? 0) + run.amount(row, measure));
    }
    return own;
  }

  /** @param {number} place */
  _place(place) {
    const { run } = this;
    const name = run.name(place);
    if (run.kind(place) !== "code") {
      const frame = { name: `${name} ${run.type(place)}`.trim() || "(no name)", file: run.path(place) };
      return this._number(`place ${place}`, frame);
    }
    const line = this._lines.get(run.path(place));
    /** @type {Frame} */
    const frame = { name: `${name} ${line?.[2].trim() ?? ""}`.trim() };
    if (line) Object.assign(frame, { file: line[0], line: line[1] });
    return this._number(`place ${place}`, frame);
  }

  /**
   * @param {string} key
   * @param {Frame} frame
   */
  _number(key, frame) {
    let index = this._index.get(key);
    if (index === undefined) {
      index = this.frames.length;
      this._index.set(key, index);
      this.frames.push({ ...frame, name: cut(frame.name), ...(frame.file === undefined ? {} : { file: cut(frame.file) }) });
    }
    return index;
  }
}
