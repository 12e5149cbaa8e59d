"""The chart of a difference in HTML: before and after one above the other, as small inline SVGs.

They hold no text: where a page strips them, names and numbers are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.units import scaled
from ipyflops.views.changes.chart import AFTER, BEFORE, Pair, pairs
from ipyflops.views.changes.rows import ratio
from ipyflops.views.html.parts import text

if TYPE_CHECKING:
    from ipyflops.report.report import Difference

MOST_PAIRS = 16
#: The length of the longest bar, in the units of its SVG.
LENGTH = 1000


def chart(difference: Difference) -> str:
    """The chart of what changed; empty where that is fewer than two places."""
    found = pairs(difference, MOST_PAIRS)
    longest = max((max(one.before.flops, one.after.flops) for one in found), default=0)
    if len(found) < 2 or not longest:
        return ""
    rows = "".join(_row(one, longest) for one in found)
    return f'<div class="f-chart">{rows}</div>'


def _row(one: Pair, longest: int) -> str:
    before, after = one.before.flops, one.after.flops
    if one.status in ("added", "removed"):
        amounts = f"{scaled(before or after, 'FLOPs')} {one.status}"
    else:
        factor = f" {ratio(after / before)}" if before else ""
        amounts = f"{scaled(before)} → {scaled(after, 'FLOPs')}{factor}"
    bars = "".join(
        f'<rect y="{y}" width="{LENGTH * flops / longest:.1f}" height="4" fill="{color}"></rect>'
        for y, flops, color in ((0, before, BEFORE), (5, after, AFTER))
        if flops
    )
    return (
        f'<div class="f-chart-row"><span class="f-chart-name">{text(one.label)}'
        '<span class="f-unit">: </span></span>'
        f'<svg viewBox="0 0 {LENGTH} 9" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>'
        f"<span>{text(amounts)}</span></div>"
    )
