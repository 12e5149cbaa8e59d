"""The ranks of a merged report: what each process did, and how evenly the work was spread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from ipyflops.costs import check_choice
from ipyflops.report.run import Rank
from ipyflops.report.tables import PHASES, Row

Measure: TypeAlias = Literal["flops", "macs", "bytes", "communicated", "seconds"]
MEASURES: tuple[Measure, ...] = ("flops", "macs", "bytes", "communicated", "seconds")
#: A text names at most this many ranks.
MAX_NAMES = 8


def problems(ranks: Sequence[Rank[Any]]) -> str:
    """What is wrong with which rank, in one text; ranks with the same problem together."""
    numbers_of: dict[str, list[int]] = defaultdict(list)
    for rank in ranks:
        if rank.problem:
            numbers_of[rank.problem].append(rank.number)
    return "; ".join(f"{named(numbers)}: {problem}" for problem, numbers in numbers_of.items())


def named(numbers: Sequence[int]) -> str:
    """``rank 3``, ``ranks 0, 2, 5``; many are cut short."""
    listed = ", ".join(map(str, numbers[:MAX_NAMES]))
    if len(numbers) > MAX_NAMES:
        listed += f" and {len(numbers) - MAX_NAMES} more"
    return f"rank{'s' if len(numbers) > 1 else ''} {listed}"


def imbalance(ranks: Iterable[Rank[Any]], measure: Measure) -> float:
    """Return the largest of the ranks' sums divided by their mean: 1 where all did the same.

    Ranks without a report are left out; 1 also where there is nothing to compare.

    Raises
    ------
    ValueError
        If there is no such measure.
    """
    check_choice(measure, MEASURES, f"there is no measure {measure!r}")
    values = [
        float(getattr(rank.report.totals, measure)) for rank in ranks if rank.report is not None
    ]
    return max(values) * len(values) / sum(values) if values and sum(values) else 1.0


class Replication:
    """Finds out which calls of several ranks were made before, on the same values.

    Rows are replicated if they stand at the same place of the merged tables and have the same
    sample (see `ipyflops.counting.sampling`), which says that their operators had the same values.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[int, ...], int] = {}
        self._seen: dict[tuple[int, ...], int] = {}

    def next_rank(self) -> None:
        """Say that the rows of another rank follow."""
        self._seen.clear()

    def repeated(self, row: Row) -> int:
        """Return how many calls of a row, with the indices of the merged tables, are repeats."""
        if not row.sample:
            return row.replicated
        place = (row.scope, row.line, PHASES.index(row.phase), row.signature, row.sample)
        # Two such rows of one rank are compared with two of another.
        nth = self._seen[place] = self._seen.get(place, 0) + 1
        known = self._calls.get((*place, nth), 0)
        self._calls[(*place, nth)] = max(known, row.calls)
        # One rank that made more of the calls than another did the rest of them alone.
        return min(known, row.calls)
