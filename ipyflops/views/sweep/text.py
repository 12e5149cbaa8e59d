"""A sweep as text: each module, and how what it counts grows."""

from __future__ import annotations

from ipyflops.report import Sweep
from ipyflops.views.sweep.rows import ShownSweep, formula, growth_text, shown, spread
from ipyflops.views.text.headline import chosen_width
from ipyflops.views.text.tables import Column, Flexible, Line, Part, places, rendered, table

MAX_ROWS = 30
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
        Line(said.points, "dim", overflow="fold"),
        "",
        *table(_columns(said), width),
    ]
    if said.notes:
        parts += ["", *(Line(f"note: {note}", "dim", overflow="fold") for note in said.notes)]
    return rendered(parts, width, color)


def _columns(said: ShownSweep) -> list[Column | Flexible]:
    rows = said.rows
    columns: list[Column | Flexible] = [
        places(rows, MIN_NAME_WIDTH),
        Column("FLOPs", [spread(row) for row in rows], 3),
    ]
    for index, name in said.varied.items():
        grown = [row.growth.by_variable[index] for row in rows]
        styles = [_STYLES.get(one.name, "red") for one in grown]
        texts = [growth_text(one) for one in grown]
        columns.append(Column(f"in {name}", texts, 9, right=False, styles=styles))
    formulas = [formula(row.growth) for row in rows]
    columns.append(Column("FLOPs =", formulas, 1, right=False))
    return columns
