"""The charts as pictures for the widget: SVG that fits its pane and any theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ipyflops.costs import MEASURED, METRICS, Metric, check_choice
from ipyflops.report import Difference, Node, Report, walk
from ipyflops.units import percent, scaled
from ipyflops.views.changes.page_chart import page_pairs
from ipyflops.views.charts.memory import memory
from ipyflops.views.charts.page_bars import LOOK, Picture, page_bars
from ipyflops.views.charts.page_canvas import page_figure, page_svg
from ipyflops.views.charts.roofline import MAX_LABELS, roofline
from ipyflops.views.rows.bars import (
    MEMORY_BARS,
    Bar,
    bars_of,
    caller_bars,
    offered_bars,
    operator_bars,
)
from ipyflops.views.rows.memory import kind_rows
from ipyflops.views.rows.roofline import points_of
from ipyflops.views.rows.visible import visible

MIN_WIDTH, MAX_WIDTH = 240, 1200


def chart_picture(report: Report, request: Mapping[str, Any]) -> Picture:
    """Draw the bars that a pane asks for.

    Parameters
    ----------
    report : Report
        Under the convention that is asked for.
    request : mapping
        As `static/message.d.ts` has it: which bars, their metric, and the width in pixels.

    Raises
    ------
    ValueError
        If there is no such metric, or the places have not the same children.
    KeyError
        If something is not there.
    """
    metric, (width, height) = _metric(request, offered_bars(report)), _size(request)
    bars, title = _asked(report, request)
    tail = f"[{report.convention}]" if metric.key == "flops" else ""
    return page_bars(bars, title, tail, metric=metric, width=width, height=height)


def change_picture(difference: Difference, request: Mapping[str, Any]) -> Picture:
    """Draw the bars of what has changed inside of places.

    Parameters
    ----------
    difference : Difference
        Under the convention that is asked for.
    request : mapping
        As for `chart_picture`; a place is asked for by its index before and after.

    Raises
    ------
    ValueError, KeyError
        As `chart_picture`.
    """
    metric, (width, height) = _metric(request, MEASURED), _size(request)
    known = {change.scopes: change for change in difference.changes}
    places = [known[int(before), int(after)] for before, after in request["nodes"]]
    return page_pairs(difference, places, metric=metric, width=width, height=height)


def _metric(request: Mapping[str, Any], offered: Iterable[str]) -> Metric:
    return METRICS[check_choice(str(request["metric"]), offered, "there is no such metric")]


def _size(request: Mapping[str, Any]) -> tuple[int, int]:
    return _kept(int(request["width"])), max(int(request.get("height", 0)), 0)


def _asked(report: Report, request: Mapping[str, Any]) -> tuple[list[Bar], str]:
    """The bars, and what they are of."""
    of = request["of"]
    if of == "operators":
        return operator_bars(report), "operators"
    if of == "callers":
        index = request["signature"]
        operator = report.signatures[int(index)].operator
        signature = int(index) if request["alone"] else None
        return caller_bars(report, operator, signature), f"{visible(operator)} called by"
    nodes = _nodes(report, request["nodes"])
    path = visible(nodes[0].path)
    bars = bars_of(report, nodes, operators=request["metric"] not in MEMORY_BARS)
    return bars, f"{path} ×{len(nodes):,}" if len(nodes) > 1 else path


def _nodes(report: Report, scopes: list[Any]) -> list[Node]:
    """The nodes of scopes: the browser knows places by their number."""
    wanted = {int(scope) for scope in scopes}
    found = {node.scope: node for node in walk(report.tree) if node.scope in wanted}
    return [found[int(scope)] for scope in scopes]


def roofline_picture(report: Report, by: Literal["modules", "operators"], width: int) -> Picture:
    """Draw the roofline chart; a point is a module or an operator."""
    width = _kept(width)
    figure = page_figure(width, 0.3 * width + 190)
    figure.set_layout_engine("constrained")
    # Where labels fit is worked out for the size that the figure has.
    roofline(report, figure.add_subplot(), by=by, look=LOOK)
    points = [one for one in points_of(report, by) if one.totals.intensity]
    points.sort(key=lambda one: -one.totals.seconds)
    rows = (
        (
            one.label,
            scaled(one.totals.flops_per_second, "FLOPS"),
            METRICS["intensity"].short(one.totals.intensity),
        )
        for one in points[:MAX_LABELS]
    )
    return Picture(page_svg(figure), ("name", "FLOPS", "FLOPs per byte"), tuple(rows))


def memory_picture(report: Report, width: int) -> Picture:
    """Draw the chart of memory."""
    width = _kept(width)
    figure = page_figure(width, 0.3 * width + 190)
    figure.set_layout_engine("constrained")
    memory(report, figure.add_subplot(), look=LOOK)
    kinds = kind_rows(report.memory.device) if report.memory is not None else []
    rows = tuple((row.kind, scaled(row.bytes, "B"), percent(row.share)) for row in kinds)
    return Picture(page_svg(figure), ("kind", "bytes at the peak", "share"), rows)


def _kept(width: int) -> int:
    """A width within limits, in pixels."""
    return min(max(width, MIN_WIDTH), MAX_WIDTH)
