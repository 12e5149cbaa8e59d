"""A sweep as text: each module, and how what it counts grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
from ipyflops.views.text.report import chosen_width
from ipyflops.views.text.tables import Column, Flexible, cells, load_rich, named, rendered, table
from ipyflops.views.text.tree import guides

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ipyflops.report.sweep import Sweep

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
    load_rich()
    from rich.text import Text

    width = chosen_width(width)
    rows = sweep_rows(sweep, most=ROWS, depth=depth)
    growth = sweep.growth()
    parts: list[RenderableType] = [
        Text(f"{headline(sweep)}   [{sweep.convention}]", "bold", overflow="fold"),
        Text(visible(growth.name), overflow="fold"),
        Text(visible(points_text(sweep)), "dim", overflow="fold"),
        "",
        *table(_columns(sweep, rows), width),
    ]
    said = remarks(sweep)
    if said:
        parts += ["", *(Text(f"note: {visible(one)}", "dim", overflow="fold") for one in said)]
    return rendered(parts, width, color)


def _columns(sweep: Sweep, rows: Sequence[SweepRow]) -> list[Column | Flexible]:
    guided = list(zip(rows, guides([row.level for row in rows]), strict=True))
    columns: list[Column | Flexible] = [
        Flexible(
            "module",
            [named(row.full_name, row.type, guide, row.kind == "own") for row, guide in guided],
            [cells(f"{guide}{row.full_name} {row.type}") for row, guide in guided],
            LEAST_WIDTH,
        ),
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
