"""Charts of results that are one table."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ipyflops.costs import check_choice
from ipyflops.report import MEASURES, Comparison, Estimate, ShownAsTable
from ipyflops.views.charts.axes import new_axes
from ipyflops.views.charts.bars import bar
from ipyflops.views.charts.roofline import roofline
from ipyflops.views.rows.bars import COLORS
from ipyflops.views.rows.visible import shortened, visible

_LABEL_LENGTH = 40


def plot(result: ShownAsTable, kind: str, ax: Axes | None, **options: Any) -> Axes:
    """Draw a result.

    Raises
    ------
    ValueError
        If there is no such kind of chart.
    """
    if isinstance(result, Estimate):
        check_choice(kind, ("bar", "roofline"), f"there is no chart {kind!r} of an estimate")
        return _estimate(result, kind, ax, **options)
    assert isinstance(result, Comparison)
    check_choice(kind, ("bar", "scatter"), f"there is no chart {kind!r} of a comparison")
    if kind == "bar":
        return _bars(result, ax, options["x"])
    return _scatter(result, ax, options["x"], options["y"])


def _estimate(estimate: Estimate, kind: str, ax: Axes | None, **options: Any) -> Axes:
    """The roofline of the device with the work on it, or bars of its time."""
    report = estimate.as_report()
    if kind == "bar":
        drawn = bar(report, ax, **{"metric": "seconds", **options})
    else:
        drawn = roofline(report, ax, **options)
    name = shortened(visible(estimate.device.name), _LABEL_LENGTH)
    drawn.set_title(f"a bound by the data sheet of {name}", parse_math=False)
    return drawn


def _bars(comparison: Comparison, ax: Axes | None, measure: str) -> Axes:
    values = {
        name: value for name, value in comparison.values(measure).items() if value is not None
    }
    if not values:
        raise ValueError(f"no model has a number of {measure!r}")
    ax = new_axes(6, 0.6 + 0.35 * len(values)) if ax is None else ax
    names = [_label(name) for name in values]
    places = range(len(values))
    drawn = ax.barh(places, list(values.values()), color=COLORS["forward"])
    ax.set_yticks(places, names, parse_math=False)
    ax.invert_yaxis()
    texts = [f" {MEASURES[measure].text(value)}" for value in values.values()]
    ax.bar_label(drawn, texts)
    ax.margins(x=0.2)
    _axis(ax.xaxis, measure)
    ax.set_xlabel(MEASURES[measure].title)
    return ax


def _scatter(comparison: Comparison, ax: Axes | None, x: str, y: str) -> Axes:
    across, up = comparison.values(x), comparison.values(y)
    points = {
        name: (one, other)
        for name in comparison.reports
        if (one := across[name]) is not None and (other := up[name]) is not None
    }
    if not points:
        raise ValueError(f"no model has both {x!r} and {y!r}")
    ax = new_axes(6, 4.5) if ax is None else ax
    ax.scatter(*zip(*points.values(), strict=True), color=COLORS["forward"], zorder=2)
    for name, point in points.items():
        ax.annotate(
            _label(name), point, xytext=(5, 3), textcoords="offset points", parse_math=False
        )
    for axis, measure, values in (
        (ax.xaxis, x, [one for one, _ in points.values()]),
        (ax.yaxis, y, [other for _, other in points.values()]),
    ):
        if min(values) > 0 and max(values) > 10 * min(values):
            (ax.set_xscale if axis is ax.xaxis else ax.set_yscale)("log")
        _axis(axis, measure)
        axis.set_label_text(MEASURES[measure].title)
    ax.margins(0.15)
    ax.grid(alpha=0.25)
    return ax


def _axis(axis: Any, measure: str) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: MEASURES[measure].text(float(value))))


def _label(name: str) -> str:
    return shortened(visible(name), _LABEL_LENGTH)
