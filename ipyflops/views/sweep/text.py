"""A sweep as text: each module, and how what it counts grows."""

from __future__ import annotations

from ipyflops.report import Sweep
from ipyflops.views.sweep.grid import grid
from ipyflops.views.sweep.rows import (
    ShownSweep,
    formula,
    growth_text,
    peak_formula,
    shown,
    spread,
)
from ipyflops.views.text.headline import chosen_width
from ipyflops.views.text.tables import (
    Column,
    Flexible,
    Line,
    Part,
    places,
    plain_cells,
    rendered,
    table,
)

MAX_ROWS = 30
#: Points whose peaks are listed.
MAX_POINTS = 24
#: Columns are dropped rather than that the modules get less than this.
MIN_NAME_WIDTH = 20
_STYLES = {"constant": "dim", "linear": "", "quadratic": "yellow"}


def to_text(
    sweep: Sweep, *, depth: int | None = None, width: int | None = None, color: bool = False
) -> str:
    """Write a sweep as text; as many levels of modules as fit in 30 rows without a `depth`."""
    width = chosen_width(width)
    said = shown(sweep, most=MAX_ROWS, depth=depth)
    parts: list[Part] = [
        Line(f"{said.headline}   [{sweep.convention}]", "bold", overflow="fold"),
        Line(said.growth, overflow="fold"),
        *([Line(said.peak, overflow="fold")] if said.peak else []),
        Line(said.points, "dim", overflow="fold"),
        "",
        *table(_columns(said), width),
    ]
    if said.peak:
        parts += ["", *table(_grid(sweep), width)]
    if said.notes:
        parts += ["", *(Line(f"note: {note}", "dim", overflow="fold") for note in said.notes)]
    return rendered(parts, width, color)


def _columns(said: ShownSweep) -> list[Column | Flexible]:
    rows = said.rows
    columns: list[Column | Flexible] = [
        places(rows, MIN_NAME_WIDTH),
        Column("FLOPs", [spread(row.counts) for row in rows], 3),
    ]
    if said.peak:
        columns.append(Column("peak", [spread(row.peaks, "B") for row in rows], 2))
    for index, name in said.varied.items():
        grown = [row.growth.by_variable[index] for row in rows]
        styles = [_STYLES.get(one.name, "red") for one in grown]
        texts = [growth_text(one) for one in grown]
        columns.append(Column(f"in {name}", texts, 9, right=False, styles=styles))
    formulas = [formula(row.growth) for row in rows]
    columns.append(Column("FLOPs =", formulas, 1, right=False))
    if said.peak:
        columns.append(Column("peak =", [peak_formula(row) for row in rows], 0, right=False))
    return columns


def _grid(sweep: Sweep) -> list[Column | Flexible]:
    """The points, each with its peak."""
    titles, points = grid(sweep, MAX_POINTS)
    *numbers, kinds = zip(*points, strict=True)
    columns: list[Column | Flexible] = [
        Column(title, cells, 9) for title, cells in zip(titles, numbers, strict=False)
    ]
    return [*columns, plain_cells(titles[-1], kinds, [""] * len(kinds), MIN_NAME_WIDTH)]
