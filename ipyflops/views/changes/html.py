"""What two reports differ in as HTML: the tree, and in each row a bar of before and after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ipyflops.report import Difference
from ipyflops.units import scaled
from ipyflops.views.changes.pairs import AFTER, BEFORE, Pair, pairs
from ipyflops.views.changes.rows import ChangeRow, changes, difference_headline, ratio, signed
from ipyflops.views.html.fitting import ROOM, shortened
from ipyflops.views.html.nested import MAX_LEVELS, TreeTitle, name, nested, open_levels
from ipyflops.views.html.parts import (
    NOTHING,
    Html,
    Number,
    bars_svg,
    chart_row,
    fragment,
    headline_html,
    joined,
    key,
    legend,
    numbers,
    pieces_of_bar,
    section,
    tag,
    text,
)

MAX_ROWS = 400
MAX_PAIRS = 16
#: The length of the chart's longest bar, in the units of its SVG.
LENGTH = 1000
#: In em; the name takes what is left.
MIN_NAME = 16
_TITLES = (
    TreeTitle(14),
    TreeTitle(4.6, "before", "FLOPs before", number=True),
    TreeTitle(4.6, "after", "FLOPs after", number=True),
    TreeTitle(5.4, "difference", "FLOPs after, less FLOPs before", number=True),
    TreeTitle(4.6, "ratio", "FLOPs after divided by FLOPs before", number=True),
)


def to_html(difference: Difference, *, room: int | None = ROOM) -> Html:
    """Write what two reports differ in as an HTML fragment, without scripts.

    Parameters
    ----------
    difference : Difference
    room : int or None
        As for `ipyflops.views.html.report.to_html`.

    Returns
    -------
    str
    """
    write = partial(_fragment, difference)
    return write(MAX_ROWS) if room is None else shortened(write, MAX_ROWS, room)


def _fragment(difference: Difference, most: int) -> Html:
    """The whole fragment, with a tree of so many rows."""
    shown = changes(difference, most, depth=MAX_LEVELS, whole_levels=False)
    parts = [headline_html(difference_headline(difference))]
    if shown.rows:
        parts += [_legend(shown.rows), tag("div", _tree(shown.rows), class_="f-scroll")]
        drawn = chart(difference)
        if drawn:
            keys = [
                joined([key("before"), text(" before")]),
                joined([key("after"), text(" after")]),
            ]
            both = tag("p", joined(keys, " · "))
            parts.append(section("Chart", joined([both, drawn]), is_open=False))
    if shown.remarks:
        where = ["to_frame() of the difference has everything"] if shown.more else []
        parts.append(tag("p", text(" · ".join([*shown.remarks, *where])), class_="f-dim"))
    return fragment(parts)


def _legend(rows: Sequence[ChangeRow]) -> Html:
    keys = [("kept", "in both")]
    if any(row.flops > 0 for row in rows):
        keys.append(("more", "more than before"))
    if any(row.flops < 0 for row in rows):
        keys.append(("less", "less than before"))
    return legend(keys)


def _tree(rows: Sequence[ChangeRow]) -> Html:
    largest = max(max(row.before.flops, row.after.flops) for row in rows)
    cells = (_cells(row, largest) for row in rows)
    return nested(rows, cells, open_levels(rows), _TITLES, MIN_NAME)


def _cells(row: ChangeRow, largest: int) -> Html:
    before, after = row.before_text, row.after_text
    exact = f"{row.before.flops:,} FLOPs before, {row.after.flops:,} after"
    status = row.ratio_text
    numbered = numbers(
        [
            Number(before, f"{scaled(row.before.flops, 'FLOPs')} before", exact),
            Number(after, f"{scaled(row.after.flops, 'FLOPs')} after", exact),
            Number(row.difference_text, signed(row.flops, "FLOPs"), f"{row.flops:+,} FLOPs"),
            Number(status, status),
        ]
    )
    return joined([name(row), _bar(row, largest), numbered])


def _bar(row: ChangeRow, largest: int) -> Html:
    before, after = row.before.flops, row.after.flops
    end = "more" if after > before else "less"
    return pieces_of_bar([("kept", min(before, after), largest), (end, abs(row.flops), largest)])


def chart(difference: Difference) -> Html:
    """The chart of what changed; empty where that is fewer than two places."""
    drawn = pairs(difference, MAX_PAIRS)
    longest = max((max(one.before.flops, one.after.flops) for one in drawn), default=0)
    if len(drawn) < 2 or not longest:
        return NOTHING
    return tag("div", *(_chart_row(one, longest) for one in drawn), class_="f-chart")


def _chart_row(one: Pair, longest: int) -> Html:
    before, after = one.before.flops, one.after.flops
    if one.status in ("added", "removed"):
        amounts = f"{scaled(before or after, 'FLOPs')} {one.status}"
    else:
        factor = f" {ratio(after / before)}" if before else ""
        amounts = f"{scaled(before)} → {scaled(after, 'FLOPs')}{factor}"
    bars = [
        tag("rect", y=str(y), width=f"{LENGTH * flops / longest:.1f}", height="4", fill=color)
        for y, flops, color in ((0, before, BEFORE), (5, after, AFTER))
        if flops
    ]
    return chart_row(one.label, bars_svg(LENGTH, 9, bars), amounts)
