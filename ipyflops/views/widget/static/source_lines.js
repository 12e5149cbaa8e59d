// Source lines as rows: the counted code with what ran on each line, and the modules' methods.

import { Groups } from "./lists.js";
import { Row } from "./rows.js";

/** @import { Run } from "./run.js" */

/**
 * A file, or a method.
 *
 * @typedef {object} Part
 * @property {string} name
 * @property {string} type the file of a method
 * @property {boolean} method
 * @property {number[]} lines
 */

/** The lines of a report and of its excerpts, each once, by what they are lines of. */
class Lines {
  /** @param {Run} run */
  constructor(run) {
    /** @type {Part[]} */
    this.parts = [];
    /** @type {number[]} */
    this.numbers = [];
    /** @type {string[]} */
    this.texts = [];
    /** @type {number[]} */
    this.partOf = [];
    /** @type {Map<string, number>} of parts and of lines */
    this._index = new Map();
    // Lines that ran something have the indices that the report's table gives them.
    run.lines.forEach(([file, number, text]) => this._add(this._part(file), number, text));
    this.unknown = this._add(this._part("(unknown line)"), 0, "");
    this.ofRow = run.rowLine.map((line, row) =>
      row >= run.rowCount ? -1 : line < 0 ? this.unknown : line);
    let next = run.rowCount;
    run.excerpts.forEach(({ file, name, first, lines }, excerpt) => {
      const part = name ? this._part(`${name}\n${file}\n${first}`, name, file) : this._part(file);
      const indices = lines.map((text, at) => this._add(part, first + at, text));
      for (const number of run.methodNumbers[excerpt]) this.ofRow[next++] = indices[number - first];
    });
    this.ran = new Set(this.ofRow);
    for (const { lines } of this.parts) lines.sort((a, b) => this.numbers[a] - this.numbers[b]);
  }

  /**
   * The index of a part, which is added if it is new.
   *
   * @param {string} key
   * @param {string} [name]
   * @param {string} [type]
   */
  _part(key, name = key, type = "") {
    const known = this._index.get(key);
    if (known !== undefined) return known;
    this._index.set(key, this.parts.length);
    this.parts.push({ name, type, method: type !== "", lines: [] });
    return this.parts.length - 1;
  }

  /**
   * The index of a line, which is added if it is new.
   *
   * @param {number} part
   * @param {number} number
   * @param {string} text
   */
  _add(part, number, text) {
    const key = `${part} ${number}`;
    const known = this._index.get(key);
    if (known !== undefined) {
      this.texts[known] = text; // an excerpt has the line as it was typed
      return known;
    }
    this._index.set(key, this.texts.length);
    this.texts.push(text);
    this.numbers.push(number);
    this.partOf.push(part);
    this.parts[part].lines.push(this.texts.length - 1);
    return this.texts.length - 1;
  }
}

export class LineList extends Groups {
  /** @param {Run} run */
  constructor(run) {
    const lines = new Lines(run);
    super(run, lines.ofRow, lines.texts.length, Int32Array.from(lines.partOf), lines.parts.length);
    this._lines = lines;
    this.hasMethods = lines.parts.some((part) => part.method);
    this.methods = false;
  }

  /**
   * Show the modules' methods, too, or hide them.
   *
   * @param {boolean} shown
   */
  showMethods(shown) {
    this.methods = shown;
    this.epoch += 1;
  }

  /** @override */
  roots() {
    const { parts, ran } = this._lines;
    const rows = parts.map(({ name, type }, group) =>
      new Row(this, { key: `part ${group}`, group, depth: "outer", kind: "file", name, type, expandable: true }),
    );
    return this.filtered(rows.filter(({ group }) => {
      const { method, lines } = parts[group];
      return (this.methods || !method) && lines.some((line) => ran.has(line));
    }));
  }

  /**
   * @override
   * @param {Row} row
   */
  inside(row) {
    const { parts, texts, numbers, ran, unknown } = this._lines;
    const lines = parts[row.group].lines.filter((line) => line !== unknown);
    const indents = lines.filter((line) => texts[line].trim()).map((line) => texts[line].search(/\S/));
    const indent = Math.min(...indents, Infinity);
    return lines.map((line) =>
      new Row(this, {
        key: `line ${line}`,
        group: line,
        depth: "inner",
        parent: row,
        level: 1,
        kind: "line",
        number: numbers[line],
        name: texts[line].slice(indent) || (ran.has(line) ? "(no source)" : ""),
        silent: !ran.has(line),
      }),
    );
  }

  /**
   * @override
   * @param {Row} row
   */
  matches(row) {
    return row.depth === "inner" ? super.matches(row) : this.inside(row).some((one) => super.matches(one));
  }

  /**
   * @override
   * @param {Row} row
   */
  children(row) {
    const rows = super.children(row);
    return this.query ? rows.filter((one) => super.matches(one)) : rows;
  }
}
