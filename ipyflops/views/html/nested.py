"""Rows of a tree as nested ``<details>``, whatever their columns are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ipyflops.views.html.parts import TOOLTIP_LENGTH, text

if TYPE_CHECKING:
    from ipyflops.views.changes.rows import ChangeRow
    from ipyflops.views.rows.tree import TreeRow

    NestedRow: TypeAlias = TreeRow | ChangeRow

#: So many levels are nested at most; browsers stop at some hundred elements.
MOST_LEVELS = 60
#: As many levels are open at first as have this many rows together.
OPEN_ROWS = 40
#: In em, as in the style sheet: between columns, and of each level.
_GAP, _INDENT = 0.9, 1.1


def open_levels(rows: Sequence[NestedRow]) -> int:
    """How many levels, counted from the first row's, are open where nothing else is asked for."""
    in_level = Counter(row.level for row in rows)
    shown, level = in_level[0], 0
    while in_level[level + 1] and shown + in_level[level + 1] <= OPEN_ROWS:
        level += 1
        shown += in_level[level]
    return max(level, 1)


def nested(
    rows: Sequence[NestedRow], cells: Iterable[str], opened: int, head: str, style: str
) -> str:
    """Nest rows as their levels say.

    Parameters
    ----------
    rows : sequence of TreeRow or of ChangeRow
        Parents before what is inside them.
    cells : iterable of str
        The HTML of each row.
    opened : int
        How many levels are open.
    head, style : str
        HTML of the titles, and the style that has the columns.
    """
    parts = [head, "<ul>"]
    levels = [*(row.level for row in rows[1:]), 0]
    for row, shown, next_level in zip(rows, cells, levels, strict=True):
        left_out = row.hidden if row.kind != "more" else 0
        if next_level > row.level or left_out:
            is_open = " open" if row.level < opened else ""
            parts.append(f'<li><details{is_open}><summary class="f-row">{shown}</summary><ul>')
        else:
            parts.append(f'<li><div class="f-row">{shown}</div></li>')
        if left_out:
            parts.append(f'<li class="f-dim">{left_out:,} more inside, not shown</li>')
            parts.append("</ul></details></li>")
        parts.append("</ul></details></li>" * max(row.level - next_level, 0))
    parts.append("</ul>")
    return f'<div class="f-tree" style="{style}">{"".join(parts)}</div>'


def columns(least_name: float, widths: Sequence[float], rows: Sequence[NestedRow]) -> str:
    """The style with the widths of columns, in em; names have room whatever their indentation."""
    numbers = " ".join(f"{width}em" for width in widths)
    deepest = max(row.level for row in rows)
    least = least_name + sum(widths) + _GAP * len(widths) + _INDENT * deepest
    return f"--columns:minmax(0,1fr) {numbers};min-width:{least:.1f}em"


def name(row: NestedRow) -> str:
    """The first cell of a row: its name and type."""
    shown = text(row.name)
    if row.kind in ("own", "more"):
        shown = f"<em>{shown}</em>"
    if row.repeats > 1:
        shown += f" <strong>×{row.repeats:,}</strong>"
    if row.type:
        kind = f"<code>{text(row.type)}</code>" if row.kind == "code" else text(row.type)
        shown += f' <span class="f-type">{kind}</span>'
    return (
        f'<span class="f-name" title="{text(row.path, TOOLTIP_LENGTH)}">{shown}'
        '<span class="f-unit">: </span></span>'
    )
