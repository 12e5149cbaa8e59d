// Formulas as text: symbols, and the numbers that take their places.

/** Letters, digits and underscores of any alphabet; the raised 2 and 3 are powers. */
const SYMBOL = /[\p{L}_][\p{L}\p{Nd}_]*/gu;

/**
 * Put the numbers in the place of the symbols, and keep the form.
 *
 * @param {string} expression
 * @param {[string, number | string][]} symbols
 */
export function substitute(expression, symbols) {
  const values = new Map(symbols);
  return expression.replace(SYMBOL, (name) => String(values.get(name) ?? name));
}
