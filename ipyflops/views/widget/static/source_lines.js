// Source lines as rows: the counted code with what ran on each line, and the modules' methods.

import { Groups } from "./lists.js";
import { Row } from "./rows.js";

/** The lines of a report and of its excerpts, each once, by what they are lines of. */
class Lines {
  constructor(run) {
    this.parts = []; // {name, type, method, lines}
    this.numbers = [];
    this.texts = [];
    this.partOf = [];
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

  _part(key, name = key, type = "") {
    const found = this._index.get(key);
    if (found !== undefined) return found;
    this._index.set(key, this.parts.length);
    this.parts.push({ name, type, method: type !== "", lines: [] });
    return this.parts.length - 1;
  }

  _add(part, number, text) {
    const key = `${part} ${number}`;
    const found = this._index.get(key);
    if (found !== undefined) {
      this.texts[found] = text; // an excerpt has the line as it was typed
      return found;
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
  constructor(run) {
    const lines = new Lines(run);
    super(run, lines.ofRow, lines.texts.length, Int32Array.from(lines.partOf), lines.parts.length);
    this._lines = lines;
    this.hasMethods = lines.parts.some((part) => part.method);
    this.methods = false;
  }

  /** Whether the modules' methods are shown, too. */
  showMethods(shown) {
    this.methods = shown;
    this.epoch += 1;
  }

  roots() {
    const { parts, ran } = this._lines;
    const rows = parts.map(({ name, type }, group) =>
      new Row(this, { key: `part ${group}`, group, depth: "outer", kind: "file", name, type, expandable: true }),
    );
    return this._found(rows.filter(({ group }) => {
      const { method, lines } = parts[group];
      return (this.methods || !method) && lines.some((line) => ran.has(line));
    }));
  }

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

  _matches(row) {
    return row.depth === "inner" ? super._matches(row) : this.inside(row).some((one) => super._matches(one));
  }

  children(row) {
    const rows = super.children(row);
    return this.query ? rows.filter((one) => super._matches(one)) : rows;
  }
}
