"""The chart of a difference: before and after side by side, for what changed most."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from ipyflops.costs import MEASURED, METRICS, Metric, check_choice
from ipyflops.report import Difference
from ipyflops.units import duration
from ipyflops.views.changes.pairs import AFTER, BEFORE, Pair, pairs
from ipyflops.views.changes.rows import ratio, signed
from ipyflops.views.charts.axes import label_bars, new_axes, say, title


def plot(
    difference: Difference, ax: Axes | None = None, *, metric: str = "flops", most: int = 12
) -> Axes:
    """Draw before and after as a pair of bars for each place, in the order of the tree.

    Those that changed most by the metric are drawn, at most so many; see `Difference.plot`.
    """
    measured = METRICS[check_choice(metric, MEASURED, f"there is no metric {metric!r}")]
    if most < 1:
        raise ValueError(f"at least 1 place is needed, not {most}")
    drawn = pairs(difference, most, measured)
    if ax is None:
        height = 1.2 + 0.42 * max(len(drawn), 1)
        ax = new_axes(7.5, height)
    _draw(ax, drawn, measured)
    before, after = (measured.value(one.totals) for one in (difference.before, difference.after))
    factor = f"  {ratio(after / before)}" if before else ""
    text = f"{measured.long(before)} → {measured.long(after)}{factor}"
    if metric == "flops":
        text += f"  [{difference.after.convention}]"
    title(ax, text)
    return ax


def _draw(ax: Axes, pairs: Sequence[Pair], metric: Metric) -> None:
    values = [(metric.value(pair.before), metric.value(pair.after)) for pair in pairs]
    largest = max((max(both) for both in values), default=0)
    divisor, unit = metric.axis(largest)
    for shift, index, color, label in ((-0.2, 0, BEFORE, "before"), (0.2, 1, AFTER, "after")):
        ax.barh(
            [position + shift for position in range(len(pairs))],
            [both[index] / divisor for both in values],
            height=0.38,
            color=color,
            label=label,
        )
    # Room on the right for what is written at the ends of the bars.
    ax.set_xlim(0, 1.35 * largest / divisor or 1)
    ends = [
        (max(both) / divisor, note(pair, *both, metric))
        for pair, both in zip(pairs, values, strict=True)
    ]
    label_bars(ax, [pair.label for pair in pairs], ends)
    ax.set_xlabel(unit)
    ax.spines[["top", "right"]].set_visible(False)
    if pairs:
        # Above the bars, where it hides none of them.
        ax.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize="small"
        )
    else:
        say(ax, "nothing changed")


def note(pair: Pair, before: float, after: float, metric: Metric) -> str:
    """Give the difference, and its ratio or that the place is new or gone."""
    if metric.format == "time":
        more = f"{'+' if after > before else ''}{duration(after - before)}"
    else:
        more = signed(int(after - before))
    if pair.status in ("added", "removed"):
        return f"{more}  {pair.status}"
    return f"{more}  {ratio(after / before)}" if before else more
