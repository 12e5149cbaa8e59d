// A table in LaTeX, with the rules of the package booktabs, as views/documents/latex.py writes it.

/** @type {Record<string, string>} */
const WRITTEN = {
  "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", $: "\\$", "&": "\\&", "#": "\\#", "%": "\\%", _: "\\_",
  "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}", ">": "\\textgreater{}",
  "|": "\\textbar{}", "\"": "{\\char34}", "[": "{[}", "]": "{]}", "*": "{*}", "`": "\\textasciigrave{}",
  "'": "{\\char39}", "…": "\\ldots{}", "×": "$\\times$", "·": "$\\cdot$", "→": "$\\rightarrow$", "−": "$-$",
  "–": "\\textendash{}", µ: "$\\mu$", "₂": "$_{2}$",
};
[..."⁰¹²³⁴⁵⁶⁷⁸⁹"].forEach((digit, number) => (WRITTEN[digit] = `$^{${number}}$`));

/**
 * A text of the user's, so that it is set as it is.
 *
 * @param {string} text
 */
export function escaped(text) {
  let written = "";
  for (const character of text.replace(/\s+/g, " ")) {
    // Two hyphens would be set as a dash.
    if (character === "-" && written.endsWith("-")) written += "{}";
    written += WRITTEN[character] ?? (character.charCodeAt(0) < 128 ? character : code(character));
  }
  return written;
}

/**
 * Few fonts have it: written as Python would.
 *
 * @param {string} character
 */
function code(character) {
  const number = character.codePointAt(0) ?? 0;
  const [letter, digits] = number < 0x100 ? ["x", 2] : number < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\textbackslash{}${letter}${number.toString(16).padStart(digits, "0")}`;
}

/**
 * A table whose first two columns are texts.
 *
 * @param {string[]} titles
 * @param {{ level: number, cells: string[] }[]} rows
 */
export function latex(titles, rows) {
  /** @param {string[]} cells */
  const line = (cells) => `${cells.map(escaped).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{${titles.map((_, index) => (index < 2 ? "l" : "r")).join("")}}`,
    "  \\toprule",
    `  ${line(titles)}`,
    "  \\midrule",
    ...rows.map(({ level, cells }) => `  ${"\\quad ".repeat(level)}${line(cells)}`),
    "  \\bottomrule",
    "\\end{tabular}",
  ].join("\n");
}
