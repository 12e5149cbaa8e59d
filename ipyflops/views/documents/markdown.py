"""Tables in Markdown, as GitHub, JupyterLab and pandoc read them."""

from __future__ import annotations

import re

from ipyflops.views.documents.plain_table import PlainRow, PlainTable
from ipyflops.views.rows.visible import visible

#: Whatever could begin emphasis, code, a link, a picture, mathematics, HTML or another cell.
_MARKUP = re.compile(r"[\\`*_\[\]|~$!#{}^]")
#: Written as character references, which no reader of Markdown takes for markup.
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_INDENT = "\u2003"


def markdown(table: PlainTable) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    table : PlainTable

    Returns
    -------
    str
        Lines with no newline at the end; columns are aligned, so it can be read as it is, too.
    """
    rows = [[escaped(title) for title in table.titles], *(_cells(row) for row in table.rows)]
    widths = [max(3, *(len(row[index]) for row in rows)) for index in range(len(table.titles))]
    rules = [
        "-" * width if index < table.texts else "-" * (width - 1) + ":"
        for index, width in enumerate(widths)
    ]
    lines = [_line(row, widths, table.texts) for row in [rows[0], rules, *rows[1:]]]
    return "\n".join(lines)


def escaped(text: str) -> str:
    r"""Write a text of the user's so that it shows as it is.

    Examples
    --------
    >>> print(escaped("feed_forward|<b>"))
    feed\_forward\|&lt;b&gt;
    """
    text = _MARKUP.sub(r"\\\g<0>", visible(text))
    text = "".join(_REFERENCES.get(character, character) for character in text)
    # What looks like an address becomes a link without any markup.
    return re.sub(r"(?i)(https?|ftp):", r"\1&#58;", re.sub(r"(?i)(www)\.", r"\1&#46;", text))


def _cells(row: PlainRow) -> list[str]:
    cells = [escaped(cell) for cell in row.cells]
    if row.total:
        cells = [f"**{cell}**" if cell.strip() else cell for cell in cells]
    cells[0] = _INDENT * row.level + cells[0]
    return cells


def _line(cells: list[str], widths: list[int], texts: int) -> str:
    padded = [
        cell.ljust(width) if index < texts else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
