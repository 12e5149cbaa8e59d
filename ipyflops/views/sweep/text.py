"""A sweep as text: each module, and how what it counts grows."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Sweep
from ipyflops.views.rows.visible import visible
from ipyflops.views.sweep.rows import (
    SweepRow,
    formula,
    growth_text,
    headline,
    points_text,
    remarks,
    spread,
    sweep_rows,
)
from ipyflops.views.text.headline import chosen_width
from ipyflops.views.text.tables import Column, Flexible, Line, Part, places, rendered, table

ROWS = 30
#: Columns are dropped rather than that the modules get less than this.
LEAST_WIDTH = 20
_STYLES = {"constant": "dim", "linear": "", "quadratic": "yellow"}


def to_text(
    sweep: Sweep, *, depth: int | None = None, width: int | None = None, color: bool = False
) -> str:
    """Write a sweep as text.

    Parameters
    ----------
    sweep : Sweep
    depth : int, optional
        How many levels of modules to show; as many as fit in 30 rows where it is left out.
    width, color
        As for `ipyflops.views.text.report.to_text`.

    Returns
    -------
    str
        Lines with no newline at the end.
    """
    width = chosen_width(width)
    rows = sweep_rows(sweep, most=ROWS, depth=depth)
    growth = sweep.growth()
    parts: list[Part] = [
        Line(f"{headline(sweep)}   [{sweep.convention}]", "bold", overflow="fold"),
        Line(visible(growth.name), overflow="fold"),
        Line(visible(points_text(sweep)), "dim", overflow="fold"),
        "",
        *table(_columns(sweep, rows), width),
    ]
    said = remarks(sweep)
    if said:
        parts += ["", *(Line(f"note: {visible(one)}", "dim", overflow="fold") for one in said)]
    return rendered(parts, width, color)


def _columns(sweep: Sweep, rows: Sequence[SweepRow]) -> list[Column | Flexible]:
    columns: list[Column | Flexible] = [
        places(rows, LEAST_WIDTH),
        Column("FLOPs", [spread(row) for row in rows], 3),
    ]
    for place, variable in enumerate(sweep.variables):
        if len(variable.values) == 1:
            continue
        grown = [row.growth.by_variable[place] for row in rows]
        columns.append(
            Column(
                visible(f"in {variable.name}"),
                [growth_text(one) for one in grown],
                9,
                right=False,
                styles=[_STYLES.get(one.name, "red") for one in grown],
            )
        )
    formulas = [formula(row.growth) for row in rows]
    columns.append(Column("FLOPs =", formulas, 1, right=False))
    return columns
