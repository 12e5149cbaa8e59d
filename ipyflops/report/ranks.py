"""The ranks of a merged report: what each process did, and how evenly the work was spread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ipyflops.report.tables import PHASES, Row

if TYPE_CHECKING:
    from ipyflops.report.report import Report

Measure: TypeAlias = Literal["flops", "macs", "bytes", "communicated", "seconds"]
MEASURES: tuple[Measure, ...] = ("flops", "macs", "bytes", "communicated", "seconds")
#: So many ranks are named in one text.
MOST_NAMES = 8


@dataclass(frozen=True)
class Rank:
    """One process of several that ran together.

    Attributes
    ----------
    number : int
        Its rank, or the number of the engine.
    report : Report or None
        What it counted; None where nothing came from it.
    missing : str
        Why there is no report, as ``no report within 60 s``; empty where there is one.
    place : str
        Where it ran, as ``host:1234`` with the process's number; may be empty.
    """

    number: int
    report: Report | None
    missing: str = ""
    place: str = ""

    @property
    def problem(self) -> str:
        """Why this rank's count is not whole; empty where it is."""
        if self.report is None:
            return self.missing or "no report"
        if self.report.complete:
            return ""
        return self.report.error or "not finished"

    def under(self, convention: str) -> Rank:
        """Give the same rank under another convention."""
        if self.report is None:
            return self
        return replace(self, report=self.report.under(convention))


def merged(ranks: Iterable[Rank]) -> Report:
    """Make one report of several ranks; those with no report are named in it.

    Parameters
    ----------
    ranks : iterable of Rank

    Returns
    -------
    Report
        Its totals are sums over the ranks; ``ranks`` has each of them, by number.

    Raises
    ------
    ValueError
        If no rank has a report, if two have the same number, or as `Report.merge`.
    """
    from ipyflops.report.merging import merge

    ordered = tuple(sorted(ranks, key=lambda rank: rank.number))
    numbers = [rank.number for rank in ordered]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"two ranks have the same number: {', '.join(map(str, numbers))}")
    there = [rank.report for rank in ordered if rank.report is not None]
    if not there:
        raise ValueError(f"no rank gave a report: {problems(ordered)}")
    return replace(
        merge([replace(report, ranks=()) for report in there]),
        complete=not any(rank.problem for rank in ordered),
        error=problems(ordered),
        ranks=ordered,
    )


def problems(ranks: Sequence[Rank]) -> str:
    """What is wrong with which rank, in one text; ranks with the same problem together."""
    found: dict[str, list[int]] = defaultdict(list)
    for rank in ranks:
        if rank.problem:
            found[rank.problem].append(rank.number)
    return "; ".join(f"{named(numbers)}: {problem}" for problem, numbers in found.items())


def named(numbers: Sequence[int]) -> str:
    """``rank 3``, ``ranks 0, 2, 5``; many are cut short."""
    listed = ", ".join(map(str, numbers[:MOST_NAMES]))
    if len(numbers) > MOST_NAMES:
        listed += f" and {len(numbers) - MOST_NAMES} more"
    return f"rank{'s' if len(numbers) > 1 else ''} {listed}"


def imbalance(ranks: Iterable[Rank], measure: Measure) -> float:
    """Give the largest of the ranks' sums divided by their mean: 1 where all did the same.

    Ranks without a report are left out; 1 also where there is nothing to compare.

    Raises
    ------
    ValueError
        If there is no such measure.
    """
    if measure not in MEASURES:
        raise ValueError(f"there is no measure {measure!r}; choose one of {', '.join(MEASURES)}")
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
        """What comes now are the rows of another rank."""
        self._seen.clear()

    def repeated(self, row: Row) -> int:
        """Give how many calls of a row, with the indices of the merged tables, are repeats."""
        if not row.sample:
            return row.replicated
        place = (row.scope, row.line, PHASES.index(row.phase), row.signature, row.sample)
        # Two such rows of one rank are compared with two of another.
        nth = self._seen[place] = self._seen.get(place, 0) + 1
        known = self._calls.get((*place, nth), 0)
        self._calls[(*place, nth)] = max(known, row.calls)
        # One rank that made more of the calls than another did the rest of them alone.
        return min(known, row.calls)
