"""A report as text, for terminals and wherever there is nothing better."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Report
from ipyflops.units import percent
from ipyflops.views.requests import check_by
from ipyflops.views.rows.columns import TEXT, chosen
from ipyflops.views.rows.columns import columns as columns_of
from ipyflops.views.rows.headline import headline
from ipyflops.views.rows.lines import LineRow, line_rows
from ipyflops.views.rows.operators import WORDS, operator_rows
from ipyflops.views.rows.tree import phase_shares
from ipyflops.views.text.columns import WIDE, number_columns
from ipyflops.views.text.headline import chosen_width, headline_lines
from ipyflops.views.text.memory import memory_lines
from ipyflops.views.text.ranks import rank_lines
from ipyflops.views.text.tables import Column, Flexible, Line, Part, plain_cells, rendered, table
from ipyflops.views.text.tree import tree_lines

#: Rows of a list that are shown; what they leave out is summed up in the last.
MAX_ROWS = 40


def to_text(
    report: Report,
    *,
    by: str = "modules",
    depth: int | None = None,
    width: int | None = None,
    color: bool = False,
    per: tuple[int, str] | None = None,
    columns: Sequence[str] = (),
) -> str:
    """Write a report as text.

    Parameters
    ----------
    report : Report
    by : {"modules", "operators", "lines"}
        What the table below the headline is about.
    depth : int, optional
        How many levels of modules to show; as many as fit in 40 rows where it is left out.
    width : int, optional
        In characters; that of the terminal, or 80, where it is left out.
    color : bool
        Whether to use a terminal's colours.
    per : (int, str), optional
        As for `headline`.
    columns : sequence of str
        Keys of metrics that the table shows besides, as ``time_share``; ``shapes`` and ``params``
        are several.

    Returns
    -------
    str
        Lines with no newline at the end.

    Raises
    ------
    ValueError
        If `by` is something else, or there is no such column.
    """
    by = check_by(by)
    width = chosen_width(width)
    parts = headline_lines(headline(report, per=per), width)
    if report.totals.calls:
        ranks = rank_lines(report, width)
        if by == "modules":
            parts += [*_phases(report), *ranks, "", *tree_lines(report, depth, width, columns)]
            parts += memory_lines(report, width)
        elif by == "operators":
            parts += [*ranks, "", *_operators(report, width, columns)]
        else:
            parts += [*ranks, "", *_lines(report, width, columns)]
    return rendered(parts, width, color)


def _phases(report: Report) -> list[Part]:
    shares = phase_shares(report)
    said = " · ".join(f"{phase} {percent(share)}" for phase, share in shares.items())
    return [Line(said)] if said else []


def _operators(report: Report, width: int, extra: Sequence[str]) -> list[Line]:
    rows = operator_rows(report, MAX_ROWS)
    shown = columns_of(report, TEXT["operators"], [row.totals for row in rows], extra=extra)
    names = [row.name for row in rows]
    columns: list[Column | Flexible] = [
        plain_cells("operator", names, [""] * len(names), least=22, middle=True),
        *number_columns(shown, width, asked=chosen(extra)),
    ]
    notes = [WORDS.get(row.verdict, row.verdict) for row in rows]
    if any(notes):
        styles = ["dim" if row.verdict == "free" else "yellow" for row in rows]
        if width < WIDE:
            notes = [note.partition(":")[0] for note in notes]
        columns.append(Column("", notes, 8, right=False, styles=styles))
    return table(columns, width)


def _lines(report: Report, width: int, extra: Sequence[str]) -> list[Line]:
    """Heat bars beside the source lines, under the name of each file."""
    rows: list[LineRow | str] = []
    part = ""
    for row in line_rows(report, MAX_ROWS):
        if row.part and row.part != part:
            rows.append(row.part)
        part = row.part
        rows.append(row)
    totals = [None if isinstance(row, str) else row.totals for row in rows]
    shown = columns_of(report, TEXT["lines"], totals, extra=extra)
    numbers = ["" if isinstance(row, str) or not row.number else str(row.number) for row in rows]
    texts = [row if isinstance(row, str) else row.text for row in rows]
    styles = ["bold" if isinstance(row, str) else "" for row in rows]
    columns: list[Column | Flexible] = [
        *number_columns(shown, width, heat=True, asked=chosen(extra)),
        Column("line", numbers, 8),
        plain_cells("source", texts, styles, least=24),
    ]
    return table(columns, width)
