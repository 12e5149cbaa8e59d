"""The bar chart of the HTML view: what is outermost, each bar a small inline SVG.

The SVGs hold no text. Where a page strips them, as it does from notebooks that it does not trust,
names and numbers are left.
"""

from __future__ import annotations

from ipyflops.report import Report
from ipyflops.units import percent, scaled
from ipyflops.views.html.parts import NOTHING, Html, bars_svg, chart_row, tag
from ipyflops.views.rows.bars import COLORS, Bar, bars_of, largest, shown_parts

MAX_BARS = 20
#: The length of the longest bar, in the units of its SVG.
LENGTH = 1000


def chart(report: Report, most: int) -> Html:
    """The chart of a report's FLOPs in so many bars; empty where there are fewer than two."""
    bars = largest(bars_of(report, [report.tree]), "flops", most)
    if len(bars) < 2 or not report.flops:
        return NOTHING
    parts = shown_parts(bars, "flops")
    longest = max(part * one.length("flops") for part, one in zip(parts, bars, strict=True))
    rows = [_row(one, part, longest, report.flops) for part, one in zip(parts, bars, strict=True)]
    return tag("div", *rows, class_="f-chart")


def _row(one: Bar, part: float, longest: float, whole: int) -> Html:
    flops = int(one.length("flops"))
    label = f"{one.label} (bar cut)" if part < 1 else one.full_label
    amount = f"{scaled(flops, 'FLOPs')} · {percent(flops / whole)}"
    return chart_row(label, bars_svg(LENGTH, 10, _pieces(one, part, longest)), amount)


def _pieces(one: Bar, part: float, longest: float) -> list[Html]:
    pieces = []
    start = 0.0
    for phase, totals in one.phases.items():
        width = LENGTH * part * totals.flops / longest
        if width:
            pieces.append(
                tag(
                    "rect",
                    x=f"{start:.1f}",
                    width=f"{width:.1f}",
                    height="10",
                    fill=COLORS[phase],
                    opacity="0.6" if part < 1 else None,
                )
            )
        start += width
    return pieces
