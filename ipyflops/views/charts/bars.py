"""The bar chart: what is inside a module, stacked by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals
from ipyflops.report.tables import PHASES, Phase
from ipyflops.units import duration, percent, scaled
from ipyflops.views.charts.axis import unit, unit_of_seconds
from ipyflops.views.charts.shown_axes import new_axes
from ipyflops.views.rows.folding import add_phases, own_phases
from ipyflops.views.rows.visible import shortened, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ipyflops.report.report import Report
    from ipyflops.report.tree import Node

#: What can be drawn, and its unit.
METRICS = {
    "flops": "FLOPs",
    "macs": "MACs",
    "int_ops": " integer ops",
    "bytes": "B",
    "seconds": "s",
}
#: Okabe and Ito's colours, which the colour-blind can tell apart.
COLORS: dict[Phase, str] = {
    "forward": "#0072b2",
    "backward": "#e69f00",
    "recompute": "#009e73",
    "optimizer": "#cc79a7",
}
LABEL_LENGTH = 34
#: The bar of those that did not fit is at most so many times as long as the longest other.
MOST_OF_BUNDLE = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and what it is made of; whether it stands for many that did not fit."""

    label: str
    phases: Mapping[Phase, Totals]
    bundle: bool = False

    def length(self, metric: str) -> float:
        """Its length in the metric's unit."""
        lengths: list[float] = [getattr(totals, metric) for totals in self.phases.values()]
        return sum(lengths)


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
    metric : {"flops", "macs", "int_ops", "bytes", "seconds"}
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
    found = _bars([report.find(node)]) if node else outermost(report.tree)
    return draw(ax, found, report.convention, name=visible(node), metric=metric, most=most)


def bar_of_alike(report: Report, ax: Axes, nodes: Sequence[Node], *, metric: str) -> Axes:
    """Draw the sum of what is inside nodes that are alike, as siblings are that are folded.

    Parameters
    ----------
    report : Report
    ax : matplotlib.axes.Axes
    nodes : sequence of Node
        At least one.
    metric : str
        As for `bar`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such metric, or the nodes have not the same children.
    """
    path = nodes[0].path
    found = _bars(nodes) if path else outermost(report.tree)
    name = f"{visible(path)} ×{len(nodes):,}" if len(nodes) > 1 else visible(path)
    return draw(ax, found, report.convention, name=name, metric=metric)


def draw(
    ax: Axes | None,
    found: Sequence[Bar],
    convention: str,
    *,
    name: str,
    metric: str,
    most: int = 20,
) -> Axes:
    """Draw bars with what they come to as a title; see `bar`."""
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; choose one of {', '.join(METRICS)}")
    bars = largest(found, metric, most)
    if ax is None:
        ax = new_axes(7.5, 1.1 + 0.28 * len(bars))
    whole = sum(one.length(metric) for one in bars)
    _draw(ax, bars, metric, whole)
    # A unit of several words has a blank of its own.
    counted = " ".join(scaled(whole, METRICS[metric]).split())
    amount = duration(whole) if metric == "seconds" else counted
    title = f"{shortened(name, LABEL_LENGTH)} · {amount}" if name else amount
    if metric == "flops":
        title += f" [{convention}]"
    ax.set_title(title, loc="left", fontsize="medium", parse_math=False)
    return ax


def outermost(root: Node) -> list[Bar]:
    """The whole run: an only outermost module is replaced by what is inside it."""
    bars = _bars([root]) if root.children else []
    modules = [index for index, child in enumerate(root.children) if child.kind == "module"]
    if len(modules) == 1:
        bars[modules[0] : modules[0] + 1] = _bars([root.children[modules[0]]])
    return bars


def _bars(nodes: Sequence[Node]) -> list[Bar]:
    """What is inside nodes that are alike, added up."""
    node = nodes[0]
    phases = add_phases(one.phases for one in nodes)
    bars = [
        Bar(_label(children[0]), add_phases(child.phases for child in children))
        for children in zip(*(one.children for one in nodes), strict=True)
    ]
    if not bars:
        return [Bar(_label(node), phases)] if node.totals.calls else []
    if node.own.calls:
        own = own_phases(phases, [one.phases for one in bars])
        bars.append(Bar("(outside modules)" if node.kind == "root" else "(own work)", own))
    return bars


def _label(node: Node) -> str:
    name = visible(node.name) or ("(all)" if node.kind == "root" else "(no name)")
    typed = f"{name} {visible(node.type)}" if node.type else name
    # What is not ASCII may be twice as wide.
    most = LABEL_LENGTH if typed.isascii() else LABEL_LENGTH // 2
    return typed if len(typed) <= most else shortened(name, most)


def largest(bars: Sequence[Bar], metric: str, most: int) -> list[Bar]:
    """At most so many bars, in their order; the smallest are one at the end."""
    if len(bars) <= most:
        return list(bars)
    largest = sorted(bars, key=lambda one: -one.length(metric))[: most - 1]
    chosen = {id(one) for one in largest}
    rest = [one for one in bars if id(one) not in chosen]
    more = Bar(f"{len(rest):,} more", add_phases(one.phases for one in rest), bundle=True)
    return [*(one for one in bars if id(one) in chosen), more]


def shown_parts(bars: Sequence[Bar], metric: str) -> list[float]:
    """How much of each bar's length is drawn.

    One that stands for a thousand others must not make those beside it too short to be seen.
    """
    alone = max((one.length(metric) for one in bars if not one.bundle), default=0)
    most = MOST_OF_BUNDLE * alone
    return [
        most / one.length(metric) if one.bundle and 0 < most < one.length(metric) else 1.0
        for one in bars
    ]


def _draw(ax: Axes, bars: Sequence[Bar], metric: str, whole: float) -> None:
    lengths = [one.length(metric) for one in bars]
    shown = shown_parts(bars, metric)
    largest = max((length * part for length, part in zip(lengths, shown, strict=True)), default=0)
    divisor, prefix = unit_of_seconds(largest) if metric == "seconds" else unit(largest)
    positions = range(len(bars))
    starts = [0.0] * len(bars)
    phases = [phase for phase in PHASES if any(phase in one.phases for one in bars)]
    for phase in phases:
        widths = [
            part * getattr(one.phases[phase], metric) / divisor if phase in one.phases else 0.0
            for one, part in zip(bars, shown, strict=True)
        ]
        drawn = ax.barh(
            positions, widths, left=starts, color=COLORS[phase], label=phase, height=0.7
        )
        for patch, part in zip(drawn, shown, strict=True):
            if part < 1:
                patch.set(hatch="////", alpha=0.6, edgecolor="white", linewidth=0)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    labels = [
        one.label if part == 1 else f"{one.label} (bar cut)"
        for one, part in zip(bars, shown, strict=True)
    ]
    ax.set_yticks(positions, labels=labels, parse_math=False)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    # Room on the right for the numbers at the ends of the bars.
    ax.set_xlim(0, 1.3 * max(starts, default=0) or 1)
    for position, start, length in zip(positions, starts, lengths, strict=True):
        amount = duration(length) if metric == "seconds" else scaled(length)
        ax.annotate(
            f"{amount}  {percent(length / whole)}" if whole else amount,
            (start, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.set_xlabel(f"{prefix}{METRICS[metric]}".strip())
    ax.spines[["top", "right"]].set_visible(False)
    if len(phases) > 1:
        ax.legend(loc="lower right", fontsize="small")
    if not bars:
        ax.text(0.5, 0.5, "no operator ran", transform=ax.transAxes, ha="center", va="center")
