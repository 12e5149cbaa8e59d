"""The roofline chart: how fast each part ran, against how many FLOPs it does per byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, NullFormatter
from matplotlib.transforms import Bbox

from ipyflops.report import Report
from ipyflops.units import prefix_of, scaled
from ipyflops.views.charts.axes import AS_SET, Look, new_axes, root_figure, say, title
from ipyflops.views.rows.bars import COLORS
from ipyflops.views.rows.roofline import Point, points_of

#: So many points are drawn, those that took longest, and so many of them get a label.
MAX_POINTS, MAX_LABELS = 200, 12
#: In points: the area of the longest, and of the shortest.
MAX_AREA, MIN_AREA = 900.0, 12.0
_CEILING = "#d55e00"
# Where a label may stand, in points from its point's edge: the nearer the better.
_DISTANCES = (2, 10, 22, 36, 52, 70)
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


def roofline(
    report: Report,
    ax: Axes | None = None,
    *,
    by: Literal["modules", "operators"] = "modules",
    peak_flops: float | None = None,
    peak_bandwidth: float | None = None,
    look: Look = AS_SET,
) -> Axes:
    """Draw FLOPS against arithmetic intensity, both logarithmic; a point's area is kernel time.

    Parameters
    ----------
    report : Report
    ax : matplotlib.axes.Axes, optional
        As for `ipyflops.views.charts.bars.bar`.
    by : {"modules", "operators"}
        What a point is: what ran in one module, without its children, or one operator.
    peak_flops : float, optional
        What the device can compute per second, in FLOPS; as the report's peak has it for the dtype
        with the most FLOPs where it is left out.
    peak_bandwidth : float, optional
        What the device can move per second, in bytes; likewise.
    look : Look
        For a chart in the widget.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `by` is something else, or a peak is not positive.
    """
    candidates = points_of(report, by)
    for peak in (peak_flops, peak_bandwidth):
        if peak is not None and not 0 < peak < math.inf:
            raise ValueError(f"a peak has to be a positive number, not {peak}")
    peak_flops, peak_bandwidth = _measured(report, peak_flops, peak_bandwidth)
    if ax is None:
        ax = new_axes(7.5, 5)
    points = [one for one in candidates if one.totals.flops_per_second and one.totals.intensity]
    points = sorted(points, key=lambda one: -one.totals.seconds)[:MAX_POINTS]
    look.dress(ax)
    _frame(ax, points, peak_flops, peak_bandwidth)
    if peak_flops or peak_bandwidth:
        ax.legend(loc="lower right", **look.legend())
    title(ax, f"{scaled(report.flops, 'FLOPs')} [{report.convention}] · area: kernel time", look)
    if points:
        _draw(ax, points, look)
    else:
        say(ax, "no operator with FLOPs, bytes and kernel time", look)
    return ax


def _measured(
    report: Report, flops: float | None, bandwidth: float | None
) -> tuple[float | None, float | None]:
    """The ceilings that were given or, for those that were not, the report's."""
    peak = report.peak
    if peak is None:
        return flops, bandwidth
    rates = [rate for name in report.by_dtype if (rate := peak.rate(name)) is not None]
    if flops is None:
        flops = rates[0].flops_per_second if rates else peak.flops_per_second
    return flops, bandwidth or peak.bytes_per_second or None


def _frame(
    ax: Axes, points: Sequence[Point], peak_flops: float | None, peak_bandwidth: float | None
) -> None:
    """Whole decades around the points and, where they are known, the ceilings."""
    intensities = [one.totals.intensity for one in points] or [1.0]
    rates = [one.totals.flops_per_second for one in points] or [1e9]
    if peak_flops:
        rates.append(peak_flops)
        if peak_bandwidth:
            intensities.append(peak_flops / peak_bandwidth)
    left, right = _decades(intensities)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=_decades(rates))
    ax.set(xlabel="FLOPs per byte", ylabel="FLOPS")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(_tick))
        axis.set_minor_formatter(NullFormatter())
    ax.grid(which="major", alpha=0.25)
    ax.set_axisbelow(True)
    _ceilings(ax, left, right, peak_flops, peak_bandwidth)


