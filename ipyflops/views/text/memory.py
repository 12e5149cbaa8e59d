"""The section on memory of the text: what the peak was made of, and who made that."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Report
from ipyflops.units import percent, scaled
from ipyflops.views.rows.memory import (
    MemoryRow,
    allocator_words,
    holder_rows,
    kind_rows,
    place_of_peak,
)
from ipyflops.views.text.tables import Column, Flexible, Line, bar, plain_cells, table

#: Places that are named for each device.
MAX_HOLDERS = 8
BAR = 12


def memory_lines(report: Report, width: int) -> list[Line]:
    """The lines of the section; none where memory was not asked for."""
    lines: list[Line] = []
    if report.memory is None:
        return lines
    for device in report.memory.devices:
        peak = f"peak of {device.name} {scaled(device.peak, 'B')}{place_of_peak(report, device)}"
        lines += [Line(""), Line(peak)]
        words = allocator_words(device)
        lines += [Line(words)] if words else []
        kinds, holders = kind_rows(device), holder_rows(report, device, MAX_HOLDERS)
        lines += [Line(""), *_table("live at the peak", kinds, width)]
        lines += [Line(""), *_table("made by", holders, width, with_kind=True)]
    return lines


def _table(
    title: str, rows: Sequence[MemoryRow], width: int, *, with_kind: bool = False
) -> list[Line]:
    columns: list[Column | Flexible] = [
        plain_cells(title, [row.name for row in rows], [""] * len(rows), least=16, middle=True),
        Column("bytes", [scaled(row.bytes, "B") for row in rows], 9),
        Column("share", [bar(row.share, BAR) for row in rows], 3, right=False),
        Column("", [percent(row.share) for row in rows], 8, gap=1),
    ]
    if with_kind:
        columns.append(
            Column("kind", ["" if row.is_rest else row.kind for row in rows], 7, right=False)
        )
    return table(columns, width)
