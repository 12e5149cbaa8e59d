"""The charts as pictures for the widget: SVG that fits its pane and its theme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ipyflops.report import Node, Report
from ipyflops.views.charts.bars import bar_of_alike
from ipyflops.views.charts.roofline import roofline

#: Pixels of a page to an inch of a figure.
DPI = 96
MIN_WIDTH, MAX_WIDTH = 280, 1200
#: What is drawn in the colour of text, on a light and on a dark page.
INK = {False: "#1f2328", True: "#dfe3e8"}
_INKED = (
    "text.color",
    "axes.labelcolor",
    "axes.edgecolor",
    "axes.titlecolor",
    "xtick.color",
    "ytick.color",
)


def chart_svg(report: Report, nodes: Sequence[Node], metric: str, *, dark: bool, width: int) -> str:
    """Draw what is inside nodes that are alike, as wide as asked for, on a transparent ground.

    Parameters
    ----------
    report : Report
    nodes, metric
        As for `ipyflops.views.charts.bars.bar_of_alike`.
    dark : bool
        Whether it stands on a dark page.
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
    with _figure(width, dark=dark) as figure:
        axes = bar_of_alike(report, figure.add_subplot(), nodes, metric=metric)
        bars = len(axes.get_yticks())
        figure.set_size_inches(figure.get_figwidth(), 1.0 + 0.24 * max(bars, 2))
        _move_legend(figure, axes)
        _make_room(figure, axes)
        return _svg(figure)


def roofline_svg(
    report: Report, by: Literal["modules", "operators"], *, dark: bool, width: int
) -> str:
    """Draw the roofline chart likewise; a point is a module or an operator."""
    with _figure(width, dark=dark) as figure:
        # Where labels fit is worked out for the size that the figure has.
        roofline(report, figure.add_subplot(), by=by)
        return _svg(figure)


@contextmanager
def _figure(width: int, *, dark: bool) -> Iterator[Figure]:
    """A figure of a page's width, in the colours of its text."""
    style: dict[Any, Any] = {
        **dict.fromkeys(_INKED, INK[dark]),
        "font.size": 9.0,
        "legend.labelcolor": INK[dark],
        "legend.frameon": False,
        "axes.facecolor": "none",
        "svg.hashsalt": "ipyflops",
    }
    with matplotlib.rc_context(style):
        inches = min(max(width, MIN_WIDTH), MAX_WIDTH) / DPI
        yield Figure(
            figsize=(inches, 0.3 * inches + 2), dpi=DPI, layout="constrained", facecolor="none"
        )


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _move_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below, where it hides nothing however narrow the pane is."""
    legend = axes.get_legend()
    if legend is not None:
        legend.remove()
        figure.legend(loc="outside lower center", ncols=4, fontsize="small", frameon=False)


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
