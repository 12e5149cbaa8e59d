"""A titled table as HTML."""

from __future__ import annotations

from ipyflops.views.html.parts import (
    BLANK,
    Html,
    Title,
    cell,
    fragment,
    joined,
    note,
    table,
    table_row,
    tag,
    text,
)
from ipyflops.views.side_by_side.titled import TitledTable

_LONG = 2000


def to_html(said: TitledTable) -> Html:
    """Write a titled table as an HTML fragment, without scripts."""
    parts = [tag("p", tag("strong", text(said.headline, _LONG)), class_="f-headline")]
    parts += [tag("p", text(one, _LONG)) for one in said.said]
    if said.table.rows:
        parts.append(tag("div", _table(said), class_="f-scroll"))
    parts += map(note, said.notes)
    return fragment(parts)


def _table(said: TitledTable) -> Html:
    shown = said.table
    titles = [Title(title, left=index < shown.texts) for index, title in enumerate(shown.titles)]
    rows = []
    for row in shown.rows:
        cells = []
        for index, one in enumerate(row.cells):
            inside = tag("strong", text(one)) if row.total and one else text(one)
            if not index:  # blanks that no page collapses show the levels
                inside = joined([*[BLANK] * (4 * row.level), inside])
            cells.append(cell(inside, left=index < shown.texts))
        rows.append(table_row(cells))
    return table(titles, rows)
