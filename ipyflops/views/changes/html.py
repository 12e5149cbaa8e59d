"""What two reports differ in as HTML: the tree, and in each row a bar of before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipyflops.units import scaled
from ipyflops.views.changes.html_chart import chart
from ipyflops.views.changes.rows import ChangeRow, changes, difference_headline, signed
from ipyflops.views.html.nested import MOST_LEVELS, columns, name, nested, open_levels
from ipyflops.views.html.parts import Number, figures, numbers, section, text
from ipyflops.views.html.report import fragment

if TYPE_CHECKING:
    from ipyflops.report.report import Difference

MOST_ROWS = 1000
#: Widths in em of the bar and the numbers, and the least of the name, which takes what is left.
_WIDTHS, _LEAST_NAME = (14, 4.6, 4.6, 5.4, 4.6), 16
_TITLES = (
    ("before", "FLOPs before"),
    ("after", "FLOPs after"),
    ("difference", "FLOPs after, less FLOPs before"),
    ("ratio", "FLOPs after divided by FLOPs before"),
)


def difference_to_html(difference: Difference) -> str:
    """Write what two reports differ in as an HTML fragment, without scripts.

    Parameters
    ----------
    difference : Difference

    Returns
    -------
    str
    """
    found = changes(difference, MOST_ROWS, depth=MOST_LEVELS, whole_levels=False)
    parts = [figures(difference_headline(difference))]
    if found.rows:
        parts += [_legend(found.rows), f'<div class="f-scroll">{_tree(found.rows)}</div>']
        drawn = chart(difference)
        if drawn:
            key = (
                '<p><i class="f-key f-before"></i> before · <i class="f-key f-after"></i> after</p>'
            )
            parts.append(section("Chart", key + drawn, False))
    if found.remarks:
        parts.append(f'<p class="f-dim">{text(" · ".join(found.remarks))}</p>')
    return fragment(parts)


def _legend(rows: Sequence[ChangeRow]) -> str:
    """What the colours of the bars mean."""
    keys = ['<i class="f-key f-kept"></i> in both']
    if any(row.flops > 0 for row in rows):
        keys.append('<i class="f-key f-more"></i> more than before')
    if any(row.flops < 0 for row in rows):
        keys.append('<i class="f-key f-less"></i> less than before')
    return f'<p class="f-phases">{" · ".join(keys)}</p>'


def _tree(rows: Sequence[ChangeRow]) -> str:
    largest = max(max(row.before.flops, row.after.flops) for row in rows)
    style = columns(_LEAST_NAME, _WIDTHS, rows)
    return nested(rows, (_cells(row, largest) for row in rows), open_levels(rows), _head(), style)


def _head() -> str:
    """The titles, which the style sheet shows: there are no columns without it."""
    titles = "".join(
        f'<span class="f-number" data-title="{title}" title="{tip}"></span>'
        for title, tip in _TITLES
    )
    return (
        '<div class="f-row f-head"><span class="f-name" data-title="module"></span><span></span>'
        f"{titles}</div>"
    )


def _cells(row: ChangeRow, largest: int) -> str:
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
    return name(row) + _bar(row, largest) + numbered


def _bar(row: ChangeRow, largest: int) -> str:
    before, after = row.before.flops, row.after.flops
    pieces = [("kept", min(before, after)), ("more" if after > before else "less", abs(row.flops))]
    drawn = "".join(
        f'<i class="f-{kind}" style="width:{100 * size / largest:.2f}%"></i>'
        for kind, size in pieces
        if size
    )
    return f'<span class="f-bar">{drawn}</span>'
