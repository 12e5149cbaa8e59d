"""The chart of a difference: before and after side by side, for what changed most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals, add
from ipyflops.units import duration, scaled
from ipyflops.views.changes.rows import ChangeRow, changes, ratio, signed
from ipyflops.views.charts.axis import unit, unit_of_seconds
from ipyflops.views.charts.bars import LABEL_LENGTH, METRICS
from ipyflops.views.charts.shown_axes import new_axes
from ipyflops.views.rows.visible import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ipyflops.report.report import Difference

#: Grey and one of Okabe and Ito's colours, which the colour-blind can tell apart.
BEFORE, AFTER = "#9aa4ae", "#0072b2"
#: Levels of the tree that are opened to fill the chart.
MOST_LEVELS = 4
MOST_ROWS = 1000


def plot(
    difference: Difference, ax: Axes | None = None, *, metric: str = "flops", most: int = 12
) -> Axes:
    """Draw before and after as a pair of bars for each place, in the order of the tree.

    Parameters
    ----------
    difference : Difference
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure is made where it is left out.
    metric : {"flops", "macs", "int_ops", "bytes", "seconds"}
    most : int
        How many places to draw: those whose FLOPs changed most.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such metric, or `most` is less than 1.
    """
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; choose one of {', '.join(METRICS)}")
    if most < 1:
        raise ValueError(f"at least 1 place is needed, not {most}")
    drawn = pairs(difference, most)
    if ax is None:
        height = 1.2 + 0.42 * max(len(drawn), 1)
        ax = new_axes(7.5, height)
    _draw(ax, drawn, metric)
    before, after = (getattr(one, metric) for one in (difference.before, difference.after))
    factor = f"  {ratio(after / before)}" if before else ""
    title = f"{_amount(before, metric)} → {_amount(after, metric)}{factor}"
    if metric == "flops":
        title += f"  [{difference.after.convention}]"
    ax.set_title(title, loc="left", fontsize="medium", parse_math=False)
    return ax


def _amount(value: float, metric: str) -> str:
    if metric == "seconds":
        return duration(value)
    # A unit of several words has a blank of its own.
    return " ".join(scaled(value, METRICS[metric]).split())


@dataclass(frozen=True, slots=True)
class Pair:
    """What is drawn of a place; its label is safe to show."""

    label: str
    before: Totals
    after: Totals
    status: str

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return self.after.flops - self.before.flops


def pairs(difference: Difference, most: int) -> list[Pair]:
    """Give the deepest level of the tree that fits; the pairs add up to all that changed."""
    chosen: list[Pair] = []
    for depth in range(1, MOST_LEVELS + 1):
        leaves = _leaves(changes(difference, MOST_ROWS, depth=depth, whole_levels=False).rows)
        if chosen and len(leaves) > most:
            break
        chosen = leaves
    if len(chosen) <= most:
        return chosen
    largest = sorted(chosen, key=lambda pair: -abs(pair.flops))[: most - 1]
    kept = {id(pair) for pair in largest}
    rest = [pair for pair in chosen if id(pair) not in kept]
    before, after = (add(getattr(pair, name) for pair in rest) for name in ("before", "after"))
    more = Pair(f"{len(rest):,} more", before, after, "changed")
    return [*(pair for pair in chosen if id(pair) in kept), more]


def _leaves(rows: Sequence[ChangeRow]) -> list[Pair]:
    """The rows with none inside them, by their names from the first level down."""
    leaves = []
    names: list[str] = []
    for row, following in zip_longest(rows, rows[1:]):
        del names[row.level :]
        names.append(f"{row.name} ×{row.repeats:,}" if row.repeats > 1 else row.name)
        if following is None or following.level <= row.level:
            # The whole is in no name of what is inside it.
            label = ".".join(names[1:] or names)
            # What is not ASCII may be twice as wide.
            label = shortened(
                label,
                LABEL_LENGTH
                if label.replace("…", "").replace("×", "").isascii()
                else LABEL_LENGTH // 2,
            )
            leaves.append(Pair(label, row.before, row.after, row.status))
    return leaves


def _draw(ax: Axes, pairs: Sequence[Pair], metric: str) -> None:
    values = [(getattr(pair.before, metric), getattr(pair.after, metric)) for pair in pairs]
    largest = max((max(both) for both in values), default=0)
    divisor, prefix = unit_of_seconds(largest) if metric == "seconds" else unit(largest)
    positions = range(len(pairs))
    for shift, index, color, label in ((-0.2, 0, BEFORE, "before"), (0.2, 1, AFTER, "after")):
        ax.barh(
            [position + shift for position in positions],
            [both[index] / divisor for both in values],
            height=0.38,
            color=color,
            label=label,
        )
    ax.set_yticks(positions, labels=[pair.label for pair in pairs], parse_math=False)
    ax.set_ylim(len(pairs) - 0.4, -0.6)
    # Room on the right for what is written at the ends of the bars.
    ax.set_xlim(0, 1.35 * largest / divisor or 1)
    for position, pair, (before, after) in zip(positions, pairs, values, strict=True):
        ax.annotate(
            _note(pair, before, after, metric),
            (max(before, after) / divisor, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.set_xlabel(f"{prefix}{METRICS[metric]}".strip())
    ax.spines[["top", "right"]].set_visible(False)
    if pairs:
        # Above the bars, where it hides none of them.
        ax.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize="small"
        )
    else:
        ax.text(0.5, 0.5, "nothing changed", transform=ax.transAxes, ha="center", va="center")


def _note(pair: Pair, before: float, after: float, metric: str) -> str:
    """Give the difference, and its ratio or that the place is new or gone."""
    if metric == "seconds":
        more = f"{'+' if after > before else ''}{duration(after - before)}"
    else:
        more = signed(int(after - before))
    if pair.status in ("added", "removed"):
        return f"{more}  {pair.status}"
    return f"{more}  {ratio(after / before)}" if before else more
