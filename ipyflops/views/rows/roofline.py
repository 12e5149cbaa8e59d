"""The roofline of a report as plain data: its points, and what limits them, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ipyflops.costs import Totals, add_totals, check_choice
from ipyflops.report import Report
from ipyflops.units import percent, scaled
from ipyflops.views.rows.tree import TreeRow, tree_rows
from ipyflops.views.rows.visible import listed_names, shortened, visible

#: So many operators are named in a note, and so many parts on either side of the ridge in words:
#: those that took longest.
NAMED_IN_NOTE, NAMED = 4, 8
NAME_LENGTH = 60
LABEL_LENGTH = 30
MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Point:
    """What is drawn as one point."""

    label: str
    totals: Totals


def points_of(report: Report, by: str) -> list[Point]:
    """What can be drawn of a report, each part of the work in one point.

    Raises
    ------
    ValueError
        If `by` is neither modules nor operators.
    """
    check_choice(by, ("modules", "operators"), f"a roofline cannot be drawn by {by!r}")
    return _modules(report) if by == "modules" else _operators(report)


def _operators(report: Report) -> list[Point]:
    return [
        Point(shortened(visible(name), LABEL_LENGTH), totals)
        for name, totals in report.by_operator.items()
    ]


def _modules(report: Report) -> list[Point]:
    """Work is counted once: leaves, and what ran in a module beside its children."""
    rows = tree_rows(report, most=MAX_ROWS)
    # The name of the whole, or of the one outermost module, says nothing new.
    outer = 1 + (
        rows[0].kind == "root"
        and sum(child.kind == "module" for child in report.tree.children) == 1
    )
    points = []
    names: list[str] = []
    levels = [*(row.level for row in rows[1:]), 0]
    for row, next_level in zip(rows, levels, strict=True):
        names[row.level :] = [_part(row)]
        if next_level <= row.level:
            path = names[:-1] if row.kind == "own" else names
            label = ".".join(path[outer:]) or path[-1]
            points.append(Point(shortened(label, LABEL_LENGTH), row.totals))
    return points


def _part(row: TreeRow) -> str:
    return row.name.replace(" … ", "…") if row.repeats > 1 else row.name


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits the parts of a run, by the roofline model.

    Attributes
    ----------
    memory, arithmetic : tuple of str
        Names of the parts that each limits, those that took longest first.
    share : float
        Of the kernel time, that of the parts that memory limits.
    ridge : float
        FLOPs per byte at which the two ceilings meet.
    """

    memory: tuple[str, ...]
    arithmetic: tuple[str, ...]
    share: float
    ridge: float


def bounds(report: Report, parts: Mapping[str, Totals] | None = None) -> Bounds | None:
    """Say what limits each part; None where no ceilings are known.

    Memory limits what its bandwidth alone keeps busy longer than its FLOPs would at their peak.

    Parameters
    ----------
    report : Report
    parts : mapping of str to Totals, optional
        The operators where it is left out.
    """
    peak = report.peak
    if peak is None or not peak.bytes_per_second:
        return None
    parts = report.by_operator if parts is None else parts
    memory, arithmetic = [], []
    seconds = 0.0
    for name, totals in sorted(parts.items(), key=lambda item: -item[1].seconds):
        if not totals.bytes:
            continue
        if totals.flops and not totals.peak_seconds:
            continue  # of a dtype whose peak is not known
        if totals.bytes / peak.bytes_per_second > totals.peak_seconds:
            memory.append(name)
            seconds += totals.seconds
        else:
            arithmetic.append(name)
    share = seconds / report.seconds if report.seconds else 0.0
    return Bounds(tuple(memory), tuple(arithmetic), min(share, 1.0), peak.ridge)


def bound_notes(report: Report) -> tuple[str, ...]:
    """What memory limits, in one sentence; nothing where no ceilings are known."""
    limits = bounds(report)
    if limits is None or not (limits.memory or limits.arithmetic):
        return ()
    ridge = f"below about {scaled(limits.ridge)} FLOPs per byte"
    if not limits.memory:
        return (f"no operator is memory-bound ({ridge})",)
    names = [shortened(visible(name), NAME_LENGTH) for name in limits.memory]
    listed = listed_names(names, NAMED_IN_NOTE)
    share = f", {percent(limits.share)} of the kernel time" if report.seconds else ""
    return (f"memory-bound ({ridge}): {listed}{share}",)


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
    limits = bounds(report, {label: add_totals(totals) for label, totals in parts.items()})
    if limits is None:
        return (
            (
                "The ceilings are not known, so nothing can be said to be memory-bound. "
                "%flops --peak shows this report again, with the measured peak of its device."
            ),
        )
    ridge = scaled(limits.ridge)
    words = []
    if limits.memory:
        share = f", {percent(limits.share)} of the kernel time" if report.seconds else ""
        listed = listed_names(limits.memory, NAMED)
        words.append(f"Memory-bound (below about {ridge} FLOPs per byte){share}: {listed}.")
    else:
        words.append(f"Nothing is memory-bound (below about {ridge} FLOPs per byte).")
    if limits.arithmetic:
        words.append(f"Compute-bound: {listed_names(limits.arithmetic, NAMED)}.")
    return tuple(words)
