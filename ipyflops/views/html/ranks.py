"""The ranks of a report, and what they exchanged, as HTML tables."""

from __future__ import annotations

from itertools import islice

from ipyflops.report import Report
from ipyflops.views.html.fitting import left_out
from ipyflops.views.html.parts import (
    Html,
    Title,
    cell,
    joined,
    table,
    table_row,
    tag,
    text,
)
from ipyflops.views.rows.columns import HTML, columns
from ipyflops.views.rows.ranks import STATE_LENGTH, rank_rows

#: Rows that are shown at most; what is left out is named.
MAX_ROWS = 256


def rank_html(report: Report, most: int) -> Html:
    """The rows of the ranks, so many at most."""
    rows = rank_rows(report, most)
    shown = columns(report, HTML["ranks"], [row.totals for row in rows])
    body = []
    for index, row in enumerate(rows):
        where = joined([text("⚠ " if row.problem else ""), text(row.place, STATE_LENGTH)])
        numbers = [cell(text(column.texts[index])) for column in shown]
        place = cell(tag("em", where, class_="f-type"), left=True)
        body.append(table_row([cell(text(row.name), left=True), *numbers, place]))
    titles = [Title(column.metric.title) for column in shown]
    return table([Title("rank", left=True), *titles, Title("where", left=True)], body)


def collective_html(report: Report, most: int) -> Html:
    """The rows of the collectives, so many at most."""
    collectives = dict(islice(report.by_collective.items(), most))
    shown = columns(report, HTML["collectives"], list(collectives.values()))
    body = [
        table_row(
            [cell(text(name), left=True), *(cell(text(column.texts[index])) for column in shown)]
        )
        for index, name in enumerate(collectives)
    ]
    titles = [Title(column.metric.title) for column in shown]
    hidden = len(report.by_collective) - len(collectives)
    rows = table([Title("collective", left=True), *titles], body)
    return joined([rows, left_out(hidden, "collectives", "by_collective")])