def _ceilings(
    ax: Axes, left: float, right: float, peak_flops: float | None, peak_bandwidth: float | None
) -> None:
    if peak_bandwidth:
        end = min(right, peak_flops / peak_bandwidth) if peak_flops else right
        label = f"bandwidth {scaled(peak_bandwidth, 'B')}/s"
        ax.plot(
            [left, end],
            [left * peak_bandwidth, end * peak_bandwidth],
            "--",
            color=_CEILING,
            label=label,
        )
    if peak_flops:
        start = max(left, peak_flops / peak_bandwidth) if peak_bandwidth else left
        label = f"peak {scaled(peak_flops, 'FLOPS')}"
        ax.plot([start, right], [peak_flops, peak_flops], color=_CEILING, label=label)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low = math.floor(math.log10(min(values) * 0.9))
    high = math.ceil(math.log10(max(values) * 1.1))
    return 10.0**low, 10.0**high


def _tick(value: float, _position: int | None) -> str:
    if value < 1:
        return f"{value:g}"
    divisor, prefix = prefix_of(value * 1.0001)
    return f"{value / divisor:g} {prefix}".rstrip()


def _draw(ax: Axes, points: Sequence[Point], look: Look) -> None:
    longest = points[0].totals.seconds
    areas = [max(MAX_AREA * one.totals.seconds / longest, MIN_AREA) for one in points]
    ax.scatter(
        [one.totals.intensity for one in points],
        [one.totals.flops_per_second for one in points],
        s=areas,
        color=COLORS["forward"],
        alpha=0.6,
        edgecolors="white",
        linewidths=0.6,
    )
    figure = root_figure(ax)
    if figure is not None:
        # Where a label fits is known once everything else has its place.
        figure.draw_without_rendering()
    taken = [_around(ax, one, area) for one, area in zip(points, areas, strict=True)]
    for one, area in list(zip(points, areas, strict=True))[:MAX_LABELS]:
        _label(ax, one, math.sqrt(area / math.pi), taken, look)


def _around(ax: Axes, point: Point, area: float) -> Bbox:
    """The square inside a point's circle, in pixels."""
    x, y = ax.transData.transform((point.totals.intensity, point.totals.flops_per_second))
    half = math.sqrt(area / math.pi / 2) * ax.figure.dpi / 72
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _label(ax: Axes, point: Point, radius: float, taken: list[Bbox], look: Look) -> None:
    """Write the label near the point, or not at all where there is no room."""
    anchor = (point.totals.intensity, point.totals.flops_per_second)
    measured = ax.text(*anchor, point.label, parse_math=False, **look.text("small"))
    size = measured.get_window_extent()
    measured.remove()
    frame = ax.get_window_extent()
    pixels = ax.figure.dpi / 72
    x, y = ax.transData.transform(anchor)
    for distance in _DISTANCES:
        for right, up in _DIRECTIONS:
            away = radius + distance
            left = x + right * away * pixels + (right - 1) / 2 * size.width
            bottom = y + up * away * pixels + (up - 1) / 2 * size.height
            box = Bbox.from_bounds(left, bottom, size.width, size.height)
            inside = Bbox.intersection(frame, box)
            if inside is None or inside.width * inside.height < 0.999 * box.width * box.height:
                continue
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written = _write(ax, point.label, anchor, (right, up), away)
                written.set(**look.text("small"))
                if look.ink and written.arrow_patch is not None:
                    written.arrow_patch.set_color(look.ink)
                return


def _write(
    ax: Axes, label: str, anchor: tuple[float, float], direction: tuple[int, int], away: float
) -> Annotation:
    right, up = direction
    written = ax.annotate(
        label,
        anchor,
        xytext=(right * away, up * away),
        textcoords="offset points",
        ha=("right", "center", "left")[right + 1],
        va=("top", "center", "bottom")[up + 1],
        parse_math=False,
        arrowprops={"arrowstyle": "-", "linewidth": 0.5, "alpha": 0.5, "shrinkA": 0, "shrinkB": 0},
    )
    # What the layout makes room for must not move the points again.
    written.set_in_layout(False)
    return written
