"""Charts of results that are one table."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from ipyflops.report import Estimate, ShownAsTable
from ipyflops.views.charts.bars import bar
from ipyflops.views.charts.roofline import roofline


def plot(result: ShownAsTable, *arguments: Any, **options: Any) -> Axes:
    """Draw a result."""
    assert isinstance(result, Estimate)
    return _estimate(result, *arguments, **options)


def _estimate(estimate: Estimate, kind: str, ax: Axes | None, **options: Any) -> Axes:
    """The roofline of the device with the work on it, or bars of its time."""
    report = estimate.as_report()
    if kind == "bar":
        drawn = bar(report, ax, **{"metric": "seconds", **options})
    else:
        drawn = roofline(report, ax, **options)
    drawn.set_title(f"a bound by the data sheet of {estimate.device.name}", parse_math=False)
    return drawn
