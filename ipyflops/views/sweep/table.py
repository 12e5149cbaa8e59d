"""A sweep as a data frame, and as a small table for a paper or an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.report.sweep import METRICS
from ipyflops.views.documents.frame import import_pandas
from ipyflops.views.documents.plain_table import PlainRow, PlainTable, column
from ipyflops.views.sweep.rows import formula, growth_text, sweep_rows

if TYPE_CHECKING:
    from pandas import DataFrame

    from ipyflops.report.sweep import Sweep

NUMBERS = ("calls", "flops", "macs", "int_ops", "bytes", "intensity")
MOST_ROWS = 1000


def to_frame(sweep: Sweep) -> DataFrame:
    """Give a row for each point and node; see `ipyflops.sweep.Sweep.to_frame`."""
    pandas = import_pandas("Sweep.to_frame")
    names = [variable.name for variable in sweep.variables]
    records = [
        (
            *point.values,
            path,
            node.type,
            node.kind,
            *(getattr(node.totals, number) for number in NUMBERS),
        )
        for point in sweep.points
        for path, node in point.nodes.items()
    ]
    columns = [*names, "path", "type", "kind", *NUMBERS]
    frame: DataFrame = pandas.DataFrame(records, columns=columns)
    return frame


def growth_table(sweep: Sweep, *, depth: int = 1, metric: str = "flops") -> PlainTable:
    """Choose the rows of a table of growth, the whole first.

    Parameters
    ----------
    sweep : Sweep
    depth : int
        How many levels are shown inside the whole.
    metric : {"flops", "macs", "int_ops", "bytes"}

    Returns
    -------
    PlainTable

    Raises
    ------
    ValueError
        If there is no such metric, or the depth is less than 1.
    """
    if depth < 1:
        raise ValueError(f"a table needs a depth of 1 or more, not {depth}")
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; choose one of {', '.join(METRICS)}")
    rows = sweep_rows(sweep, most=MOST_ROWS, depth=depth, metric=metric)
    unit = METRICS[metric]
    title, counts = column(
        [count for row in rows for count in (min(row.counts), max(row.counts))], unit, unit
    )
    varied = [place for place, one in enumerate(sweep.variables) if len(one.values) > 1]
    return PlainTable(
        titles=(
            "module",
            *(f"in {sweep.variables[place].name}" for place in varied),
            f"{unit} =",
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
