"""What the headline says of several ranks and of what they exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.units import duration, percent, scaled
from ipyflops.views.rows.headline_item import Figure

if TYPE_CHECKING:
    from ipyflops.report.report import Report

PAYLOAD = (
    "What the ranks hand in to collectives or get from them, whichever is more: the payload, not "
    "the traffic on the wire, which depends on the algorithm."
)
REPLICATED = (
    "FLOPs that another rank had computed already, on the same values: the same calls at the same "
    "place, and a sample of the values that went in and came out was the same."
)


def rank_figures(report: Report) -> list[Figure]:
    """Give the figures of a report of several ranks, and of any that communicated."""
    figures = []
    ranks = report.ranks
    if len(ranks) > 1:
        figures.append(Figure(f"{len(ranks)} ranks", "All counts and times are sums over them."))
        figures += _spread(report)
    if report.replicated_flops:
        once = report.flops - report.replicated_flops
        share = percent(report.replicated_flops / report.flops)
        figures.append(
            Figure(
                f"{share} replicated",
                f"{report.replicated_flops:,} of the FLOPs. {REPLICATED} Once each they are "
                f"{once:,}.",
            )
        )
    if report.by_collective:
        figures.append(
            Figure(
                f"{scaled(report.communicated, 'B')} communicated",
                f"{collectives_text(report)}. {PAYLOAD}",
            )
        )
    return figures


def _spread(report: Report) -> list[Figure]:
    flops, seconds = report.imbalance("flops"), report.imbalance("seconds")
    if not report.flops or sum(rank.report is not None for rank in report.ranks) < 2:
        return []
    definition = f"The rank with the most FLOPs has {flops:.3f} times the mean of all"
    if not report.seconds:
        return [Figure(f"imbalance {flops:.2f}×", f"{definition}.")]
    slowest = max(rank.report.seconds for rank in report.ranks if rank.report is not None)
    return [
        Figure(
            f"imbalance {flops:.2f}× FLOPs, {seconds:.2f}× time",
            f"{definition}, the slowest {seconds:.3f} times the mean kernel time: "
            f"{duration(slowest)}.",
        )
    ]


def collectives_text(report: Report) -> str:
    """Each collective with its calls and payload: ``all_reduce ×4 1.02 kB, barrier ×2``."""
    parts = []
    for name, totals in report.by_collective.items():
        payload = f" {scaled(totals.communicated, 'B')}" if totals.communicated else ""
        parts.append(f"{name} ×{totals.calls:,}{payload}")
    return ", ".join(parts)
