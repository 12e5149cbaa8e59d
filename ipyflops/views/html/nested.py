"""Rows of a tree as nested ``<details>``, whatever their columns are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipyflops.views.html.parts import TOOLTIP_LENGTH, Html, joined, tag, text
from ipyflops.views.rows.outline import PlaceRow
from ipyflops.views.rows.visible import shortened

#: So many levels are nested at most; browsers stop at some hundred elements.
MAX_LEVELS = 60
#: As many levels are open at first as have this many rows together.
OPEN_ROWS = 40
#: In em, as in the style sheet: between columns, and of each level.
_GAP, _INDENT = 0.9, 1.1
# Lists are closed and opened by the levels of the rows, so their tags are pieces of their own.
_OPEN_LIST, _CLOSE_LIST, _CLOSE = Html("<ul>"), Html("</ul>"), Html("</ul></details></li>")


@dataclass(frozen=True, slots=True)
class TreeTitle:
    """A column: its width in em, its title and tooltip, and whether it holds numbers."""

    width: float
    text: str | None = None
    tip: str | None = None
    number: bool = False


def _head(titles: Iterable[TreeTitle]) -> Html:
    """The titles, which the style sheet shows: there are no columns without it."""
    module = tag("span", class_="f-name", data_title="module")
    others = [
        tag("span", class_="f-number" if one.number else None, data_title=one.text, title=one.tip)
        for one in titles
    ]
    return tag("div", module, *others, class_="f-row f-head")


def open_levels(rows: Sequence[PlaceRow]) -> int:
    """How many levels, counted from the first row's, are open where nothing else is asked for."""
    in_level = Counter(row.level for row in rows)
    shown, level = in_level[0], 0
    while in_level[level + 1] and shown + in_level[level + 1] <= OPEN_ROWS:
        level += 1
        shown += in_level[level]
    return max(level, 1)


def nested(
    rows: Sequence[PlaceRow],
    cells: Iterable[Html],
    opened: int,
    titles: Sequence[TreeTitle],
    least_name: float,
) -> Html:
    """Nest rows as their levels say.

    Parameters
    ----------
    rows : sequence of PlaceRow
        Parents before what is inside them.
    cells : iterable of Html
        The HTML of each row.
    opened : int
        How many levels are open.
    titles : sequence of TreeTitle
    least_name : float
        The least width of a name, in em.
    """
    parts = [_head(titles), _OPEN_LIST]
    levels = [*(row.level for row in rows[1:]), 0]
    for row, shown, next_level in zip(rows, cells, levels, strict=True):
        left_out = row.hidden if row.kind != "more" else 0
        if next_level > row.level or left_out:
            parts.append(_opening(shown, is_open=row.level < opened))
        else:
            parts.append(tag("li", tag("div", shown, class_="f-row")))
        if left_out:
            parts.append(tag("li", text(f"{left_out:,} more inside, not shown"), class_="f-dim"))
            parts.append(_CLOSE)
        parts += [_CLOSE] * max(row.level - next_level, 0)
    parts.append(_CLOSE_LIST)
    return tag("div", *parts, class_="f-tree", style=_columns(least_name, titles, rows))


def _opening(shown: Html, *, is_open: bool) -> Html:
    """The beginning of a place that has others inside."""
    summary = tag("summary", shown, class_="f-row")
    return Html(f"<li><details{' open' if is_open else ''}>{summary}<ul>")


def _columns(least_name: float, titles: Sequence[TreeTitle], rows: Sequence[PlaceRow]) -> str:
    """The style with the widths of columns, in em; names have room whatever their indentation."""
    widths = [one.width for one in titles]
    numbers = " ".join(f"{width}em" for width in widths)
    deepest = max(row.level for row in rows)
    least = least_name + sum(widths) + _GAP * len(widths) + _INDENT * deepest
    return f"--columns:minmax(0,1fr) {numbers};min-width:{least:.1f}em"


def name(row: PlaceRow) -> Html:
    """The first cell of a row: its name and type."""
    pieces = [tag("em", text(row.name)) if row.is_remark else text(row.name)]
    if row.repeats > 1:
        pieces += [text(" "), tag("strong", text(f"×{row.repeats:,}"))]
    if row.type:
        kind = tag("code", text(row.type)) if row.kind == "code" else text(row.type)
        pieces += [text(" "), tag("span", kind, class_="f-type")]
    if row.note:
        pieces += [text(" "), tag("span", text(row.note), class_="f-type")]
    unit = tag("span", text(": "), class_="f-unit")
    return tag(
        "span", joined(pieces), unit, class_="f-name", title=shortened(row.path, TOOLTIP_LENGTH)
    )
