"""Columns that only reports of several processes have: replicated work, and communication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals
from ipyflops.units import percent, scaled
from ipyflops.views.html.parts import Number
from ipyflops.views.text.tables import Column

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: In em, and the titles with their tooltips, for the HTML tree.
REPLICATED = (4.6, "replicated", "Share of its FLOPs that another rank had computed already")
COMMUNICATED = (5.4, "communicated", "Payload of the collectives")


def rank_columns(report: Report, totals: Sequence[Totals | None]) -> list[Column]:
    """Give the columns of a text table, where there is anything to say."""
    columns = []
    if report.replicated_flops:
        shares = [_share(one) if one else "" for one in totals]
        columns.append(Column("replicated", shares, 6))
    if report.communicated:
        columns.append(Column("communicated", [_bytes(one) if one else "" for one in totals], 3))
    return columns


def rank_titles(report: Report) -> list[tuple[float, str, str]]:
    """Give the widths and titles of the same columns in the HTML tree."""
    titles = [REPLICATED] if report.replicated_flops else []
    return [*titles, COMMUNICATED] if report.communicated else titles


def rank_numbers(report: Report, totals: Totals) -> list[Number]:
    """Give the numbers below `rank_titles`."""
    numbers = []
    if report.replicated_flops:
        share = _share(totals)
        exact = f"{totals.replicated:,} FLOPs" if share else ""
        numbers.append(Number(share, f"{share} replicated", exact))
    if report.communicated:
        sent = _bytes(totals)
        numbers.append(Number(sent, f"{sent} communicated"))
    return numbers


def _share(totals: Totals) -> str:
    return percent(totals.replicated / totals.flops) if totals.replicated else ""


def _bytes(totals: Totals) -> str:
    return scaled(totals.communicated, "B") if totals.communicated else ""
