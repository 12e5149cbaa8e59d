"""The columns of numbers that the text tables share."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.costs.metrics import Totals
from ipyflops.report.report import Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.text.tables import Column, bar

#: A terminal this wide has room for longer bars.
WIDE = 100
BAR, LONG_BAR = 6, 12
#: Integer operations get a column where there is at least one to so many FLOPs.
INTEGERS_MATTER = 100


def flops_columns(
    report: Report, totals: Sequence[Totals | None], width: int, *, heat: bool = False
) -> list[Column]:
    """FLOPs and their share of the run, as a bar and in percent; nothing where there is None."""
    columns = [Column("FLOPs", [scaled(one.flops) if one else "" for one in totals], 9)]
    if report.flops:
        shares = [one.flops / report.flops if one else 0.0 for one in totals]
        length = LONG_BAR if width >= WIDE else BAR
        bars = [bar(share, length) for share in shares]
        styles = [_heat(share) if heat else "blue" for share in shares]
        percents = [
            percent(share) if one else "" for share, one in zip(shares, totals, strict=True)
        ]
        columns.append(Column("share", bars, 5, right=False, styles=styles))
        columns.append(Column("", percents, 7, gap=1))
    if report.int_ops * INTEGERS_MATTER > report.flops:
        integers = [scaled(one.int_ops) if one and one.int_ops else "" for one in totals]
        columns.append(Column("int ops", integers, 8))
    return columns


def time_columns(report: Report, totals: Sequence[Totals | None]) -> list[Column]:
    """Kernel time and FLOPS, where time was taken, and their share of the peak, where known."""
    if not report.seconds:
        return []
    times = [duration(one.seconds) if one else "" for one in totals]
    rates = [scaled(one.flops_per_second) if one and one.flops else "" for one in totals]
    columns = [Column("time", times, 4), Column("FLOPS", rates, 3)]
    if report.peak is not None:
        shares = [percent(one.utilization) if one and one.utilization else "" for one in totals]
        columns.append(Column("of peak", shares, 6))
    return columns


def _heat(share: float) -> str:
    if share >= 0.5:
        return "red"
    return "yellow" if share >= 0.1 else "green"
