"""The ranks of a report, and what its rows say of them, as data that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ipyflops.report.run import AnyRun, Rank
from ipyflops.report.serialization.reading import ReportFormatError, is_natural, is_text
from ipyflops.report.tables import Row


def to_plain(
    ranks: Iterable[Rank[AnyRun]], to_dict: Callable[[AnyRun], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Give ranks as data that JSON can hold; `to_dict` does that for their reports."""
    return [
        {
            "number": rank.number,
            "missing": rank.missing,
            "place": rank.place,
            "report": None if rank.report is None else to_dict(rank.report),
        }
        for rank in ranks
    ]


def ranks(data: object, from_dict: Callable[[Any], AnyRun]) -> tuple[Rank[AnyRun], ...]:
    """Read what `to_plain` gave; None where there was none.

    Parameters
    ----------
    data : object
    from_dict : callable
        Reads the report of a rank.

    Raises
    ------
    ReportFormatError
        If it is no list of ranks, or if a rank has ranks itself.
    """
    if data is None:
        return ()
    if type(data) is not list:
        raise ReportFormatError("its ranks are no list")
    read = tuple(_rank(rank, from_dict) for rank in data)
    if len({rank.number for rank in read}) < len(read):
        raise ReportFormatError("it has two ranks of one number")
    return read


def _rank(data: object, from_dict: Callable[[Any], AnyRun]) -> Rank[AnyRun]:
    if not isinstance(data, Mapping):
        raise ReportFormatError("it has a rank that is not whole")
    number, missing, place = data["number"], data["missing"], data["place"]
    if not is_natural(number) or not is_text(missing) or not is_text(place):
        raise ReportFormatError("it has a rank whose number or texts are something else")
    report = data["report"]
    if isinstance(report, Mapping) and report.get("ranks"):
        raise ReportFormatError("it has ranks within a rank")
    return Rank(number, None if report is None else from_dict(report), missing, place)


#: What rows have only where several processes work together.
_COLUMNS = {"samples": "sample", "replicated": "replicated"}


def columns(rows: Iterable[Row]) -> dict[str, list[int]]:
    """Return the columns of rows that only reports of ranks have; none where all are zeros."""
    rows = list(rows)
    all_values = {name: [getattr(row, field) for row in rows] for name, field in _COLUMNS.items()}
    return {name: values for name, values in all_values.items() if any(values)}


def with_columns(rows: tuple[Row, ...], data: Mapping[str, Any]) -> tuple[Row, ...]:
    """Put what `columns` gave back into rows.

    Raises
    ------
    ReportFormatError
        If it does not fit them.
    """
    for name, field in _COLUMNS.items():
        values = data.get(name)
        if values is None:
            continue
        if type(values) is not list or len(values) != len(rows):
            raise ReportFormatError(f"its {name} do not fit its rows")
        if not all(map(is_natural, values)):
            raise ReportFormatError(f"its {name} are no whole numbers")
        rows = tuple(
            replace(row, **{field: value}) for row, value in zip(rows, values, strict=True)
        )
    if any(row.replicated > row.calls for row in rows):
        raise ReportFormatError("it has more replicated calls than calls")
    return rows
