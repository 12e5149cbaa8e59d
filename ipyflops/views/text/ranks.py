"""The ranks of a report, and what they exchanged, as lines of text."""

from __future__ import annotations

from ipyflops.report import Report
from ipyflops.views.rows.columns import TEXT, columns
from ipyflops.views.rows.ranks import collectives_text, rank_rows
from ipyflops.views.text.columns import IMPORTANCE, number_columns
from ipyflops.views.text.tables import Column, Line, Part, plain_cells, table

#: Rows that are shown; what they leave out is in the last one.
MAX_ROWS = 16


def rank_lines(report: Report, width: int) -> list[Part]:
    """The table of ranks and a line of collectives, each with a blank line before it."""
    parts: list[Part] = []
    if len(report.ranks) > 1:
        rows = rank_rows(report, MAX_ROWS)
        shown = columns(report, TEXT["ranks"], [row.totals for row in rows])
        styles = ["yellow" if row.problem else "dim" for row in rows]
        lines = table(
            [
                Column("rank", [row.name for row in rows], 10, right=False),
                *number_columns(shown, width, importance={**IMPORTANCE, "communicated": 6}),
                plain_cells("", [row.place for row in rows], styles, least=10),
            ],
            width,
        )
        parts += ["", *lines]
    if report.by_collective:
        parts += ["", Line(f"communicated: {collectives_text(report)}", overflow="fold")]
    return parts
