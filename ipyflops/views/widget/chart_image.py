"""The charts as pictures for the widget: SVG that fits its pane and any theme."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ipyflops.report import Node, Report
from ipyflops.views.charts.axes import Look
from ipyflops.views.charts.bars import bar_of_alike
from ipyflops.views.charts.memory import memory
from ipyflops.views.charts.roofline import roofline

#: Pixels of a page to an inch of a figure.
DPI = 96
MIN_WIDTH, MAX_WIDTH = 280, 1200
#: What is written becomes `currentColor`, which the page gives a value (`static/chart.js`).
#: matplotlib has no such colour: this one, that nothing else in a chart has, stands for it.
LOOK = Look("#0b1f3d")


def chart_svg(report: Report, nodes: Sequence[Node], metric: str, *, width: int) -> str:
    """Draw what is inside nodes that are alike, as wide as asked for, on a transparent ground.

    Parameters
    ----------
    report : Report
    nodes, metric
        As for `ipyflops.views.charts.bars.bar_of_alike`.
    width : int
        In pixels; kept within limits.

    Returns
    -------
    str
        The SVG.

    Raises
    ------
    ValueError
        As `ipyflops.views.charts.bars.bar_of_alike`.
    """
    figure = _figure(width)
    axes = bar_of_alike(report, figure.add_subplot(), nodes, metric=metric, look=LOOK)
    bars = len(axes.get_yticks())
    figure.set_size_inches(figure.get_figwidth(), 1.0 + 0.24 * max(bars, 2))
    _move_legend(figure, axes)
    _make_room(figure, axes)
    return _svg(figure)


def roofline_svg(report: Report, by: Literal["modules", "operators"], *, width: int) -> str:
    """Draw the roofline chart likewise; a point is a module or an operator."""
    figure = _figure(width)
    # Where labels fit is worked out for the size that the figure has.
    roofline(report, figure.add_subplot(), by=by, look=LOOK)
    return _svg(figure)


def memory_svg(report: Report, *, width: int) -> str:
    """Draw the chart of memory likewise."""
    figure = _figure(width)
    memory(report, figure.add_subplot(), look=LOOK)
    return _svg(figure)


def _figure(width: int) -> Figure:
    """A figure of a page's width, which pyplot does not know."""
    inches = min(max(width, MIN_WIDTH), MAX_WIDTH) / DPI
    return Figure(
        figsize=(inches, 0.3 * inches + 2), dpi=DPI, layout="constrained", facecolor="none"
    )


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    return text.getvalue().replace(LOOK.ink, "currentColor")


def _move_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below, where it hides nothing however narrow the pane is."""
    legend = axes.get_legend()
    if legend is not None:
        legend.remove()
        figure.legend(loc="outside lower center", ncols=4, **LOOK.legend())


def _make_room(figure: Figure, axes: Axes) -> None:
    """Let the bars end where the numbers behind them still fit."""
    figure.draw_without_rendering()
    room = axes.get_window_extent().width
    limit = axes.get_xlim()[1]
    for note in axes.texts:
        if not hasattr(note, "xy"):
            continue
        taken = note.get_window_extent().width + 8
        if 0 < taken < 0.8 * room:
            limit = max(limit, note.xy[0] * room / (room - taken))
    axes.set_xlim(0, limit)
