"""A report's memory as data that JSON can hold, and back without trust in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipyflops.report.memory import (
    MEMORY_KINDS,
    DeviceMemory,
    Holding,
    Memory,
    MemoryPoint,
    PlaceMemory,
)
from ipyflops.report.serialization.reading import Reader, ReportFormatError
from ipyflops.report.tables import PHASES


def to_plain(memory: Memory) -> dict[str, Any]:
    """Give memory as data that JSON can hold: each table is a list of its columns."""
    return {
        "devices": [_device_to_plain(device) for device in memory.devices],
        "places": _columns(memory.places, 4),
    }


def _device_to_plain(device: DeviceMemory) -> dict[str, Any]:
    return {
        "name": device.name,
        "operator": device.operator,
        "number": device.number,
        "scope": device.scope,
        "line": device.line,
        "phase": PHASES.index(device.phase),
        "allocator_peak": device.allocator_peak,
        "holdings": _columns(
            [
                (
                    one.scope,
                    one.line,
                    PHASES.index(one.phase),
                    MEMORY_KINDS.index(one.kind),
                    one.bytes,
                    one.storages,
                    int(one.existed),
                )
                for one in device.holdings
            ],
            7,
        ),
        "curve": _columns(
            [(one.operator, one.bytes, PHASES.index(one.phase)) for one in device.curve], 3
        ),
    }


def _columns(records: Any, width: int) -> list[list[int]]:
    return [list(column) for column in zip(*records, strict=True)] or [[] for _ in range(width)]


def memory(data: object, scopes: int, lines: int) -> Memory | None:
    """Read what `to_plain` gave; None where a report has none.

    Parameters
    ----------
    data : object
    scopes, lines : int
        How many the report has.

    Raises
    ------
    ReportFormatError
        If it is anything else, or names a scope or a line that is not there.
    """
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ReportFormatError("its memory is not whole")
    places = tuple(
        PlaceMemory(*map(_READER.natural, record)) for record in _records(data["places"], 4)
    )
    if len(places) > scopes:
        raise ReportFormatError("its memory has more places than there are")
    devices = tuple(_device(one, scopes, lines) for one in _READER.items(data["devices"]))
    if len({device.name for device in devices}) < len(devices):
        raise ReportFormatError("it has the memory of one device twice")
    return Memory(devices, places)


def _device(data: object, scopes: int, lines: int) -> DeviceMemory:
    if not isinstance(data, Mapping):
        raise ReportFormatError("it has the memory of a device that is not whole")
    holdings = tuple(_holding(record, scopes, lines) for record in _records(data["holdings"], 7))
    allocator = data["allocator_peak"]
    return DeviceMemory(
        _READER.text(data["name"]),
        sum(holding.bytes for holding in holdings),
        operator=_READER.text(data["operator"]),
        number=_READER.natural(data["number"]),
        scope=_READER.natural(data["scope"], scopes),
        line=_READER.natural(data["line"], lines, least=-1),
        phase=PHASES[_READER.natural(data["phase"], len(PHASES))],
        holdings=holdings,
        curve=tuple(
            MemoryPoint(
                _READER.natural(operator),
                _READER.natural(live),
                PHASES[_READER.natural(phase, len(PHASES))],
            )
            for operator, live, phase in _records(data["curve"], 3)
        ),
        allocator_peak=None if allocator is None else _READER.natural(allocator),
    )


def _holding(record: tuple[Any, ...], scopes: int, lines: int) -> Holding:
    scope, line, phase, kind, size, storages, existed = record
    return Holding(
        _READER.natural(scope, scopes),
        _READER.natural(line, lines, least=-1),
        PHASES[_READER.natural(phase, len(PHASES))],
        MEMORY_KINDS[_READER.natural(kind, len(MEMORY_KINDS))],
        _READER.natural(size),
        _READER.natural(storages),
        bool(_READER.natural(existed, 2)),
    )


def _records(columns: object, width: int) -> Any:
    return _READER.columns(columns, width, "its memory has a table whose columns do not fit")


def _wrong_type(value: object, kind: type) -> str:
    return f"its memory has a {type(value).__name__} where a {kind.__name__} belongs"


def _out_of_range(value: object, kind: type) -> str:
    return "its memory has a number out of its range"


_READER = Reader(_wrong_type, _out_of_range)
