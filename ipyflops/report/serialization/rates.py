"""A report's timing and peak as data that JSON can hold, and back without trust in it.

Both are optional: a report without them reads and writes as it did before there were any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeAlias

from ipyflops.report.ceilings import Peak, Rate
from ipyflops.report.serialization.reading import Reader, ReportFormatError, Value
from ipyflops.report.timing import Timing

#: How each field of a dataclass is read.
_Fields: TypeAlias = Mapping[str, Callable[[object], Any]]


def to_plain(value: Timing | Peak | None) -> dict[str, Any] | None:
    """Give either as a dictionary; tuples become lists."""
    return None if value is None else asdict(value, dict_factory=_with_lists)


def _with_lists(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in pairs}


def timing(data: object) -> Timing | None:
    """Read what `to_plain` gave for a timing.

    Raises
    ------
    ReportFormatError
        If it is anything else.
    """
    return None if data is None else _read(Timing, data, _TIMING)


def peak(data: object) -> Peak | None:
    """Read what `to_plain` gave for a peak; errors are as for `timing`."""
    return None if data is None else _read(Peak, data, _PEAK)


def busy_share(data: object) -> float | None:
    """Read how busy a device was; errors are as for `timing`."""
    return None if data is None else _READER.number(data)


def _read(kind: type[Value], data: object, readers: _Fields) -> Value:
    """Read a dataclass; a field that is missing has its default."""
    if not isinstance(data, Mapping):
        raise ReportFormatError(f"it has something else where a {kind.__name__} belongs")
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type] # it is a dataclass
    try:
        return kind(**{name: readers[name](data[name]) for name in names & set(data)})
    except TypeError:
        raise ReportFormatError(f"its {kind.__name__} is not whole") from None


def _wrong(value: object, kind: type) -> str:
    return {
        list: "it lacks a list in its timing or peak",
        str: "it lacks a text in its timing or peak",
        bool: "it lacks a switch in its timing",
        int: "it has a number out of its range in its timing or peak",
        float: "it has a number out of its range in its timing or peak",
    }[kind]


_READER = Reader(_wrong, _wrong)


def _rate(value: object) -> float:
    # What is divided by it is a whole number, so less than one is as bad as none.
    rate = _READER.number(value)
    if rate < 1:
        raise ReportFormatError("it has a peak of nothing")
    return rate


def _rate_or_none(value: object) -> float | None:
    return None if value is None else _rate(value)


def _times(value: object) -> tuple[float, ...]:
    return tuple(map(_READER.number, _READER.items(value)))


def _rates(value: object) -> tuple[Rate, ...]:
    rates = tuple(_read(Rate, one, _RATE) for one in _READER.items(value))
    if not rates:
        raise ReportFormatError("it has a peak without rates")
    return rates


_TIMING: _Fields = {
    "seconds": _times,
    "loops": _READER.natural,
    "threads": _READER.natural,
    "runs": _READER.natural,
    "refusal": _READER.text,
    "remark": _READER.text,
    "moved": _READER.texts,
    "restored": _READER.switch,
}
_RATE: _Fields = {
    "dtype": _READER.text,
    "flops_per_second": _rate,
    "data_sheet": _rate_or_none,
    "mode": _READER.text,
}
_PEAK: _Fields = {
    "kind": _READER.text,
    "name": _READER.text,
    "rates": _rates,
    "bytes_per_second": _READER.number,
    "data_sheet_bytes_per_second": _rate_or_none,
    "cache_bytes": _READER.natural,
}
