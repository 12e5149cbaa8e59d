"""A report's excerpts as data that JSON can hold, and back without trust in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipyflops.report.excerpts import Excerpt, LineCount
from ipyflops.report.tables import PHASES


def to_plain(excerpts: Iterable[Excerpt]) -> list[Any]:
    """Give excerpts as lists; their counts as columns."""
    return [
        [
            one.file,
            one.name,
            one.first,
            list(one.lines),
            [
                [count.number for count in one.counts],
                [PHASES.index(count.phase) for count in one.counts],
                [count.signature for count in one.counts],
                [count.calls for count in one.counts],
                [count.nanoseconds for count in one.counts],
            ],
        ]
        for one in excerpts
    ]


def excerpts(data: object, signatures: int) -> tuple[Excerpt, ...]:
    """Read what `to_plain` gave; nothing where a report has none.

    Parameters
    ----------
    data : object
    signatures : int
        How many the report has.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    return () if data is None else tuple(_excerpt(one, signatures) for one in _list(data))


def _excerpt(record: object, signatures: int) -> Excerpt:
    values = _list(record)
    if len(values) != 5:
        raise ValueError("it has an excerpt of source code that is not whole")
    file, name, first, lines, columns = values
    table = [_list(column) for column in _list(columns)]
    if len(table) != 5 or len({len(column) for column in table}) != 1:
        raise ValueError("it has an excerpt whose columns do not fit together")
    texts = tuple(map(_text, _list(lines)))
    start = _natural(first)
    return Excerpt(
        _text(file),
        _text(name),
        start,
        texts,
        tuple(
            LineCount(
                _natural(number, start + len(texts)),
                PHASES[_natural(phase, len(PHASES))],
                _natural(signature, signatures),
                _natural(calls),
                _natural(nanoseconds),
            )
            for number, phase, signature, calls, nanoseconds in zip(*table, strict=True)
        ),
    )


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"it has a {type(value).__name__} where a list belongs")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError(f"it has a {type(value).__name__} where a str belongs")
    return value


def _natural(value: object, below: int | None = None) -> int:
    # bool is a subclass of int, and no number here may be a bool.
    if type(value) is not int or value < 0 or (below is not None and value >= below):
        raise ValueError("it has a number out of its range in an excerpt")
    return value
