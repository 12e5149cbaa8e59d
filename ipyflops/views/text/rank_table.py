"""The ranks of a report as a table, in text and in HTML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals
from ipyflops.units import duration, percent, scaled
from ipyflops.views.html.parts import text
from ipyflops.views.rows.ranks import collectives_text
from ipyflops.views.rows.visible import shortened, visible
from ipyflops.views.text.columns import flops_columns, time_columns
from ipyflops.views.text.tables import Column, Flexible, cells, cut, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from ipyflops.report.report import Report

#: Rows that are shown in text and in HTML; what they leave out is in the last one.
TEXT_ROWS, HTML_ROWS = 16, 256
STATE_LENGTH = 120


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
        rows.append(RankRow(f"{len(ranks) - len(shown)} more", "", None))
    return rows


# --- text ---------------------------------------------------------------------------------------


def rank_lines(report: Report, width: int) -> list[RenderableType]:
    """The table of ranks and a line of collectives, each with a blank line before it."""
    from rich.text import Text

    parts: list[RenderableType] = []
    if len(report.ranks) > 1:
        rows = rank_rows(report, TEXT_ROWS)
        totals = [row.totals for row in rows]
        columns: list[Column | Flexible] = [
            Column("rank", [row.name for row in rows], 10, right=False),
            *flops_columns(report, totals, width),
            *time_columns(report, totals),
        ]
        if report.communicated:
            sent = [scaled(one.communicated, "B") if one else "" for one in totals]
            columns.append(Column("communicated", sent, 6))
        columns.append(
            Flexible(
                "",
                [partial(_cut, row.place, "yellow" if row.problem else "dim") for row in rows],
                [cells(row.place) for row in rows],
                least=10,
            )
        )
        parts += ["", *table(columns, width)]
    if report.by_collective:
        parts += ["", Text(f"communicated: {collectives_text(report)}", overflow="fold")]
    return parts


def _cut(value: str, style: str, width: int) -> Text:
    from rich.text import Text

    return Text(cut(value, width), style)


# --- HTML ---------------------------------------------------------------------------------------

# Inline, because it is what JupyterLab leaves of the style of a notebook that it does not trust.
_LEFT = ' style="text-align:left"'


def rank_html(report: Report) -> str:
    """The rows of the ranks, as an HTML table."""
    body = []
    for row in rank_rows(report, HTML_ROWS):
        numbers = ["", "", "", "", ""]
        if row.totals is not None:
            share = row.totals.flops / report.flops if report.flops else 0.0
            numbers = [
                scaled(row.totals.flops),
                percent(share),
                duration(row.totals.seconds) if row.totals.seconds else "",
                scaled(row.totals.flops_per_second) if row.totals.seconds else "",
                scaled(row.totals.communicated, "B") if row.totals.communicated else "",
            ]
        mark = "⚠ " if row.problem else ""
        body.append(
            f"<tr><td{_LEFT}>{text(row.name)}</td>"
            + "".join(f"<td>{text(number)}</td>" for number in numbers)
            + f'<td{_LEFT}><em class="f-type">{mark}{text(row.place, STATE_LENGTH)}</em></td></tr>'
        )
    titles = ("FLOPs", "share", "time", "FLOPS", "communicated")
    return _table("rank", titles, "".join(body), f"<th{_LEFT}>where</th>")


def collective_html(report: Report) -> str:
    """The rows of the collectives, as an HTML table."""
    body = "".join(
        f"<tr><td{_LEFT}>{text(name)}</td><td>{scaled(totals.calls)}</td>"
        f"<td>{scaled(totals.communicated, 'B') if totals.communicated else ''}</td></tr>"
        for name, totals in report.by_collective.items()
    )
    return _table("collective", ("calls", "communicated"), body)


def _table(first: str, titles: tuple[str, ...], body: str, last: str = "") -> str:
    heads = "".join(f"<th>{title}</th>" for title in titles)
    return (
        f"<table><thead><tr><th{_LEFT}>{first}</th>{heads}{last}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
