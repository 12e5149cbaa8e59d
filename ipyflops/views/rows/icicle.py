"""The icicle of a report as plain data: one row for each level, each part as wide as its amount.

What is inside a part stands below it. What ran in a part but in nothing inside leaves a gap.
``widget/static/icicle.js`` lays out the same in a browser, where one can go into a part.
"""

from __future__ import annotations

from dataclasses import dataclass

from ipyflops.costs import Metric
from ipyflops.report import Node, Phase
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.text_width import fitted
from ipyflops.views.rows.visible import visible

#: In em: beside a name in its part, and of a name at least, for fewer letters say nothing.
_GAP, _LEAST_ROOM = 0.6, 1.2


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a row; its label is safe to show.

    Attributes
    ----------
    level : int
        Its row, 0 at the top.
    start, width : float
        Where it begins and how wide it is; the whole is 1.
    label : str
    phase : {"forward", "backward", "recompute", "optimizer"} or None
        The one with the most of it; None for several that stand together.
    """

    level: int
    start: float
    width: float
    label: str
    phase: Phase | None


def parts_of(top: Node, metric: Metric, *, levels: int, least: float) -> list[Part]:
    """Lay out what is inside a node, level by level.

    Parameters
    ----------
    top : Node
        The one part of the first row.
    metric : Metric
        What widths are.
    levels : int
        How many rows there are at most.
    least : float
        Siblings that are narrower share one part, which says how many they are.

    Returns
    -------
    list of Part
        From top to bottom, each row from left to right; none where there is nothing to share.
    """
    whole = metric.value(top.totals)
    if not whole:
        return []
    parts = []
    level = [(top, 0.0)]
    for number in range(levels):
        parts += [_part(number, start, node, metric, whole) for node, start in level]
        inside: list[tuple[Node, float]] = []
        for node, left in level:
            end = left
            narrow: list[Node] = []
            for child in node.children:
                width = metric.value(child.totals) / whole
                if width >= least:
                    inside.append((child, end))
                    end += width
                elif width:
                    narrow.append(child)
            if narrow and number + 1 < levels:
                width = sum(metric.value(child.totals) for child in narrow) / whole
                label = more_name(len(narrow)) if len(narrow) > 1 else _label(narrow[0])
                parts.append(Part(number + 1, end, width, label, None))
        level = inside
        if not level:
            break
    return sorted(parts, key=lambda one: (one.level, one.start))


def named(part: Part, width: float) -> str:
    """The name of a part as it has room in it, cut in the middle; empty where it has none.

    Parameters
    ----------
    part : Part
    width : float
        Of the part, in em of the name.
    """
    room = width - _GAP
    label = fitted(part.label, room) if room >= _LEAST_ROOM else "…"
    return "" if label == "…" else label


def _part(level: int, start: float, node: Node, metric: Metric, whole: float) -> Part:
    most = max(node.phases, key=lambda phase: metric.value(node.phases[phase]))
    return Part(level, start, metric.value(node.totals) / whole, _label(node), most)


def _label(node: Node) -> str:
    return visible(node.name) or ("(all)" if node.kind == "root" else "(no name)")
