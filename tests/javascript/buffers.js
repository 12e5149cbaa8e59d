// Reads messages whose buffers Python has written in base64.

/**
 * For `JSON.parse`.
 *
 * @param {string} _key
 * @param {any} value
 */
export function withBuffers(_key, value) {
  if (value === null || typeof value !== "object" || !("base64" in value)) return value;
  const data = Buffer.from(value.base64, "base64");
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
