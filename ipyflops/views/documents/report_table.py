"""A report as a small table for a paper or an issue: its modules or its operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ipyflops.costs.metrics import Totals
from ipyflops.units import duration, percent
from ipyflops.views.documents.plain_table import PlainRow, PlainTable, column, prefixed
from ipyflops.views.rows.operators import operator_rows
from ipyflops.views.rows.tree import TreeRow, tree_rows
from ipyflops.views.rows.visible import shortened

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: Longer names are cut in their middle.
NAME_LENGTH = 60
#: More rows than any page has.
MOST_ROWS = 1000
Prefix: TypeAlias = Literal["column", "cell"]

#: By name: title, unit, and how to get it from totals.
_MEASURES: dict[str, tuple[str, str, Callable[[Totals], float]]] = {
    "flops": ("FLOPs", "FLOPs", lambda one: one.flops),
    "macs": ("MACs", "MACs", lambda one: one.macs),
    "int_ops": ("int ops", "", lambda one: one.int_ops),
    "bytes": ("traffic", "B", lambda one: one.bytes),
    "seconds": ("time", "s", lambda one: one.seconds),
    "flops_per_second": ("rate", "FLOPS", lambda one: one.flops_per_second),
    "intensity": ("FLOPs/B", "", lambda one: one.intensity),
}
_SHARES = {"share": "share", "utilization": "of peak"}
COLUMNS = (*_MEASURES, *_SHARES, "calls", "params")


def report_table(
    report: Report,
    *,
    by: str = "modules",
    depth: int = 1,
    columns: Sequence[str] | None = None,
    prefix: str = "column",
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
        ``seconds``, ``flops_per_second``, ``utilization`` and ``intensity``, in their order. FLOPs,
        share, parameters, time and FLOPS, as far as they are known, where it is left out.
    prefix : {"column", "cell"}
        Whether a column has one SI prefix, in its title, or each number has its own.

    Returns
    -------
    PlainTable

    Raises
    ------
    ValueError
        If one of the options is none of these.
    """
    if by not in ("modules", "operators"):
        raise ValueError(f"a table cannot be by {by!r}; choose one of modules, operators")
    if depth < 1:
        raise ValueError(f"a table needs a depth of 1 or more, not {depth}")
    if prefix not in get_args(Prefix):
        raise ValueError(f"there is no prefix {prefix!r}; choose one of column, cell")
    rows = _modules(report, depth) if by == "modules" else _operators(report)
    chosen = _check(columns, by) if columns is not None else _usual(report, rows)
    numbers = [_numbers(report, rows, name, prefix) for name in chosen]
    typed = any(row.type for row in rows)
    cells = zip(*(texts for _, texts in numbers), strict=True) if numbers else (() for _ in rows)
    name = "module" if by == "modules" else "operator"
    return PlainTable(
        titles=(name, *(["type"] if typed else []), *(title for title, _ in numbers)),
        rows=tuple(
            PlainRow((*_texts(row, typed), *texts), row.level, row.kind == "root")
            for row, texts in zip(rows, cells, strict=True)
        ),
        texts=2 if typed else 1,
    )


def _texts(row: TreeRow, typed: bool) -> list[str]:
    texts = [row.name, row.type] if typed else [row.name]
    return [shortened(one, NAME_LENGTH) for one in texts]


def _modules(report: Report, depth: int) -> list[TreeRow]:
    """The rows of the tree, the whole as the last of them."""
    # A single outermost module is the whole, and so no level of its own.
    alone = len(report.tree.children) == 1 and not report.tree.own.calls
    whole, *rows = tree_rows(report, depth=depth + alone, most=MOST_ROWS)
    if not rows:
        return [replace(whole, kind="module")]
    inside = [
        replace(
            row,
            level=row.level - 1,
            name=f"{row.name} ×{row.repeats:,}" if row.repeats > 1 else row.name,
        )
        for row in rows
    ]
    return [*inside, replace(whole, kind="root", name="total")]


def _operators(report: Report) -> list[TreeRow]:
    rows = [
        TreeRow(0, "module", one.name, "", "", one.totals.calls, 0, one.totals, {})
        for one in operator_rows(report, MOST_ROWS)
    ]
    whole = report.totals
    return [*rows, TreeRow(0, "root", "total", "", "", whole.calls, 0, whole, {})]


def _check(columns: Sequence[str], by: str) -> Sequence[str]:
    if isinstance(columns, str):
        raise ValueError(f"columns are a list of names, as [{columns!r}]")
    for name in columns:
        if name not in COLUMNS:
            raise ValueError(f"there is no column {name!r}; choose from {', '.join(COLUMNS)}")
        if name == "params" and by == "operators":
            raise ValueError("operators have no parameters; leave out the column 'params'")
    return columns


def _usual(report: Report, rows: Sequence[TreeRow]) -> list[str]:
    chosen = ["flops"]
    if report.flops:
        chosen.append("share")
    if report.int_ops > report.flops:
        chosen.append("int_ops")
    if any(row.parameters for row in rows):
        chosen.append("params")
    if report.seconds:
        chosen += ["seconds", "flops_per_second"]
    return chosen


def _numbers(
    report: Report, rows: Sequence[TreeRow], name: str, prefix: str
) -> tuple[str, list[str]]:
    """The title and the cells of a column."""
    if name in _SHARES:
        shares = [_share(report, row.totals, name) for row in rows]
        return f"{_SHARES[name]} (%)", [percent(share).removesuffix(" %") for share in shares]
    title, quantity = {"calls": ("calls", ""), "params": ("params", "")}.get(name, ("", ""))
    values: list[float | None]
    if title:
        counts = [row.calls if name == "calls" else row.parameters for row in rows]
        values = [count or None for count in counts]
    else:
        title, quantity, measure = _MEASURES[name]
        values = [measure(row.totals) for row in rows]
    if prefix == "column":
        return column(values, title, quantity)
    if quantity == "s":
        return title, [duration(value or 0.0) for value in values]
    # The title of a column of FLOPs already says what its numbers are.
    return title, prefixed(values, "" if quantity == title else quantity)


def _share(report: Report, totals: Totals, name: str) -> float:
    if name == "utilization":
        return totals.utilization
    return totals.flops / report.flops if report.flops else 0.0
