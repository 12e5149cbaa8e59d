"""Charts of a report, by matplotlib, which is imported only when one is drawn.

Figures are made without pyplot, so its state and backend stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipyflops.views.charts.bars import bar
from ipyflops.views.charts.roofline import roofline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ipyflops.report.report import Report

__all__ = ["bar", "plot", "roofline"]


def plot(report: Report, kind: str = "bar", ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a report.

    Parameters
    ----------
    report : Report
    kind : {"bar", "roofline"}
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure is made where it is left out.
    **options
        As `bar` and `roofline` take them.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such kind of chart.
    """
    if kind == "bar":
        return bar(report, ax, **options)
    if kind == "roofline":
        return roofline(report, ax, **options)
    raise ValueError(f"there is no chart {kind!r}; choose one of bar, roofline")
