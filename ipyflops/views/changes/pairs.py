"""The bars of a difference's chart, before and after: what changed most, whoever draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ipyflops.costs import METRICS, Metric, Totals, add_totals
from ipyflops.report import Change, Difference
from ipyflops.views.changes.rows import ChangeRow, changes
from ipyflops.views.rows.bars import operator_bars, room_of
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.visible import shortened

#: Grey and one of Okabe and Ito's colours, which the colour-blind can tell apart.
BEFORE, AFTER = "#9aa4ae", "#0072b2"
#: Levels of the tree that are opened to fill the chart.
MAX_LEVELS = 4
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """What is drawn of a place; its label is safe to show."""

    label: str
    before: Totals
    after: Totals
    status: str

    def change(self, metric: Metric) -> float:
        """What there is after, less what there was before."""
        return metric.value(self.after) - metric.value(self.before)


def pairs(
    difference: Difference,
    most: int,
    metric: Metric = METRICS["flops"],
    inside: Sequence[Change] = (),
) -> list[Pair]:
    """Give the deepest level of the tree that fits; the pairs add up to all that changed.

    Parameters
    ----------
    difference : Difference
    most : int
        How many pairs there are at most.
    metric : Metric
        What the bars show.
    inside : sequence of Change
        Places that are alike, whose sum is drawn; of those with nothing inside, the operators. The
        whole where there are none.
    """
    chosen: list[Pair] = []
    if inside and not inside[0].children:
        chosen = [pair for pair in _operators(difference, inside) if pair.change(metric)]
        return _fitting(chosen, most, metric)
    for depth in range(1, MAX_LEVELS + 1):
        shown = changes(
            difference, MAX_ROWS, depth=depth, whole_levels=False, metric=metric, inside=inside
        )
        leaves = _leaves(shown.rows)
        if chosen and len(leaves) > most:
            break
        chosen = leaves
    return _fitting(chosen, most, metric)


def _operators(difference: Difference, places: Sequence[Change]) -> list[Pair]:
    """The operators that ran in places before and after, by their names."""
    before, after = (
        {bar.label: add_totals(bar.phases.values()) for bar in operator_bars(report, scopes)}
        for report, scopes in (
            (difference.before, [place.scopes[0] for place in places]),
            (difference.after, [place.scopes[1] for place in places]),
        )
    )
    return [
        Pair(name, before.get(name, Totals()), after.get(name, Totals()), "changed")
        for name in dict.fromkeys((*after, *before))
    ]


def _fitting(chosen: list[Pair], most: int, metric: Metric) -> list[Pair]:
    """Those that changed most, and one pair of all others where there are too many."""
    if len(chosen) <= most:
        return chosen
    largest = sorted(chosen, key=lambda pair: -abs(pair.change(metric)))[: most - 1]
    kept = {id(pair) for pair in largest}
    rest = [pair for pair in chosen if id(pair) not in kept]
    before, after = (
        add_totals(getattr(pair, name) for pair in rest) for name in ("before", "after")
    )
    more = Pair(more_name(len(rest)), before, after, "changed")
    return [*(pair for pair in chosen if id(pair) in kept), more]


def _leaves(rows: Sequence[ChangeRow]) -> list[Pair]:
    """The rows with none inside them, by their names from the first level down."""
    leaves = []
    names: list[str] = []
    for row, following in zip_longest(rows, rows[1:]):
        del names[row.level :]
        names.append(row.full_name)
        if following is None or following.level <= row.level:
            # The whole is in no name of what is inside it.
            label = ".".join(names[1:] or names)
            label = shortened(label, room_of(label))
            leaves.append(Pair(label, row.before, row.after, row.status))
    return leaves
