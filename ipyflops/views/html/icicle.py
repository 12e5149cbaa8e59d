"""The icicle of the HTML view: the tree level by level, in one SVG that is as wide as the page.

Where a page strips the SVG, as it does from notebooks that it does not trust, the names are left,
each with its number, which the style sheet hides beside a picture.
"""

from __future__ import annotations

from collections import defaultdict

from ipyflops.costs import METRICS
from ipyflops.report import Report
from ipyflops.units import scaled
from ipyflops.views.html.parts import NOTHING, Html, tag, text
from ipyflops.views.rows.bars import COLORS
from ipyflops.views.rows.icicle import Part, named, parts_of

#: Rows at most, and the height of each in pixels.
LEVELS, ROW = 10, 20
#: Narrower parts, of the whole width, stand together.
LEAST = 0.008
#: The least width of the picture and the size of its texts, in pixels; the style sheet has both.
WIDTH, SIZE = 600, 12
#: The ground is the page's own: so much of a colour leaves its texts readable, light or dark.
_TINT = "0.38"
_MORE = "#808080"


def icicle(report: Report, levels: int) -> Html:
    """The FLOPs of a report's tree in so many levels at most; empty where there is one level."""
    parts = parts_of(report.tree, METRICS["flops"], levels=levels, least=LEAST)
    rows = 1 + max((one.level for one in parts), default=0)
    if rows < 2:
        return NOTHING
    boxes: dict[str, list[Html]] = defaultdict(list)
    for one in parts:
        boxes[COLORS[one.phase] if one.phase else _MORE].append(_box(one))
    grounds = (tag("g", *some, fill=color, fill_opacity=_TINT) for color, some in boxes.items())
    names = (_name(one, report.flops) for one in parts)
    inside = (*grounds, *names)
    height = str(ROW * rows)
    return tag(
        "svg",
        *inside,
        class_="f-icicle",
        width="100%",
        height=height,
        fill="currentColor",
        aria_hidden="true",
    )


def _box(part: Part) -> Html:
    place = {"x": _percent(part.start), "y": str(ROW * part.level), "width": _percent(part.width)}
    return tag("rect", **place, height=str(ROW - 1))


def _name(part: Part, whole: int) -> Html:
    label = named(part, part.width * WIDTH / SIZE)
    if not label:
        return NOTHING
    amount = scaled(round(part.width * whole), "FLOPs")
    return tag(
        "text",
        text(label),
        tag("tspan", text(f": {amount} · ")),
        x=_percent(part.start + part.width / 2),
        y=str(ROW * part.level + 14),
        text_anchor="middle",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
