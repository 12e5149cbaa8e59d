"""A report as a pandas data frame; pandas is an optional dependency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipyflops.report.tables import Phase, Row, TotalsSum

if TYPE_CHECKING:
    from pandas import DataFrame

    from ipyflops.report.report import Report

#: What a row is about, and what was counted there.
KEYS = ("path", "type", "kind", "operator", "verdict", "dtype", "phase")
NUMBERS = ("calls", "flops", "macs", "int_ops", "bytes", "seconds")
#: Numbers that only reports of several processes have: bytes of collectives, replicated FLOPs.
RANK_NUMBERS = ("communicated", "replicated")


def to_frame(
    report: Report, *, lines: bool = False, shapes: bool = False, ranks: bool = False
) -> DataFrame:
    """Give a tidy data frame: a row for each node, operator, dtype and phase.

    Parameters
    ----------
    report : Report
    lines : bool
        Whether rows are also told apart by source line: a column ``line``, as ``In[5]:3``.
    shapes : bool
        Whether rows are also told apart by the shapes of the input tensors: a column ``shapes``.
    ranks : bool
        Whether rows are also told apart by rank: a column ``rank``, the first. What is replicated
        can only be said of all ranks together.

    Returns
    -------
    pandas.DataFrame
        Columns ``path``, ``type`` and ``kind`` of the node that ran the operator itself (work of
        its children has rows of its own), ``operator``, ``verdict``, ``dtype``, ``phase``, those
        asked for, then the numbers: ``calls``, ``flops`` under the report's convention, ``macs``,
        ``int_ops``, ``bytes`` and ``seconds`` of kernel time, and where several processes worked
        together ``communicated``, in bytes, and ``replicated``, in FLOPs. The numbers of all rows
        add up to the report's totals, so any grouping of them is right. Nodes come in the order of
        the tree.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    pandas = import_pandas("Report.to_frame")
    numbers = [*NUMBERS, *(name for name in RANK_NUMBERS if getattr(report.totals, name))]
    keys = [*KEYS, *(["line"] if lines else []), *(["shapes"] if shapes else [])]
    if ranks:
        keys = ["rank", *keys]
        numbers = [name for name in numbers if name != "replicated"]
        records = [
            (rank.number, *record)
            for rank in report.ranks
            if rank.report is not None
            for record in _records(rank.report, lines, shapes, numbers)
        ]
    else:
        records = _records(report, lines, shapes, numbers)
    frame: DataFrame = pandas.DataFrame(records, columns=[*keys, *numbers])
    return frame


def import_pandas(asker: str) -> Any:
    """Give pandas, or say in the name of what asked for it how to install it.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{asker} needs pandas: pip install ipyflops[pandas]") from error
    return pandas


def _records(
    report: Report, lines: bool, shapes: bool, numbers: Sequence[str]
) -> list[tuple[Any, ...]]:
    groups: dict[tuple[Any, ...], TotalsSum] = defaultdict(TotalsSum)
    for row in report.rows:
        groups[_key(report, row, lines, shapes)].add(report.accumulate((row,)))
    by_scope: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for (scope, *key), group in groups.items():
        totals = group.totals()
        by_scope[scope].append((*key, *(getattr(totals, name) for name in numbers)))
    return [
        (node.path, node.type, node.kind, *record)
        for node in report.walk()
        for record in by_scope[node.scope]
    ]


def _key(report: Report, row: Row, lines: bool, shapes: bool) -> tuple[Any, ...]:
    signature = report.signatures[row.signature]
    phase: Phase = row.phase
    key: list[Any] = [row.scope, signature.operator, signature.verdict, signature.dtype, phase]
    if lines:
        key.append(report.line_name(row.line))
    if shapes:
        key.append(signature.shapes)
    return tuple(key)
