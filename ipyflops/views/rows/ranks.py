"""The ranks of a report as rows, and what the headline says of them and what they exchanged."""

from __future__ import annotations

from dataclasses import dataclass

from ipyflops.costs import Totals
from ipyflops.report import Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.rows.headline_item import HeadlineItem
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.visible import shortened, visible

#: More of where a rank ran, or what is wrong with it, is cut.
STATE_LENGTH = 120

PAYLOAD = (
    "What the ranks hand in to collectives or get from them, whichever is more: the payload, not "
    "the traffic on the wire, which depends on the algorithm."
)
REPLICATED = (
    "FLOPs that another rank had computed already, on the same values: the same calls at the same "
    "place, and a sample of the values that went in and came out was the same."
)


def rank_items(report: Report) -> list[HeadlineItem]:
    """Give the items of a report of several ranks, and of any that communicated."""
    items = []
    ranks = report.ranks
    if len(ranks) > 1:
        items.append(
            HeadlineItem(f"{len(ranks)} ranks", "All counts and times are sums over them.")
        )
        items += _spread(report)
    if report.replicated_flops:
        once = report.flops - report.replicated_flops
        share = percent(report.replicated_flops / report.flops)
        items.append(
            HeadlineItem(
                f"{share} replicated",
                f"{report.replicated_flops:,} of the FLOPs. {REPLICATED} Once each they are "
                f"{once:,}.",
            )
        )
    if report.by_collective:
        items.append(
            HeadlineItem(
                f"{scaled(report.communicated, 'B')} communicated",
                f"{collectives_text(report)}. {PAYLOAD}",
            )
        )
    return items


def _spread(report: Report) -> list[HeadlineItem]:
    flops, seconds = report.imbalance("flops"), report.imbalance("seconds")
    if not report.flops or sum(rank.report is not None for rank in report.ranks) < 2:
        return []
    definition = f"The rank with the most FLOPs has {flops:.3f} times the mean of all"
    if not report.seconds:
        return [HeadlineItem(f"imbalance {flops:.2f}×", f"{definition}.")]
    slowest = max(rank.report.seconds for rank in report.ranks if rank.report is not None)
    return [
        HeadlineItem(
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


@dataclass(frozen=True, slots=True)
class RankRow:
    """A rank, or what is left out.

    Attributes
    ----------
    name : str
        As ``rank 3``.
    place : str
        Where it ran; what is wrong with it, where anything is.
    totals : Totals or None
        None where it gave no report.
    problem : bool
        Whether `place` says what is wrong.
    """

    name: str
    place: str
    totals: Totals | None
    problem: bool = False


def rank_rows(report: Report, most: int) -> list[RankRow]:
    """Give a row for each rank, at most so many; the ones with problems before others that fit."""
    ranks = report.ranks
    shown = set(range(len(ranks)))
    if len(ranks) > most:
        by_worth = sorted(shown, key=lambda index: (not ranks[index].problem, index))
        shown = set(by_worth[: most - 1])
    rows = []
    for index in sorted(shown):
        rank = ranks[index]
        rows.append(
            RankRow(
                f"rank {rank.number}",
                shortened(visible(rank.problem or rank.place), STATE_LENGTH),
                None if rank.report is None else rank.report.totals,
                bool(rank.problem),
            )
        )
    if len(shown) < len(ranks):
        rows.append(RankRow(more_name(len(ranks) - len(shown)), "", None))
    return rows
