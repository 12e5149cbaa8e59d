"""A report as versioned JSON, and back again without trust in what is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from ipyflops.costs.conventions import CONVENTIONS
from ipyflops.costs.cost import ZERO_COUNT, Cost, Count
from ipyflops.report.files import written_whole
from ipyflops.report.serialization import excerpts, ranks, rates
from ipyflops.report.tables import PHASES, Line, Row, Scope, ScopeKind, Signature, VerdictName

if TYPE_CHECKING:
    from ipyflops.report.report import Report

FORMAT = "ipyflops report"
VERSION = 1
#: A larger file is not a report of ours: one of 100,000 modules takes about 20 MB.
LARGEST_FILE = 512 * 1024 * 1024


class ReportFormatError(ValueError):
    """The data is not a report, is damaged, or is of a version that cannot be read."""


# --- out -----------------------------------------------------------------------------------------


def to_dict(report: Report) -> dict[str, Any]:
    """Give a report as data that JSON can hold: each table is a list of its columns."""
    data = {
        "format": FORMAT,
        "version": VERSION,
        "convention": report.convention,
        "complete": report.complete,
        "error": report.error,
        "notes": list(report.notes),
        "device": report.device,
        "timing": rates.to_plain(report.timing),
        "peak": rates.to_plain(report.peak),
        "scopes": _columns([astuple(scope) for scope in report.scopes], 6),
        "lines": _columns([astuple(line) for line in report.lines], 3),
        "signatures": [_signature_to_list(signature) for signature in report.signatures],
        "rows": _columns(
            [
                (row.scope, row.line, PHASES.index(row.phase), *astuple(row)[3:6])
                for row in report.rows
            ],
            6,
        ),
    }
    data |= ranks.columns(report.rows)
    if report.ranks:
        data["ranks"] = ranks.to_plain(report.ranks)
    if report.excerpts:
        data["excerpts"] = excerpts.to_plain(report.excerpts)
    return data


def _columns(records: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    if not records:
        return [[] for _ in range(width)]
    return [list(column) for column in zip(*records, strict=True)]


def _signature_to_list(signature: Signature) -> list[Any]:
    cost = signature.cost
    return [
        signature.operator,
        signature.dtype,
        signature.shapes,
        signature.verdict,
        signature.bytes,
        signature.summed,
        _count_to_list(cost.contraction),
        _count_to_list(cost.other),
        None if cost.article is None else _count_to_list(cost.article),
        _count_to_list(cost.integer),
        [list(pair) for pair in cost.symbols],
        cost.note,
        *([signature.communicated] if signature.communicated else ()),
    ]


def _count_to_list(count: Count) -> list[Any]:
    return [count.expression, count.value] if count != ZERO_COUNT else []


def save(report: Report, path: str | os.PathLike[str]) -> None:
    """Write a report; the file appears, or is replaced, only once it is whole."""
    with written_whole(path) as file:
        json.dump(to_dict(report), file, separators=(",", ":"), ensure_ascii=False)


# --- in ------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Report:
    """Read a file that `save` wrote.

    Raises
    ------
    ReportFormatError
        If it holds anything else.
    OSError
        If it cannot be read.
    """
    size = os.path.getsize(path)
    if size > LARGEST_FILE:
        raise ReportFormatError(f"{os.fspath(path)} has {size:,} bytes: too large for a report")
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportFormatError(f"{os.fspath(path)} is not a saved report: {error}") from None
    try:
        return from_dict(data)
    except ReportFormatError as error:
        raise ReportFormatError(f"{os.fspath(path)} is not a saved report: {error}") from None


def from_dict(data: Mapping[str, Any]) -> Report:
    """Read what `to_dict` gave, checking every value.

    Raises
    ------
    ReportFormatError
        If anything is not as `to_dict` writes it.
    """
    from ipyflops.report.report import Report

    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ReportFormatError("it lacks the mark of an ipyflops report")
    if data.get("version") != VERSION:
        raise ReportFormatError(
            f"it is of version {data.get('version')!r} and this ipyflops reads version {VERSION}; "
            "use the ipyflops that wrote it, or count again"
        )
    try:
        scopes = tuple(map(_scope, range(1 << 62), _records(data["scopes"], 6)))
        lines = tuple(
            Line(*_texts(file, text=text, number=number))
            for file, number, text in _records(data["lines"], 3)
        )
        signatures = tuple(map(_signature, _list(data["signatures"])))
        if not scopes:
            raise ReportFormatError("it has no root")
        rows = tuple(
            _row(record, len(scopes), len(lines), len(signatures))
            for record in _records(data["rows"], 6)
        )
        rows = ranks.with_columns(rows, data)
        return Report(
            scopes=scopes,
            lines=lines,
            signatures=signatures,
            rows=rows,
            convention=_one_of(data["convention"], CONVENTIONS),
            complete=_of(data["complete"], bool),
            error=_of(data["error"], str),
            notes=tuple(_of(note, str) for note in _list(data["notes"])),
            # These came later: an older report lacks them.
            device=_of(data.get("device", "cpu"), str),
            timing=rates.timing(data.get("timing")),
            peak=rates.peak(data.get("peak")),
            ranks=ranks.ranks(data.get("ranks")),
            excerpts=excerpts.excerpts(data.get("excerpts"), len(signatures)),
        )
    except KeyError as error:
        raise ReportFormatError(f"it lacks {error.args[0]!r}") from None
    except ReportFormatError:
        raise
    except ValueError as error:
        raise ReportFormatError(str(error)) from None


Value = TypeVar("Value")


def _of(value: object, kind: type[Value]) -> Value:
    # bool is a subclass of int, and no number here may be a bool.
    if type(value) is not kind:
        raise ReportFormatError(f"it has {_short(value)} where a {kind.__name__} belongs")
    return value


def _list(value: object) -> list[Any]:
    return _of(value, list)


def _one_of(value: object, choices: Sequence[Value]) -> Value:
    for choice in choices:
        if value == choice:
            return choice
    raise ReportFormatError(
        f"it has {_short(value)} where one of {', '.join(map(str, choices))} belongs"
    )


def _short(value: object) -> str:
    text = (
        repr(value)
        if isinstance(value, (str, int, float, bool, type(None)))
        else (f"a {type(value).__name__}")
    )
    return text if len(text) <= 60 else f"{text[:57]}…"


def _natural(value: object, below: int | None = None, least: int = 0) -> int:
    number = _of(value, int)
    if number < least or (below is not None and number >= below):
        raise ReportFormatError(f"it has the number {_short(number)} out of its range")
    return number


def _records(columns: object, width: int) -> list[tuple[Any, ...]]:
    table = [_list(column) for column in _list(columns)]
    if len(table) != width or len({len(column) for column in table}) != 1:
        raise ReportFormatError("it has a table whose columns do not fit together")
    return list(zip(*table, strict=True))


def _scope(index: int, record: tuple[Any, ...]) -> Scope:
    parent, name, kind_name, kind, calls, parameters = record
    return Scope(
        parent=_natural(parent, below=max(index, 0), least=0) if index else _natural(parent, 0, -1),
        name=_of(name, str),
        type=_of(kind_name, str),
        kind=_one_of(kind, get_args(ScopeKind)),
        calls=_natural(calls),
        parameters=_natural(parameters),
    )


def _texts(file: object, *, number: object, text: object) -> tuple[str, int, str]:
    return _of(file, str), _natural(number), _of(text, str)


def _signature(record: object) -> Signature:
    values = _list(record)
    if len(values) not in (12, 13):
        raise ReportFormatError("it has a signature that is not whole")
    operator, dtype, shapes, verdict, size, summed = values[:6]
    contraction, other, article, integer, symbols, note = values[6:12]
    return Signature(
        operator=_of(operator, str),
        dtype=_of(dtype, str),
        shapes=_of(shapes, str),
        verdict=_one_of(verdict, get_args(VerdictName)),
        cost=Cost(
            contraction=_count(contraction),
            other=_count(other),
            article=None if article is None else _count(article),
            integer=_count(integer),
            symbols=tuple(map(_symbol, _list(symbols))),
            note=_of(note, str),
        ),
        bytes=_natural(size),
        summed=_of(summed, bool),
        communicated=_natural(values[12]) if len(values) > 12 else 0,
    )


def _count(record: object) -> Count:
    values = _list(record)
    if not values:
        return ZERO_COUNT
    if len(values) != 2:
        raise ReportFormatError("it has a count that is not whole")
    return Count(_of(values[0], str), _natural(values[1]))


def _symbol(record: object) -> tuple[str, int]:
    values = _list(record)
    if len(values) != 2:
        raise ReportFormatError("it has a symbol that is not whole")
    return _of(values[0], str), _of(values[1], int)


def _row(record: tuple[Any, ...], scopes: int, lines: int, signatures: int) -> Row:
    scope, line, phase, signature, calls, nanoseconds = record
    return Row(
        scope=_natural(scope, scopes),
        line=_natural(line, lines, least=-1),
        phase=PHASES[_natural(phase, len(PHASES))],
        signature=_natural(signature, signatures),
        calls=_natural(calls),
        nanoseconds=_natural(nanoseconds),
    )
