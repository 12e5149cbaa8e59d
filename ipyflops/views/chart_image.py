"""The bar chart as a picture for the widget: an SVG that fits its pane and its theme."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from ipyflops.views import charts

if TYPE_CHECKING:
    from ipyflops.report import Report

#: Pixels of a page to an inch of a figure.
DPI = 96
LEAST_WIDTH, MOST_WIDTH = 280, 1200
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


def chart_svg(report: Report, node: str, metric: str, *, dark: bool, width: int) -> str:
    """Draw what is inside a node, as wide as asked for, on a transparent ground.

    Parameters
    ----------
    report : Report
    node, metric : str
        As for `ipyflops.views.charts.bar`.
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
    KeyError, ValueError
        As `ipyflops.views.charts.bar`.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style = {
        **dict.fromkeys(_INKED, INK[dark]),
        "font.size": 9.0,
        "legend.labelcolor": INK[dark],
        "legend.frameon": False,
        "axes.facecolor": "none",
        "svg.hashsalt": "ipyflops",
    }
    with matplotlib.rc_context(style):
        inches = min(max(width, LEAST_WIDTH), MOST_WIDTH) / DPI
        figure = Figure(figsize=(inches, 4), dpi=DPI, layout="constrained", facecolor="none")
        axes = charts.bar(report, figure.add_subplot(), node=node, metric=metric)
        bars = len(axes.get_yticks())
        figure.set_size_inches(inches, 0.95 + 0.24 * max(bars, 2))
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
