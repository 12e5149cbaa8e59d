"""The bar chart: what is inside a module, stacked by phase."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from ipyflops.costs import METRICS, Metric, check_choice
from ipyflops.report import PHASES, Phase, Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.charts.axes import AS_SET, Look, label_bars, new_axes, say, title
from ipyflops.views.rows.bars import (
    COLORS,
    LABEL_LENGTH,
    MEMORY_BARS,
    Bar,
    bars_of,
    largest,
    offered_bars,
    shown_parts,
    whole_of,
)
from ipyflops.views.rows.visible import shortened, visible


def bar(
    report: Report,
    ax: Axes | None = None,
    *,
    node: str = "",
    metric: str = "flops",
    most: int = 20,
) -> Axes:
    """Draw what is inside a node as horizontal bars, stacked by phase, in the order of the tree.

    Parameters
    ----------
    report : Report
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure is made where it is left out.
    node : str
        Path of the node, as for `Report.find`. Where it is left out, it is the whole run: the
        outermost modules, or what is inside if there is only one, and what ran beside them.
    metric : {"flops", "macs", "int_ops", "bytes", "seconds", "saved_bytes", "peak_bytes"}
        The last two are of reports with memory.
    most : int
        How many bars to draw; the smallest of those that do not fit are one bar.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KeyError
        If there is no such node.
    ValueError
        If there is no such metric, or `most` is less than 2.
    """
    if most < 2:
        raise ValueError(f"at least 2 bars are needed, not {most}")
    check_choice(metric, offered_bars(report), f"there is no metric {metric!r}")
    nodes = [report.find(node) if node else report.tree]
    bars = bars_of(report, nodes, operators=metric not in MEMORY_BARS)
    return draw(ax, bars, report.convention, name=visible(node), metric=metric, most=most)


def draw(
    ax: Axes | None,
    bars: Sequence[Bar],
    convention: str,
    *,
    name: str,
    metric: str,
    most: int = 20,
    look: Look = AS_SET,
) -> Axes:
    """Draw bars with what they come to as a title; see `bar`."""
    drawn = METRICS[metric]
    ran = bool(bars)
    bars = largest(bars, metric, most)
    if ax is None:
        ax = new_axes(7.5, 1.1 + 0.28 * len(bars))
    whole = whole_of(bars, drawn)
    look.dress(ax)
    _draw(ax, bars, drawn, whole, look)
    if not bars:
        say(ax, f"no {drawn.name}" if ran else "no operator ran", look)
    text = drawn.long(whole)
    if name:
        text = f"{shortened(name, LABEL_LENGTH)} · {text}"
    if metric == "flops":
        text += f" [{convention}]"
    title(ax, text, look)
    return ax


def _draw(ax: Axes, bars: Sequence[Bar], metric: Metric, whole: float, look: Look) -> None:
    shown = shown_parts(bars, metric.key)
    lengths = [one.length(metric.key) for one in bars]
    longest = max((length * part for length, part in zip(lengths, shown, strict=True)), default=0)
    divisor, unit = metric.axis(longest)
    ends = stack(ax, bars, shown, metric, divisor)
    labels = [
        one.full_label if part == 1 else f"{one.label} (bar cut)"
        for one, part in zip(bars, shown, strict=True)
    ]
    # Room on the right for the numbers at the ends of the bars.
    ax.set_xlim(0, 1.3 * max(ends, default=0) or 1)
    notes = [note(metric, length, whole) for length in lengths]
    label_bars(ax, labels, list(zip(ends, notes, strict=True)), look)
    ax.set_xlabel(unit)
    ax.spines[["top", "right"]].set_visible(False)
    if len(phases_of(bars, metric)) > 1:
        ax.legend(loc="lower right", **look.legend())


def phases_of(bars: Sequence[Bar], metric: Metric) -> list[Phase]:
    """The phases that have a part of any bar."""
    return [phase for phase in PHASES if any(one.part(phase, metric) for one in bars)]


def stack(
    ax: Axes, bars: Sequence[Bar], shown: Sequence[float], metric: Metric, divisor: float = 1
) -> list[float]:
    """Draw horizontal bars from top to bottom, each stacked by phase.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    bars : sequence of Bar
    shown : sequence of float
        How much of each is drawn, as `shown_parts` gives it.
    metric : Metric
    divisor : float
        Of what is measured, a unit of the axis.

    Returns
    -------
    list of float
        Where each ends.
    """
    starts = [0.0] * len(bars)
    for phase in phases_of(bars, metric):
        widths = [
            part * one.part(phase, metric) / divisor for one, part in zip(bars, shown, strict=True)
        ]
        patches = ax.barh(
            range(len(bars)), widths, left=starts, color=COLORS[phase], label=phase, height=0.7
        )
        for patch, part in zip(patches, shown, strict=True):
            if part < 1:
                patch.set(hatch="////", alpha=0.6, edgecolor="white", linewidth=0)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    return starts


def note(metric: Metric, length: float, whole: float) -> str:
    """What stands at the end of a bar: how much it is, and its share."""
    unit = "B" if metric.of_place else ""
    amount = duration(length) if metric.format == "time" else scaled(length, unit)
    return f"{amount}  {percent(length / whole)}" if whole else amount
