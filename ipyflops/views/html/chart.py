"""The bar chart of the HTML view: what is outermost, each bar a small inline SVG.

The SVGs hold no text. Where a page strips them, as it does from notebooks that it does not trust,
names and numbers are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.units import percent, scaled
from ipyflops.views.charts.bars import COLORS, Bar, largest, outermost, shown_parts
from ipyflops.views.html.parts import text

if TYPE_CHECKING:
    from ipyflops.report.report import Report

MOST_BARS = 20
#: The length of the longest bar, in the units of its SVG.
LENGTH = 1000


def chart(report: Report) -> str:
    """The chart of a report's FLOPs; empty where there are fewer than two bars."""
    found = largest(outermost(report.tree), "flops", MOST_BARS)
    if len(found) < 2 or not report.flops:
        return ""
    parts = shown_parts(found, "flops")
    longest = max(part * one.length("flops") for part, one in zip(parts, found, strict=True))
    rows = "".join(
        _row(one, part, longest, report.flops) for part, one in zip(parts, found, strict=True)
    )
    return f'<div class="f-chart">{rows}</div>'


def _row(one: Bar, part: float, longest: float, whole: int) -> str:
    flops = int(one.length("flops"))
    cut = " (bar cut)" if part < 1 else ""
    amount = f"{scaled(flops, 'FLOPs')} · {percent(flops / whole)}"
    return (
        f'<div class="f-chart-row"><span class="f-chart-name">{text(one.label + cut)}'
        f'<span class="f-unit">: </span></span>{_svg(one, part, longest)}'
        f"<span>{text(amount)}</span></div>"
    )


def _svg(one: Bar, part: float, longest: float) -> str:
    pieces = []
    start = 0.0
    for phase, totals in one.phases.items():
        width = LENGTH * part * totals.flops / longest
        if width:
            faint = ' opacity="0.6"' if part < 1 else ""
            pieces.append(
                f'<rect x="{start:.1f}" width="{width:.1f}" height="10" '
                f'fill="{COLORS[phase]}"{faint}></rect>'
            )
        start += width
    return (
        f'<svg viewBox="0 0 {LENGTH} 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )
