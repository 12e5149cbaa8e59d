// What went into modules and came out, where that was asked for.

import { column } from "./buffers.js";

/** @import { Message } from "./message" */

export class ModuleShapes {
  /**
   * @param {Message["shapes"] | undefined} packed
   * @param {string[]} names
   */
  constructor(packed, names) {
    const { trainable, ...texts } = packed ?? {};
    this._names = names;
    this._trainable = column(Float64Array, trainable);
    /** Indices into the names, by the key of the metric.
     *  @type {[string, Int32Array][]} */
    this._texts = Object.entries(texts).map(([key, data]) => [key, column(Int32Array, data)]);
  }

  /**
   * The shapes of a place, by the key of the metric.
   *
   * @param {number} place
   */
  textsOf(place) {
    /** @type {Record<string, string>} */
    const texts = {};
    for (const [key, indices] of this._texts) texts[key] = this._names[indices[place]];
    return texts;
  }

  /**
   * How many of the parameters of places that are alike are trained; -1 where that is not known.
   *
   * @param {number[]} places
   */
  trainableIn(places) {
    if (!(this._trainable[places[0]] >= 0)) return -1;
    return places.reduce((sum, place) => sum + this._trainable[place], 0);
  }

  /**
   * Numbers that are equal for places that are alike.
   *
   * @param {number} place
   */
  numbersOf(place) {
    const numbers = this._texts.map(([, indices]) => indices[place]);
    if (this._trainable.length) numbers.push(this._trainable[place]);
    return numbers;
  }
}
