"""The icicle: where in the tree the FLOPs, the time or the bytes are, level by level."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from ipyflops.costs import MEASURED, METRICS, check_choice
from ipyflops.report import Report
from ipyflops.views.charts.axes import new_axes, root_figure, say, title
from ipyflops.views.rows.bars import COLORS
from ipyflops.views.rows.icicle import named, parts_of
from ipyflops.views.rows.visible import shortened, visible

#: Narrower parts, of the whole width, stand together.
LEAST = 0.004
#: Of a figure of its own, in inches.
WIDTH = 7.5
_MORE = "#9aa4ae"
#: Of a name, in points.
_SIZE = 8.0
_TITLE_LENGTH = 50


def icicle(
    report: Report,
    ax: Axes | None = None,
    *,
    node: str = "",
    metric: str = "flops",
    levels: int = 8,
) -> Axes:
    """Draw the tree below a node: a row for each level, in which widths are shares of the node.

    What is inside a part stands below it; where nothing does, it ran in the part itself. The colour
    is that of the phase with the most of it.

    Parameters
    ----------
    report : Report
    ax : matplotlib.axes.Axes, optional
        As for `ipyflops.views.charts.bars.bar`.
    node : str
        Path of the node, as for `Report.find`; the whole run where it is left out.
    metric : {"flops", "macs", "int_ops", "bytes", "seconds"}
    levels : int
        How many rows there are at most.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KeyError
        If there is no such node.
    ValueError
        If there is no such metric, or `levels` is less than 1.
    """
    drawn = METRICS[check_choice(metric, MEASURED, f"there is no metric {metric!r}")]
    if levels < 1:
        raise ValueError(f"at least 1 level is needed, not {levels}")
    top = report.find(node) if node else report.tree
    parts = parts_of(top, drawn, levels=levels, least=LEAST)
    rows = 1 + max((one.level for one in parts), default=0)
    part_of_figure = 0.97  # what the layout leaves to axes without names and numbers
    if ax is None:
        ax = new_axes(WIDTH, 0.5 + 0.3 * rows)
    else:
        part_of_figure = ax.get_position().width
    ax.set(xlim=(0, 1), ylim=(rows, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    figure = root_figure(ax)
    points = 72 * part_of_figure * (WIDTH if figure is None else figure.get_figwidth())
    boxes = [Rectangle((one.start, one.level), one.width, 1) for one in parts]
    colors = [COLORS[one.phase] if one.phase is not None else _MORE for one in parts]
    patches = PatchCollection(boxes, facecolors=colors, edgecolors="white", linewidths=0.8)
    ax.add_collection(patches)
    for one in parts:
        label = named(one, one.width * points / _SIZE)
        if label:
            ax.text(
                one.start + one.width / 2,
                one.level + 0.5,
                label,
                ha="center",
                va="center",
                fontsize=_SIZE,
                color="white" if one.phase == "forward" else "black",
                parse_math=False,
            )
    if not parts:
        say(ax, f"no {drawn.name}" if top.totals.calls else "no operator ran")
    text = drawn.long(drawn.value(top.totals))
    if node:
        text = f"{shortened(visible(top.path), _TITLE_LENGTH)} · {text}"
    title(ax, f"{text} [{report.convention}]" if metric == "flops" else text)
    return ax
