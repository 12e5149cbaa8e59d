"""How the HTML view looks: one style sheet, all of it within the class ``ipyflops``.

Text has the page's own colour, and the ground is the page's own, so it can be read on a light and
on a dark page whatever made it so: a theme of JupyterLab or VS Code, a switch of Jupyter Book or
Colab, or the system. What is dimmer is the page's colour, too, with less of it.
Where a page strips style sheets, what is left is nested lists and tables with full units.
"""

from __future__ import annotations

# A section's summary is a list item, which has the marker: Bootstrap 3 (nbviewer) makes it a block.
# The colours of the phases are Okabe and Ito's, which the colour-blind can tell apart.
_RULES = """
& {
  --dim: color-mix(in srgb, currentColor 72%, transparent);
  --line: color-mix(in srgb, currentColor 22%, transparent);
  --hover: color-mix(in srgb, currentColor 7%, transparent);
  --error: var(--jp-error-color1, #d3382f);
  --warning: var(--jp-warn-color1, #e69f00);
  max-width: 76em; padding: .3em .5em; color: inherit; background: none;
  font: 13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif);
  font-variant-numeric: tabular-nums;
}
& p { margin: .15em 0; overflow-wrap: anywhere; }
& .f-headline { font-size: 1.1em; }
& .f-headline span { display: inline-block; }
& [title] { cursor: help; }
& .f-error, & .f-warning { padding: .15em .6em; border-left: 4px solid var(--warning); }
& .f-error { border: 2px solid var(--error); border-left-width: 8px; font-weight: 700; }
& .f-dim, & .f-type { color: var(--dim); }
& .f-unit { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
& .f-section { margin: .5em 0; }
& .f-section > summary { display: list-item; font-weight: 600; cursor: pointer; }
& .f-scroll { position: relative; overflow-x: auto; }
& ul { list-style: none; margin: 0; padding: 0; }
& .f-tree ul ul { padding-left: 1.1em; }
& li { margin: 0; padding: 0; }
& .f-row { display: grid; column-gap: .9em; align-items: center;
  grid-template-columns: var(--columns); padding: .05em .3em; list-style: none; }
& .f-row::-webkit-details-marker { display: none; }
& summary.f-row { cursor: pointer; }
& .f-row:hover { background: var(--hover); }
& .f-head, & .f-head:hover { color: var(--dim); background: none;
  border-bottom: 1px solid var(--line); }
& .f-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
& .f-name::before { content: ""; display: inline-block; width: 1.1em; color: var(--dim); }
& summary > .f-name::before { content: "▸"; }
& details[open] > summary > .f-name::before { content: "▾"; }
& .f-head .f-name::before { content: none; }
& .f-head span::after { content: attr(data-title); }
& .f-number { text-align: right; white-space: nowrap; }
& .f-bar { display: flex; width: 100%; height: .75em; background: rgba(128, 128, 128, .18); }
& .f-bar i { display: block; height: 100%; min-width: 1px; background: #0072b2; }
& i.f-backward { background: #e69f00; }
& i.f-recompute { background: #009e73; }
& i.f-optimizer { background: #cc79a7; }
& .f-key { display: inline-block; width: .75em; height: .75em; background: #0072b2; }
& .f-quadratic { color: color-mix(in srgb, var(--warning) 60%, currentColor); font-weight: 600; }
& .f-fast { color: var(--error); font-weight: 600; }
& i.f-before { background: #9aa4ae; }
& i.f-after { background: #0072b2; }
& i.f-kept { background: #8b959f; }
& i.f-more { background: #d55e00; }
& i.f-less { background: repeating-linear-gradient(135deg, #009e73 0 2px, transparent 2px 4px); }
& .f-chart { max-width: 60em; padding: .2em .3em; display: grid; gap: .15em .9em;
  align-items: center; grid-template-columns: max-content minmax(6em, 1fr) max-content; }
& .f-chart-row { display: contents; }
& .f-chart-name { text-align: right; }
& .f-chart svg { width: 100%; height: 1em; }
& .f-icicle { display: block; min-width: 600px; font-size: 12px; }
& .f-icicle rect { stroke: var(--line); }
& .f-icicle tspan { display: none; }
& .f-heat i { background: #d55e00; }
& table { border-collapse: collapse; margin: 0; font-size: inherit; table-layout: auto;
  color: inherit; }
& th, & td { padding: .05em .45em; border: 0; text-align: right; white-space: nowrap;
  line-height: 1.5; background: none; color: inherit; vertical-align: middle; max-width: none; }
& th { color: var(--dim); font-weight: normal; border-bottom: 1px solid var(--line); }
& tbody tr { background: none; }
& tbody tr:hover { background: var(--hover); }
& .f-share { display: grid; grid-template-columns: 8em 4em; gap: .6em; align-items: center; }
& .f-share .f-bar { width: 8em; }
& code { font: 12px/1.5 var(--jp-code-font-family, ui-monospace, monospace); color: inherit;
  background: none !important; padding: 0 !important; white-space: pre; }
"""

# Dark pages of the PyData theme, and so of Jupyter Book, put every HTML output on a white sheet.
_SHEETS = """
.cell_output .text_html:has(.ipyflops), .nboutput .output_area:has(.ipyflops) {
  color: inherit !important; background: none !important; padding: 0 !important;
}
"""

#: The style sheet. The class twice outweighs the rules that a notebook has for every output.
STYLE = _RULES.replace("&", ".ipyflops.ipyflops") + _SHEETS
