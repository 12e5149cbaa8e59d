"""What the roofline chart shows, in words: what memory limits, and what arithmetic does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals, add
from ipyflops.units import percent, scaled
from ipyflops.views.charts.roofline import points_of
from ipyflops.views.rows.bounds import bounds

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: So many parts are named on either side, those that took longest.
NAMED = 8


def roofline_words(report: Report, by: str) -> tuple[str, ...]:
    """Say which modules or operators memory limits; what to do where that cannot be known.

    Parameters
    ----------
    report : Report
    by : {"modules", "operators"}

    Returns
    -------
    tuple of str
        Sentences; names in them are as they are in the report.

    Raises
    ------
    ValueError
        If `by` is something else.
    """
    points = points_of(report, by)
    if not report.seconds:
        return ("No kernel time was taken in this run, so there is no rate to draw.",)
    parts: dict[str, list[Totals]] = defaultdict(list)
    for point in points:
        parts[point.label].append(point.totals)
    found = bounds(report, {label: add(totals) for label, totals in parts.items()})
    if found is None:
        return (
            "The ceilings are not known, so nothing can be said to be memory-bound. "
            "%flops --peak shows this report again, with the measured peak of its device.",
        )
    ridge = scaled(found.ridge)
    words = []
    if found.memory:
        share = f", {percent(found.share)} of the kernel time" if report.seconds else ""
        words.append(
            f"Memory-bound (below about {ridge} FLOPs per byte){share}: {_listed(found.memory)}."
        )
    else:
        words.append(f"Nothing is memory-bound (below about {ridge} FLOPs per byte).")
    if found.arithmetic:
        words.append(f"Compute-bound: {_listed(found.arithmetic)}.")
    return tuple(words)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
