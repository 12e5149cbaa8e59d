"""Which parts of a run the memory limits rather than the arithmetic, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals
from ipyflops.units import percent, scaled
from ipyflops.views.rows.visible import shortened, visible

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: So many operators are named, those that took longest.
NAMED = 4
NAME_LENGTH = 60


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
    found = bounds(report)
    if found is None or not (found.memory or found.arithmetic):
        return ()
    ridge = f"below about {scaled(found.ridge)} FLOPs per byte"
    if not found.memory:
        return (f"no operator is memory-bound ({ridge})",)
    names = [shortened(visible(name), NAME_LENGTH) for name in found.memory[:NAMED]]
    more = len(found.memory) - NAMED
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    share = f", {percent(found.share)} of the kernel time" if report.seconds else ""
    return (f"memory-bound ({ridge}): {listed}{share}",)
