"""A report as a small table for a paper or an issue: its modules or its operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipyflops.costs import METRICS, Metric, add_totals, check_choice
from ipyflops.report import Report
from ipyflops.units import percent
from ipyflops.views.documents.plain_table import (
    MAX_ROWS,
    PlainRow,
    PlainTable,
    check_depth_and_prefix,
    column,
    prefixed,
    texts_of,
)
from ipyflops.views.rows.columns import GROUPS
from ipyflops.views.rows.operators import operator_rows
from ipyflops.views.rows.outline import own_name
from ipyflops.views.rows.tree import TreeRow, numbers_of_places, tree_rows

#: The names of columns that are not their metric's: calls are those of whatever a row stands for.
_NAMES = {"parameters": "params", "module_calls": "calls"}
_BY_NAME = {_NAMES.get(key, key): metric for key, metric in METRICS.items() if key != "calls"}
#: Names of several columns at once.
_SEVERAL = {"shapes": GROUPS["shapes"]}
#: Sums and rates come before shares in the list of what there is.
COLUMNS: tuple[str, ...] = tuple(
    sorted(_BY_NAME, key=lambda name: (_BY_NAME[name].of_place, _BY_NAME[name].format == "share"))
)
#: The columns where nothing else is asked for, as far as they say something. The times of a single
#: run are not among them: they are noisy.
_USUAL = ("flops", "share", "macs", "int_ops", "params", "saved_bytes", "peak_bytes")


def report_table(
    report: Report,
    *,
    by: str = "modules",
    depth: int = 1,
    columns: Sequence[str] | None = None,
    prefix: str = "column",
    code: bool = False,
) -> PlainTable:
    """Choose rows and columns; the last row is the total.

    Parameters
    ----------
    report : Report
    by : {"modules", "operators"}
    depth : int
        How many levels of modules are shown inside the whole: 1 for what is right inside the only
        outermost module, or for the outermost modules where there are several.
    columns : sequence of str, optional
        Some of ``flops``, ``share``, ``macs``, ``int_ops``, ``bytes``, ``calls``, ``params``,
        ``seconds``, ``time_share``, ``flops_per_second``, ``utilization``, ``intensity`` and the
        other keys of `ipyflops.costs.metrics.METRICS`, in their order; ``shapes`` is ``input``,
        ``output`` and ``kernel``. FLOPs, share, MACs and parameters, as far as they say
        something, where it is left out.
    prefix : {"column", "cell"}
        Whether a column has one SI prefix, in its title, or each number has its own.
    code : bool
        Whether lines of code outside of modules have rows; one row sums them up otherwise.

    Returns
    -------
    PlainTable

    Raises
    ------
    ValueError
        If one of the options is none of these.
    """
    check_choice(by, ("modules", "operators"), f"a table cannot be by {by!r}")
    check_depth_and_prefix(depth, prefix)
    rows = _modules(report, depth, code=code) if by == "modules" else _operators(report)
    chosen = _check(columns, by) if columns is not None else _usual(report, rows)
    numbers = [_numbers(report, rows, _BY_NAME[name], prefix) for name in chosen]
    typed = any(row.full_type for row in rows)
    cells = zip(*(texts for _, texts in numbers), strict=True) if numbers else (() for _ in rows)
    return PlainTable.of(
        "module" if by == "modules" else "operator",
        [title for title, _ in numbers],
        [
            PlainRow((*texts_of(row, typed=typed), *texts), row.level, row.kind == "root")
            for row, texts in zip(rows, cells, strict=True)
        ],
        typed=typed,
    )


def _modules(report: Report, depth: int, *, code: bool) -> list[TreeRow]:
    """The rows of the tree, the whole as the last of them."""
    # A single outermost module is the whole, and so no level of its own.
    alone = len(report.tree.children) == 1 and not report.tree.own.calls
    whole, *rows = tree_rows(report, depth=depth + alone, most=MAX_ROWS)
    if not rows:
        return [replace(whole, kind="module", repeats=1)]
    inside = [replace(row, level=row.level - 1) for row in rows]
    if not code:
        inside = _without_code(inside)
    return [*inside, replace(whole, kind="root", name="total", repeats=1)]


def _without_code(rows: list[TreeRow]) -> list[TreeRow]:
    """The rows with one, the last, for the lines of code, and for what else is in no module."""
    outside = [row for row in rows if row.kind == "code" or (row.kind == "own" and not row.level)]
    if not any(row.kind == "code" for row in outside):
        return rows
    others = [row for row in rows if row not in outside]
    totals = add_totals(row.totals for row in outside if not row.level)
    name = own_name("root")
    return [*others, TreeRow(0, "own", name, "", "", 0, 0, totals, {})]


def _operators(report: Report) -> list[TreeRow]:
    rows = [
        TreeRow(0, "module", one.name, "", "", one.totals.calls, 0, one.totals, {})
        for one in operator_rows(report, MAX_ROWS)
    ]
    whole = report.totals
    return [*rows, TreeRow(0, "root", "total", "", "", whole.calls, 0, whole, {})]


def _check(columns: Sequence[str], by: str) -> Sequence[str]:
    if isinstance(columns, str):
        raise ValueError(f"columns are a list of names, as [{columns!r}]")
    columns = [key for name in columns for key in _SEVERAL.get(name, (name,))]
    for name in columns:
        if name not in COLUMNS:
            raise ValueError(f"there is no column {name!r}; choose from {', '.join(COLUMNS)}")
        if _BY_NAME[name].of_place and name != "calls" and by == "operators":
            what = "parameters" if name == "params" else "such numbers"
            raise ValueError(f"operators have no {what}; leave out the column {name!r}")
    return columns


def _usual(report: Report, rows: Sequence[TreeRow]) -> list[str]:
    says_something = {
        "share": report.flops,
        "macs": report.macs,
        "int_ops": report.int_ops > report.flops,
        "params": any(row.parameters for row in rows),
        "saved_bytes": any(row.held.saved_bytes for row in rows),
        "peak_bytes": any(row.held.peak_bytes for row in rows),
    }
    return [name for name in _USUAL if says_something.get(name, True)]


def _numbers(
    report: Report, rows: Sequence[TreeRow], metric: Metric, prefix: str
) -> tuple[str, list[str]]:
    """The title and the cells of a column."""
    if metric.format == "text":
        return metric.title, [str(numbers_of_places([row])[metric.key][0]) for row in rows]
    values = [_value(report, row, metric) for row in rows]
    if metric.format == "share":
        shares = [percent(value or 0.0).removesuffix(" %") for value in values]
        return f"{metric.title} (%)", shares
    title = metric.quantity or metric.title
    if prefix == "column":
        return column(values, title, metric.unit)
    if metric.format == "time":
        return title, [metric.short(value or 0.0) for value in values]
    # The title of a column of FLOPs already says what its numbers are.
    return title, prefixed(values, "" if metric.unit == title else metric.unit)


def _value(report: Report, row: TreeRow, metric: Metric) -> float | None:
    """The number of a row; None where there are no calls or parameters to count."""
    if metric.of_place:
        number = numbers_of_places([row])[metric.key][0]
        return number if number and not isinstance(number, str) else None
    return metric.value(row.totals, report.totals)
