"""A titled table as text."""

from __future__ import annotations

from ipyflops.views.side_by_side.titled import TitledTable
from ipyflops.views.text.headline import chosen_width
from ipyflops.views.text.tables import (
    Column,
    Flexible,
    Line,
    Part,
    guides,
    plain_cells,
    rendered,
    table,
)

MIN_NAME_WIDTH = 16


def to_text(said: TitledTable, *, width: int | None = None, color: bool = False) -> str:
    """Write a titled table as text; columns on the right go first where there is no room."""
    width = chosen_width(width)
    parts: list[Part] = [Line(said.headline, "bold", overflow="fold")]
    parts += [Line(one, overflow="fold") for one in said.said]
    if said.table.rows:
        parts += ["", *table(_columns(said), width)]
    if said.notes:
        parts += ["", *(Line(f"note: {note}", "dim", overflow="fold") for note in said.notes)]
    return rendered(parts, width, color)


def _columns(said: TitledTable) -> list[Column | Flexible]:
    rows, titles = said.table.rows, said.table.titles
    names = [
        f"{guide}{row.cells[0]}"
        for guide, row in zip(guides([row.level for row in rows]), rows, strict=True)
    ]
    styles = ["bold" if row.total else "" for row in rows]
    columns: list[Column | Flexible] = [plain_cells(titles[0], names, styles, MIN_NAME_WIDTH)]
    for index, title in enumerate(titles[1:], 1):
        cells = [row.cells[index] for row in rows]
        right = index >= said.table.texts
        columns.append(Column(title, cells, len(titles) - index, right, styles))
    return columns
