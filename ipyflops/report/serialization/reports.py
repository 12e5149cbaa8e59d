"""A report as versioned JSON, and back again without trust in what is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any, get_args

from ipyflops.costs import CONVENTIONS, ZERO_COUNT, Cost, Count
from ipyflops.report.files import read_bounded, written_whole
from ipyflops.report.run import AnyRun, Run
from ipyflops.report.serialization import excerpts, memory, module_shapes, ranks, rates
from ipyflops.report.serialization.reading import (
    MAX_NUMBER,
    Reader,
    ReportFormatError,
    Value,
    whole_characters,
)
from ipyflops.report.tables import PHASES, Line, Row, Scope, ScopeKind, Signature, VerdictName

FORMAT = "ipyflops report"
#: The second has what held memory. A report without that is written as the first, so that an
#: older ipyflops reads it.
VERSION, VERSION_WITH_MEMORY = 1, 2
#: A larger file is not a report of ours: one of 100,000 modules takes some 20 MB, 4 million values
#: and at most a million lists. Read into Python, a value or a list takes up to 25 times its text.
MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_VALUES = 10_000_000
MAX_LISTS = 4_000_000


# --- out -----------------------------------------------------------------------------------------


def to_dict(report: Run) -> dict[str, Any]:
    """Return a report as data that JSON can hold: each table is a list of its columns."""
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
        "scopes": _columns([astuple(scope)[:6] for scope in report.scopes], 6),
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
    if any(scope.instances != 1 for scope in report.scopes):
        data["instances"] = [scope.instances for scope in report.scopes]
    data |= module_shapes.columns(report.scopes, report.signatures)
    if report.ranks:
        data["ranks"] = ranks.to_plain(report.ranks, to_dict)
    if report.busy_share is not None:
        data["busy_share"] = report.busy_share
    if report.memory is not None:
        data |= {"version": VERSION_WITH_MEMORY, "memory": memory.to_plain(report.memory)}
    if report.excerpts:
        data["excerpts"] = excerpts.to_plain(report.excerpts)
    plain: dict[str, Any] = _whole(data)
    return plain


def _whole(value: Any) -> Any:
    """Make whole characters of all texts in a value; columns of numbers stay as they are."""
    if isinstance(value, str):
        return value if value.isascii() else whole_characters(value)
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


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
        *_seldom(signature.communicated, cost.integer_macs),
    ]


def _seldom(*numbers: int) -> list[int]:
    """Numbers at the end of a record that are mostly zero: without the zeros behind the last."""
    listed = list(numbers)
    while listed and not listed[-1]:
        listed.pop()
    return listed


def _count_to_list(count: Count) -> list[Any]:
    return [count.expression, count.value] if count != ZERO_COUNT else []


def save(report: Run, path: str | os.PathLike[str]) -> None:
    """Write a report; the file appears, or is replaced, only once it is whole.

    Raises
    ------
    ReportFormatError
        If it holds a number that is too large to be read again.
    """
    data = to_dict(report)
    _check_numbers(data)
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    with written_whole(path) as file:
        file.write(text)


def _check_numbers(data: object) -> None:
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(one for one in value if isinstance(one, (list, dict)))
            if max((abs(one) for one in value if type(one) is int), default=0) >= MAX_NUMBER:
                raise ReportFormatError(
                    "a number of this report is too large to be saved: it has more than 100 digits"
                )
        elif type(value) is int and abs(value) >= MAX_NUMBER:
            waiting.append([value])


# --- in ------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str], kind: type[AnyRun]) -> AnyRun:
    """Read a file that `save` wrote.

    Parameters
    ----------
    path : str or path-like
    kind : type
        What to make of it, as `Report`.

    Raises
    ------
    ReportFormatError
        If it holds anything else.
    OSError
        If it cannot be read, or is no regular file.
    """
    content = read_bounded(path, MAX_FILE_BYTES)
    try:
        return from_dict(_parsed(content), kind)
    except (ValueError, RecursionError) as error:
        raise ReportFormatError(f"{os.fspath(path)} is not a saved report: {error}") from None


def _parsed(content: bytes | None) -> Any:
    """What JSON holds; nothing of it is made if it is too much."""
    if content is None:
        raise ReportFormatError(f"with more than {MAX_FILE_BYTES:,} bytes it is too large")
    lists = content.count(b"[") + content.count(b"{")
    if lists > MAX_LISTS or lists + content.count(b",") > MAX_VALUES:
        raise ReportFormatError("it has more lists or values than a report")
    return json.loads(content.decode("utf-8"))


def from_dict(data: Mapping[str, Any], kind: type[AnyRun]) -> AnyRun:
    """Read what `to_dict` gave, checking every value.

    Parameters
    ----------
    data : mapping
    kind : type
        What to make of it, as `Report`.

    Raises
    ------
    ReportFormatError
        If anything is not as `to_dict` writes it.
    """
    value: object = data  # what a file holds can be anything
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise ReportFormatError("it lacks the mark of an ipyflops report")
    if data.get("version") not in (VERSION, VERSION_WITH_MEMORY):
        raise ReportFormatError(
            f"it is of version {data.get('version')!r} and this ipyflops reads versions {VERSION} "
            f"and {VERSION_WITH_MEMORY}; "
            "use the ipyflops that wrote it, or count again"
        )
    try:
        scopes = _with_instances(
            tuple(map(_scope, range(1 << 62), _records(data["scopes"], 6))), data.get("instances")
        )
        lines = tuple(map(_line, _records(data["lines"], 3)))
        scopes = module_shapes.with_shapes(scopes, data)
        signatures = module_shapes.with_activations(
            tuple(map(_signature, _READER.items(data["signatures"]))), data
        )
        if not scopes:
            raise ReportFormatError("it has no root")
        rows = tuple(
            _row(record, len(scopes), len(lines), len(signatures))
            for record in _records(data["rows"], 6)
        )
        return kind(
            scopes=scopes,
            lines=lines,
            signatures=signatures,
            rows=ranks.with_columns(rows, data),
            convention=_one_of(data["convention"], CONVENTIONS),
            complete=_READER.switch(data["complete"]),
            error=_READER.text(data["error"]),
            notes=_READER.texts(data["notes"]),
            # These came later: an older report lacks them.
            device=_READER.text(data.get("device", "cpu")),
            timing=rates.timing(data.get("timing")),
            peak=rates.peak(data.get("peak")),
            ranks=ranks.ranks(data.get("ranks"), lambda rank: from_dict(rank, kind)),
            excerpts=excerpts.excerpts(data.get("excerpts"), len(signatures)),
            memory=memory.memory(data.get("memory"), len(scopes), len(lines)),
            busy_share=rates.busy_share(data.get("busy_share")),
        )
    except KeyError as error:
        raise ReportFormatError(f"it lacks {error.args[0]!r}") from None
    except ReportFormatError:
        raise
    except ValueError as error:
        raise ReportFormatError(str(error)) from None


def _wrong_type(value: object, kind: type) -> str:
    return f"it has {_short(value)} where a {kind.__name__} belongs"


def _out_of_range(value: object, kind: type) -> str:
    return f"it has the number {_short(value)} out of its range"


_READER = Reader(_wrong_type, _out_of_range)


def _one_of(value: object, choices: Sequence[Value]) -> Value:
    for choice in choices:
        if value == choice:
            return choice
    raise ReportFormatError(
        f"it has {_short(value)} where one of {', '.join(map(str, choices))} belongs"
    )


def _short(value: object) -> str:
    plain = isinstance(value, (str, int, float, bool, type(None)))
    text = repr(value) if plain else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _records(columns: object, width: int) -> Sequence[tuple[Any, ...]]:
    return _READER.columns(columns, width, "it has a table whose columns do not fit together")


def _scope(index: int, record: tuple[Any, ...]) -> Scope:
    parent, name, kind_name, kind, calls, parameters = record
    return Scope(
        # The root has no parent; every other scope stands after its own.
        parent=_READER.natural(parent, index) if index else _READER.natural(parent, 0, -1),
        name=_READER.text(name),
        type=_READER.text(kind_name),
        kind=_one_of(kind, get_args(ScopeKind)),
        calls=_READER.natural(calls),
        parameters=_READER.natural(parameters),
    )


def _with_instances(scopes: tuple[Scope, ...], instances: object) -> tuple[Scope, ...]:
    """Put in for how many modules each scope stands; one each where that is not said."""
    if instances is None:
        return scopes
    if type(instances) is not list or len(instances) != len(scopes):
        raise ReportFormatError("its instances do not fit its scopes")
    return tuple(
        replace(scope, instances=_READER.natural(number))
        for scope, number in zip(scopes, instances, strict=True)
    )


def _line(record: tuple[Any, ...]) -> Line:
    file, number, text = record
    return Line(_READER.text(file), _READER.natural(number), _READER.text(text))


def _signature(record: object) -> Signature:
    values = _READER.items(record)
    if len(values) not in (12, 13, 14):
        raise ReportFormatError("it has a signature that is not whole")
    operator, dtype, shapes, verdict, size, summed = values[:6]
    contraction, other, article, integer, symbols, note = values[6:12]
    return Signature(
        operator=_READER.text(operator),
        dtype=_READER.text(dtype),
        shapes=_READER.text(shapes),
        verdict=_one_of(verdict, get_args(VerdictName)),
        cost=Cost(
            contraction=_count(contraction),
            other=_count(other),
            article=None if article is None else _count(article),
            integer=_count(integer),
            symbols=tuple(map(_symbol, _READER.items(symbols))),
            note=_READER.text(note),
            integer_macs=_READER.natural(values[13]) if len(values) > 13 else 0,
        ),
        bytes=_READER.natural(size),
        summed=_READER.switch(summed),
        communicated=_READER.natural(values[12]) if len(values) > 12 else 0,
    )


def _count(record: object) -> Count:
    values = _READER.items(record)
    if not values:
        return ZERO_COUNT
    if len(values) != 2:
        raise ReportFormatError("it has a count that is not whole")
    return Count(_READER.text(values[0]), _READER.natural(values[1]))


def _symbol(record: object) -> tuple[str, int]:
    values = _READER.items(record)
    if len(values) != 2:
        raise ReportFormatError("it has a symbol that is not whole")
    return _READER.text(values[0]), _READER.natural(values[1], least=-MAX_NUMBER)


def _row(record: tuple[Any, ...], scopes: int, lines: int, signatures: int) -> Row:
    scope, line, phase, signature, calls, nanoseconds = record
    return Row(
        scope=_READER.natural(scope, scopes),
        line=_READER.natural(line, lines, least=-1),
        phase=PHASES[_READER.natural(phase, len(PHASES))],
        signature=_READER.natural(signature, signatures),
        calls=_READER.natural(calls),
        nanoseconds=_READER.natural(nanoseconds),
    )
