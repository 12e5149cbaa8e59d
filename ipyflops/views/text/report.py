"""A report as text, for terminals and wherever there is nothing better."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from ipyflops.units import percent, scaled
from ipyflops.views.rows.choices import check_by
from ipyflops.views.rows.headline import Headline, headline
from ipyflops.views.rows.lines import LineRow, line_rows
from ipyflops.views.rows.operators import operator_rows
from ipyflops.views.text.columns import flops_columns, time_columns
from ipyflops.views.text.rank_table import rank_lines
from ipyflops.views.text.tables import (
    Column,
    Flexible,
    cells,
    cut,
    cut_middle,
    load_rich,
    rendered,
    table,
)
from ipyflops.views.text.tree import tree_lines

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from ipyflops.report.report import Report

#: Rows of a list that are shown; what they leave out is summed up in the last.
ROWS = 40
NARROWEST = 20
WIDTH_WHERE_UNKNOWN = 80


def to_text(
    report: Report,
    *,
    by: str = "modules",
    depth: int | None = None,
    width: int | None = None,
    color: bool = False,
    per: tuple[int, str] | None = None,
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

    Returns
    -------
    str
        Lines with no newline at the end.

    Raises
    ------
    ValueError
        If `by` is something else.
    """
    load_rich()
    by = check_by(by)
    width = chosen_width(width)
    parts = headline_lines(headline(report, per=per), width)
    if report.totals.calls:
        ranks = rank_lines(report, width)
        if by == "modules":
            parts += [*_phases(report), *ranks, "", *tree_lines(report, depth, width)]
        elif by == "operators":
            parts += [*ranks, "", *_operators(report, width)]
        else:
            parts += [*ranks, "", *_lines(report, width)]
    return rendered(parts, width, color)


def chosen_width(width: int | None) -> int:
    """The width asked for, or else the terminal's."""
    if width is None:
        if not sys.stdout.isatty():
            return WIDTH_WHERE_UNKNOWN
        width = shutil.get_terminal_size((WIDTH_WHERE_UNKNOWN, 24)).columns
    return max(width, NARROWEST)


def headline_lines(said: Headline, width: int) -> list[RenderableType]:
    """The headline, broken between its figures where it has to be."""
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"!! {figure.text}", "bold red", overflow="fold") for figure in said.toned("error")
    ]
    pieces = [figure.text for figure in said.toned("plain")]
    pieces[-1] += f"   {said.convention.text}"
    line = pieces[0]
    for piece in pieces[1:]:
        if cells(f"{line} · {piece}") > width:
            parts.append(Text(line, "bold", overflow="fold"))
            line = piece
        else:
            line += f" · {piece}"
    parts.append(Text(line, "bold", overflow="fold"))
    parts += [
        Text(f"! {figure.text}", "yellow", overflow="fold") for figure in said.toned("warning")
    ]
    parts += [Text(f"note: {note}", overflow="fold") for note in said.notes]
    return parts


def _phases(report: Report) -> list[RenderableType]:
    from rich.text import Text

    ran = {phase: totals for phase, totals in report.by_phase.items() if totals.calls}
    if len(ran) < 2 or not report.flops:
        return []
    shares = [f"{phase} {percent(totals.flops / report.flops)}" for phase, totals in ran.items()]
    return [Text(" · ".join(shares))]


def _operators(report: Report, width: int) -> list[Text]:
    rows = operator_rows(report, ROWS)
    totals = [row.totals for row in rows]
    columns: list[Column | Flexible] = [
        Flexible(
            "operator",
            [partial(_name, row.name) for row in rows],
            [cells(row.name) for row in rows],
            least=22,
        ),
        *flops_columns(report, totals, width),
        Column("calls", [scaled(one.calls) for one in totals], 2),
        *time_columns(report, totals),
    ]
    notes = [row.verdict if row.verdict != "formula" else "" for row in rows]
    if any(notes):
        styles = ["dim" if note == "free" else "yellow" for note in notes]
        columns.append(Column("", notes, 8, right=False, styles=styles))
    return table(columns, width)


def _lines(report: Report, width: int) -> list[Text]:
    """Heat bars beside the source lines, under the name of each file."""
    rows: list[LineRow | str] = []
    part = ""
    for row in line_rows(report, ROWS):
        if row.part and row.part != part:
            rows.append(row.part)
        part = row.part
        rows.append(row)
    totals = [None if isinstance(row, str) else row.totals for row in rows]
    numbers = ["" if isinstance(row, str) or not row.number else str(row.number) for row in rows]
    texts = [row if isinstance(row, str) else row.text for row in rows]
    columns: list[Column | Flexible] = [
        *flops_columns(report, totals, width, heat=True),
        *time_columns(report, totals),
        Column("line", numbers, 8),
        Flexible(
            "source",
            [
                partial(_cut, text, style="bold" if isinstance(row, str) else "")
                for row, text in zip(rows, texts, strict=True)
            ],
            [cells(text) for text in texts],
            least=24,
        ),
    ]
    return table(columns, width)


def _cut(text: str, width: int, style: str = "") -> Text:
    from rich.text import Text

    return Text(cut(text, width), style)


def _name(name: str, width: int) -> Text:
    from rich.text import Text

    return Text(cut_middle(name, width))
