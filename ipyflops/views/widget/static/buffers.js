// Columns of numbers: as the message brings them, joined, and grouped.

/** @import { Binary } from "./message" */

/**
 * @template {Int32Array | Uint8Array | Float64Array} Column
 * @typedef {{ new (length: number): Column, new (data: ArrayBuffer): Column }} ColumnType
 */

/**
 * A typed array of its own over what arrived: buffers come unaligned, and of several kinds.
 *
 * @template {Int32Array | Uint8Array | Float64Array} Column
 * @param {ColumnType<Column>} Type
 * @param {Binary | undefined} data
 * @returns {Column} empty where there is no data
 */
export function column(Type, data) {
  if (!data) return new Type(0);
  const bytes = ArrayBuffer.isView(data)
    ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
    : data.slice(0);
  return new Type(/** @type {ArrayBuffer} */ (bytes));
}

/**
 * Several columns as one.
 *
 * @template {Int32Array | Uint8Array | Float64Array} Column
 * @param {ColumnType<Column>} Type
 * @param {Binary[]} parts
 * @returns {Column}
 */
export function concatenated(Type, parts) {
  const columns = parts.map((part) => column(Type, part));
  const whole = new Type(columns.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of columns) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/**
 * Items by their group: those of group g are in `order` from `start[g]` to `start[g + 1]`.
 *
 * @param {Int32Array} groups the group of each item; below 0 for none
 * @param {number} count of groups
 */
export function grouped(groups, count) {
  const start = new Int32Array(count + 1);
  for (const group of groups) if (group >= 0) start[group + 1]++;
  for (let i = 0; i < count; i++) start[i + 1] += start[i];
  const next = start.slice(0, count);
  const order = new Int32Array(start[count]);
  groups.forEach((group, item) => {
    if (group >= 0) order[next[group]++] = item;
  });
  return { start, order };
}
