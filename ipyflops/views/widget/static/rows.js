// What the three tables share: rows, and the figures of a row.

import { peakTime, replicated } from "./run.js";

/** A row that a table may show; `source` is the list or tree that it belongs to. */
export class Row {
  constructor(source, fields) {
    this.source = source;
    this.key = null; // equal for what is the same row later on
    this.parent = null;
    this.level = 0;
    this.kind = "";
    this.name = "";
    this.type = "";
    this.repeats = 1;
    this.expandable = false;
    this.silent = false; // nothing ran: a line of source without operators
    this.calls = 0;
    this.parameters = 0;
    this.position = 1;
    this.siblings = 1;
    Object.assign(this, fields);
  }

  /** Four numbers, one for each phase. */
  phases(measure) {
    return this.source.phases(this, measure);
  }

  sum(measure) {
    const parts = this.phases(measure);
    return parts[0] + parts[1] + parts[2] + parts[3];
  }

  /** The numbers to show under a convention; worked out once for as long as that stays. */
  figures(convention) {
    if (this._convention !== convention) {
      this._convention = convention;
      const flops = this.sum(convention);
      const seconds = this.sum("nanoseconds") / 1e9;
      const bytes = this.sum("bytes");
      this._figures = {
        flops,
        macs: this.sum("macs"),
        integer: this.sum("integer"),
        bytes,
        seconds,
        operators: this.sum("operators"),
        communicated: this.sum("communicated"),
        replicated: this.source.run.hasReplicated ? this.sum(replicated(convention)) : 0,
        calls: this.calls,
        parameters: this.parameters,
        rate: seconds ? flops / seconds : 0,
        intensity: bytes ? flops / bytes : 0,
        utilization: seconds && this.source.run.hasPeak
          ? this.sum(peakTime(convention)) / 1e9 / seconds
          : 0,
      };
    }
    return this._figures;
  }
}

/** The column of numbers behind a metric. */
export function measureOf(metric, convention) {
  return { flops: convention, seconds: "nanoseconds", int_ops: "integer" }[metric] ?? metric;
}
