"""The ranks of a report, and what its rows say of them, as data that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipyflops.report.tables import Row

if TYPE_CHECKING:
    from ipyflops.report.ranks import Rank


def to_plain(ranks: Iterable[Rank]) -> list[dict[str, Any]]:
    """Give ranks as data that JSON can hold."""
    return [
        {
            "number": rank.number,
            "missing": rank.missing,
            "place": rank.place,
            "report": None if rank.report is None else rank.report.to_dict(),
        }
        for rank in ranks
    ]


def ranks(data: object) -> tuple[Rank, ...]:
    """Read what `to_plain` gave; None where there was none.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if data is None:
        return ()
    if type(data) is not list:
        raise ValueError("its ranks are no list")
    found = tuple(map(_rank, data))
    if len({rank.number for rank in found}) < len(found):
        raise ValueError("it has two ranks of one number")
    return found


def _rank(data: object) -> Rank:
    from ipyflops.report.ranks import Rank
    from ipyflops.report.serialization.reports import from_dict

    if not isinstance(data, Mapping):
        raise ValueError("it has a rank that is not whole")
    number, missing, place = data["number"], data["missing"], data["place"]
    if not _is_natural(number) or type(missing) is not str or type(place) is not str:
        raise ValueError("it has a rank whose number or texts are something else")
    report = data["report"]
    if report is not None and isinstance(report, Mapping) and report.get("ranks"):
        raise ValueError("it has ranks within a rank")
    return Rank(number, None if report is None else from_dict(report), missing, place)


#: What rows have only where several processes work together.
_COLUMNS = {"samples": "sample", "replicated": "replicated"}


def columns(rows: Iterable[Row]) -> dict[str, list[int]]:
    """Give the columns of rows that only reports of ranks have; none where all are zeros."""
    rows = list(rows)
    found = {name: [getattr(row, field) for row in rows] for name, field in _COLUMNS.items()}
    return {name: values for name, values in found.items() if any(values)}


def with_columns(rows: tuple[Row, ...], data: Mapping[str, Any]) -> tuple[Row, ...]:
    """Put what `columns` gave back into rows.

    Raises
    ------
    ValueError
        If it does not fit them.
    """
    for name, field in _COLUMNS.items():
        values = data.get(name)
        if values is None:
            continue
        if type(values) is not list or len(values) != len(rows):
            raise ValueError(f"its {name} do not fit its rows")
        if not all(map(_is_natural, values)):
            raise ValueError(f"its {name} are no whole numbers")
        rows = tuple(
            replace(row, **{field: value}) for row, value in zip(rows, values, strict=True)
        )
    if any(row.replicated > row.calls for row in rows):
        raise ValueError("it has more replicated calls than calls")
    return rows


def _is_natural(value: object) -> bool:
    return type(value) is int and value >= 0
