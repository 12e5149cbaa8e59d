"""The ranks of a report as the widget gets them: what the selector shows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipyflops.costs.conventions import CONVENTIONS
from ipyflops.views.rows.visible import visible

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: Longer texts are cut: a row of the selector has no room.
TEXT_LENGTH = 300


def pack_ranks(report: Report, shown: int | None) -> dict[str, Any]:
    """Give what ``static/ranks.js`` reads; nothing where there are no ranks to choose from.

    Parameters
    ----------
    report : Report
        Of all ranks.
    shown : int or None
        The number of the rank that the widget shows; None for all together.
    """
    if len(report.ranks) < 2:
        return {}
    ranks = []
    for rank in report.ranks:
        one: dict[str, Any] = {
            "number": rank.number,
            "place": visible(rank.place)[:TEXT_LENGTH],
            "problem": visible(rank.problem)[:TEXT_LENGTH],
            "there": rank.report is not None,
        }
        if rank.report is not None:
            one["flops"] = {name: float(rank.report.under(name).flops) for name in CONVENTIONS}
            one["seconds"] = rank.report.seconds
            one["communicated"] = float(rank.report.communicated)
        ranks.append(one)
    return {"ranks": ranks, "shown": shown}
