r"""Tables in LaTeX, with the rules of the package ``booktabs``.

What is written is ASCII and the same for pdfLaTeX, XeLaTeX and LuaLaTeX.
"""

from __future__ import annotations

import re

from ipyflops.views.documents.plain_table import PlainRow, PlainTable
from ipyflops.views.rows.visible import visible

_WRITTEN = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # In some languages babel gives quotes a meaning; after a line's end, brackets and stars are
    # options of it.
    '"': r"{\char34}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": r"\textasciigrave{}",
    "'": r"{\char39}",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "→": r"$\rightarrow$",
    "−": "$-$",
    "–": r"\textendash{}",
    "µ": r"$\mu$",
    "₂": "$_{2}$",
    **{digit: f"$^{{{number}}}$" for number, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}


def latex(table: PlainTable, *, caption: str = "", label: str = "") -> str:
    r"""Write a table in LaTeX; the document needs ``\usepackage{booktabs}``.

    Parameters
    ----------
    table : PlainTable
    caption : str
        LaTeX, taken as it is, so that it can hold formulas and references.
    label : str
        For ``\ref``.

    Returns
    -------
    str
        A ``tabular``, within a ``table`` where there is a caption or a label.

    Raises
    ------
    ValueError
        If the label has characters that a label cannot have, or the caption's braces do not match.
    """
    _check(caption, label)
    rows = [row for row in table.rows if not row.total]
    totals = [row for row in table.rows if row.total]
    body = [r"\toprule", _line(table.titles), r"\midrule", *map(_row, rows)]
    if rows and totals:
        body.append(r"\midrule")
    body += [*map(_row, totals), r"\bottomrule"]
    alignment = "l" * table.texts + "r" * (len(table.titles) - table.texts)
    tabular = [
        rf"\begin{{tabular}}{{{alignment}}}",
        *(f"  {line}" for line in body),
        r"\end{tabular}",
    ]
    if not caption and not label:
        return "\n".join(tabular)
    named = [rf"\caption{{{caption}}}"] if caption else []
    named += [rf"\label{{{label}}}"] if label else []
    inside = [r"\centering", *named, *tabular]
    return "\n".join([r"\begin{table}", *(f"  {line}" for line in inside), r"\end{table}"])


def escaped(text: str) -> str:
    r"""Write a text of the user's so that it is set as it is.

    Examples
    --------
    >>> print(escaped("50% of a_b"))
    50\% of a\_b
    """
    written: list[str] = []
    for character in visible(text):
        # Two hyphens would be set as a dash.
        between = "{}" if character == "-" and written and written[-1] == "-" else ""
        written += [between, _character(character)]
    return "".join(written)


def _character(character: str) -> str:
    known = _WRITTEN.get(character)
    if known is not None:
        return known
    if character.isascii():
        return character
    # Few fonts have it: written as Python would.
    code = character.encode("unicode_escape").decode("ascii")
    return code.replace("\\", r"\textbackslash{}")


def _row(row: PlainRow) -> str:
    return r"\quad " * row.level + _line(row.cells)


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"


def _check(caption: str, label: str) -> None:
    if re.search(r"[\\{}%#$&~^\s]", label):
        raise ValueError(
            f"the label {label!r} has blanks or characters that LaTeX gives a meaning; "
            "use letters, digits and - : . _"
        )
    open_braces = 0
    # A backslash makes a brace, or another backslash, a plain character.
    for brace in re.findall(r"[{}]", re.sub(r"\\.", "", caption, flags=re.DOTALL)):
        open_braces += 1 if brace == "{" else -1
        if open_braces < 0:
            break
    if open_braces:
        raise ValueError(f"the braces of the caption do not match: {caption!r}")
