"""A sweep as a small table for a paper or an issue."""

from __future__ import annotations

from ipyflops.costs import METRICS, check_choice
from ipyflops.report import Sweep
from ipyflops.views.documents.plain_table import (
    MAX_ROWS,
    PlainRow,
    PlainTable,
    check_depth_and_prefix,
    column,
)
from ipyflops.views.sweep.rows import formula, growth_text, sweep_rows


def growth_table(sweep: Sweep, *, depth: int = 1, metric: str = "flops") -> PlainTable:
    """Choose the rows of a table of growth, the whole first; see `Sweep.to_markdown`.

    Raises
    ------
    ValueError
        If there is no such metric, or the depth is less than 1.
    """
    check_depth_and_prefix(depth)
    chosen = METRICS[check_choice(metric, sweep.metrics, f"there is no metric {metric!r}")]
    name = chosen.title if chosen.of_place else chosen.name
    rows = sweep_rows(sweep, most=MAX_ROWS, depth=depth, metric=metric)
    title, counts = column(
        [count for row in rows for count in (min(row.counts), max(row.counts))],
        name,
        chosen.unit if chosen.of_place else name,
    )
    varied = [place for place, one in enumerate(sweep.variables) if len(one.values) > 1]
    return PlainTable(
        titles=(
            "module",
            *(f"in {sweep.variables[place].name}" for place in varied),
            f"{name} =",
            f"{title} from",
            "to",
        ),
        rows=tuple(
            PlainRow(
                (
                    row.full_name,
                    *(growth_text(row.growth.by_variable[place]) for place in varied),
                    formula(row.growth),
                    *counts[2 * index : 2 * index + 2],
                ),
                row.level,
            )
            for index, row in enumerate(rows)
        ),
        texts=2 + len(varied),
    )
