"""A report's timing and peak as data that JSON can hold, and back without trust in it.

Both are optional: a report without them reads and writes as it did before there were any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ipyflops.report.ceilings import Peak, Rate
from ipyflops.report.timing import Timing


def to_plain(value: Timing | Peak | None) -> dict[str, Any] | None:
    """Give either as a dictionary; tuples become lists."""
    return None if value is None else asdict(value, dict_factory=_with_lists)


def _with_lists(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in pairs}


def timing(data: object) -> Timing | None:
    """Read what `to_plain` gave for a timing.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if data is None:
        return None
    found = _checked(
        Timing,
        data,
        {
            "seconds": _times,
            "loops": _natural,
            "threads": _natural,
            "runs": _natural,
            "refusal": _text,
            "remark": _text,
            "moved": _texts,
            "restored": _switch,
        },
    )
    return Timing(**found)


def peak(data: object) -> Peak | None:
    """Read what `to_plain` gave for a peak.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if data is None:
        return None
    found = _checked(
        Peak,
        data,
        {
            "kind": _text,
            "name": _text,
            "rates": _rates,
            "bytes_per_second": _number,
            "data_sheet_bytes_per_second": _number_or_none,
        },
    )
    return Peak(**found)


def _rates(value: object) -> tuple[Rate, ...]:
    checks = {
        "dtype": _text,
        "flops_per_second": _rate,
        "data_sheet": _number_or_none,
        "mode": _text,
    }
    rates = tuple(Rate(**_checked(Rate, one, checks)) for one in _list(value))
    if not rates:
        raise ValueError("it has a peak without rates")
    return rates


def _checked(kind: type[Any], data: object, checks: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass, each checked; one that is missing has its default."""
    if not isinstance(data, Mapping):
        raise ValueError(f"it has something else where a {kind.__name__} belongs")
    names = {item.name for item in fields(kind)}
    try:
        found = {name: checks[name](data[name]) for name in names & set(data)}
        kind(**found)
    except TypeError:
        raise ValueError(f"its {kind.__name__} is not whole") from None
    return found


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise ValueError("it lacks a list in its timing or peak")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("it lacks a text in its timing or peak")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _switch(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("it lacks a switch in its timing")
    return value


def _natural(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("it has a number out of its range in its timing")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:  # type: ignore[operator]
        raise ValueError("it has a number out of its range in its timing or peak")
    return float(value)  # type: ignore[arg-type]


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _rate(value: object) -> float:
    # What is divided by it is a whole number, so less than one is as bad as none.
    rate = _number(value)
    if rate < 1:
        raise ValueError("it has a peak of nothing")
    return rate


def _times(value: object) -> tuple[float, ...]:
    return tuple(map(_number, _list(value)))
