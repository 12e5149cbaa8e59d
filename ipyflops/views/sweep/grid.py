"""The points of a sweep, each with what it counts and its peak of memory."""

from __future__ import annotations

from ipyflops.report import Report, Sweep
from ipyflops.units import percent, scaled
from ipyflops.views.rows.visible import visible


def grid(sweep: Sweep, most: int) -> tuple[list[str], list[list[str]]]:
    """Give titles and rows of texts: a row for each point, and what holds most at its peak.

    Parameters
    ----------
    sweep : Sweep
        With memory.
    most : int
        Rows at most; the last one then says how many points are left out.
    """
    names = [visible(variable.name) for variable in sweep.variables]
    titles = [*names, "FLOPs", "peak", "held mostly by"]
    shown = sweep.points if len(sweep.points) <= most else sweep.points[: most - 1]
    rows = [
        [
            *(f"{value:,}" for value in point.values),
            scaled(point.report.flops),
            *_peak(point.report),
        ]
        for point in shown
    ]
    left = len(sweep.points) - len(shown)
    if left:
        rows.append([*("…" for _ in names), "", "", f"{left:,} more points"])
    return titles, rows


def _peak(report: Report) -> list[str]:
    memory = report.memory
    if memory is None or not memory.peak:
        return [scaled(0, "B"), ""]
    kind, size = max(memory.at_peak.items(), key=lambda item: item[1])
    return [scaled(memory.peak, "B"), f"{kind} {percent(size / memory.peak)}"]
