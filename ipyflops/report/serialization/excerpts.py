"""A report's excerpts as data that JSON can hold, and back without trust in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipyflops.report.excerpts import Excerpt, LineCount
from ipyflops.report.serialization.reading import Reader, ReportFormatError
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
    ReportFormatError
        If it is no list of excerpts, or if a count is of a line or a signature that is not there.
    """
    if data is None:
        return ()
    return tuple(_excerpt(one, signatures) for one in _READER.items(data))


def _wrong_type(value: object, kind: type) -> str:
    if kind is int:
        return _out_of_range(value, kind)
    return f"it has a {type(value).__name__} where a {kind.__name__} belongs"


def _out_of_range(value: object, kind: type) -> str:
    return "it has a number out of its range in an excerpt"


_READER = Reader(_wrong_type, _out_of_range)


def _excerpt(record: object, signatures: int) -> Excerpt:
    values = _READER.items(record)
    if len(values) != 5:
        raise ReportFormatError("it has an excerpt of source code that is not whole")
    file, name, first, lines, columns = values
    counts = _READER.columns(columns, 5, "it has an excerpt whose columns do not fit together")
    texts = _READER.texts(lines)
    start = _READER.natural(first)
    return Excerpt(
        _READER.text(file),
        _READER.text(name),
        start,
        texts,
        tuple(
            LineCount(
                _READER.natural(number, start + len(texts)),
                PHASES[_READER.natural(phase, len(PHASES))],
                _READER.natural(signature, signatures),
                _READER.natural(calls),
                _READER.natural(nanoseconds),
            )
            for number, phase, signature, calls, nanoseconds in counts
        ),
    )
