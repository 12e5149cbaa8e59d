"""A report, a difference or a sweep as a pandas data frame; pandas is an optional dependency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas

from ipyflops.costs import COUNTED, MEASURED, METRICS, SUMMED, Totals, check_choice
from ipyflops.report import Difference, Node, Phase, Report, Row, Sweep, counts_of
from ipyflops.views.rows.columns import RECORDED, chosen
from ipyflops.views.rows.tree import OF_MEMORY

#: What a row is about, and what was counted there.
KEYS = ("path", "type", "kind", "operator", "verdict", "dtype", "phase")
#: Of a node, and not of what ran in it.
OF_NODE = (*OF_MEMORY, *RECORDED, "parameters")
_OFFERED = tuple(key for key, metric in METRICS.items() if not metric.of_place or key in OF_NODE)
CHANGE_KEYS = ("path", "type", "kind", "status")
NUMBERS = tuple(
    key for key in SUMMED if key in METRICS and not (METRICS[key].of_ranks or METRICS[key].optional)
)
#: Numbers that only reports of several processes have: bytes of collectives, replicated FLOPs.
RANK_NUMBERS = tuple(key for key in SUMMED if key in METRICS and METRICS[key].of_ranks)


def to_frame(
    report: Report,
    *,
    columns: Sequence[str] = (),
    lines: bool = False,
    shapes: bool = False,
    ranks: bool = False,
) -> pandas.DataFrame:
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
    columns : sequence of str
        Keys of metrics that come last, as ``time_share``. What is a node's own (its memory,
        ``parameters``, ``trainable``, ``frozen``, ``input``, ``output``, ``kernel``) is the same in
        each of its rows.

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
    ValueError
        If there is no such metric.
    """
    numbers = [*NUMBERS, *(name for name in RANK_NUMBERS if getattr(report.totals, name))]
    keys = [*KEYS, *(["line"] if lines else []), *(["shapes"] if shapes else [])]
    if ranks:
        keys = ["rank", *keys]
        numbers = [name for name in numbers if name != "replicated"]
    for key in chosen(columns):
        check_choice(key, _OFFERED, f"there is no column {key!r}")
    numbers += [key for key in chosen(columns) if key not in numbers]
    if ranks:
        records = [
            (rank.number, *record)
            for rank in report.ranks
            if rank.report is not None
            for record in _records(rank.report, lines, shapes, numbers)
        ]
    else:
        records = _records(report, lines, shapes, numbers)
    return pandas.DataFrame(records, columns=[*keys, *numbers])


def difference_to_frame(difference: Difference) -> pandas.DataFrame:
    """Give a row for each place of either tree; see `Difference.to_frame`."""
    records = []
    for change in difference.changes:
        record: dict[str, object] = {name: getattr(change, name) for name in CHANGE_KEYS}
        before, after = change.before or Totals(), change.after or Totals()
        for name in MEASURED:
            old, new = getattr(before, name), getattr(after, name)
            record[f"{name}_before"], record[f"{name}_after"] = old, new
            record[f"{name}_difference"] = new - old
            record[f"{name}_ratio"] = new / old if old else float("nan")
        records.append(record)
    return pandas.DataFrame.from_records(records)


def sweep_to_frame(sweep: Sweep) -> pandas.DataFrame:
    """Give a row for each point and node; see `ipyflops.sweep.Sweep.to_frame`."""
    numbers = ("calls", *COUNTED, "intensity")
    held = [name for name in sweep.metrics if name not in numbers]
    records = [
        (
            *point.values,
            path,
            node.type,
            node.kind,
            *(METRICS[number].value(node.totals) for number in numbers),
            *(counts_of([point], [path], name)[0] for name in held),
        )
        for point in sweep.points
        for path, node in point.nodes.items()
    ]
    names = [variable.name for variable in sweep.variables]
    return pandas.DataFrame(records, columns=[*names, "path", "type", "kind", *numbers, *held])


def records_to_frame(records: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """Give a row for each record, as of an estimate or a comparison."""
    return pandas.DataFrame.from_records(list(records))


def _records(
    report: Report, lines: bool, shapes: bool, numbers: Sequence[str]
) -> list[tuple[Any, ...]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in report.rows:
        groups[_key(report, row, lines, shapes)].append(row)
    by_scope: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for (scope, *key), rows in groups.items():
        totals = report.sum_rows(rows)
        by_scope[scope].append((*key, *(_number(report, totals, name) for name in numbers)))
    return [
        (node.path, node.type, node.kind, *_with_own(node, record, numbers))
        for node in report.walk()
        for record in by_scope[node.scope]
    ]


def _with_own(node: Node, record: tuple[Any, ...], numbers: Sequence[str]) -> tuple[Any, ...]:
    """Put what is a node's own into the record of one of its rows."""
    if not set(OF_NODE) & set(numbers):
        return record
    keys, values = record[: -len(numbers)], record[-len(numbers) :]
    return (
        *keys,
        *(
            _of_node(node, name) if name in OF_NODE else value
            for name, value in zip(numbers, values, strict=True)
        ),
    )


def _of_node(node: Node, name: str) -> float | str | None:
    trainable = node.shapes.trainable
    if name in ("trainable", "frozen") and trainable < 0:
        return None
    if name == "frozen":
        return node.parameters - trainable
    number: float | str = getattr(node.shapes if name in RECORDED else node, name)
    return number


def _key(report: Report, row: Row, lines: bool, shapes: bool) -> tuple[Any, ...]:
    signature = report.signatures[row.signature]
    phase: Phase = row.phase
    key: list[Any] = [row.scope, signature.operator, signature.verdict, signature.dtype, phase]
    if lines:
        key.append(report.line_name(row.line))
    if shapes:
        key.append(signature.shapes)
    return tuple(key)


def _number(report: Report, totals: Totals, name: str) -> float:
    """A number of totals; those that are sums are read off, as there are many rows."""
    if name in OF_NODE:
        return 0  # it is the node's: see `_with_own`
    if name in SUMMED:
        return getattr(totals, name)  # type: ignore[no-any-return]
    return METRICS[name].value(totals, report.totals)
