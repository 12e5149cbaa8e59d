"""The section on memory of the HTML: what the peaks of devices were made of, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import DeviceMemory, Report
from ipyflops.units import percent, scaled
from ipyflops.views.html.parts import Html, bars_svg, chart_row, joined, tag, text
from ipyflops.views.rows.memory import (
    KIND_COLORS,
    KIND_MEANINGS,
    MemoryRow,
    allocator_words,
    holder_rows,
    kind_rows,
    place_of_peak,
)

#: Places that are named at most, for each device.
MAX_HOLDERS = 20
#: The length of a bar of the whole peak, in the units of its SVG.
LENGTH = 1000


def memory_html(report: Report, most: int) -> Html:
    """What held memory, in so many rows of places at most."""
    memory = report.memory
    assert memory is not None
    return joined([part for device in memory.devices for part in _device(report, device, most)])


def _device(report: Report, device: DeviceMemory, most: int) -> list[Html]:
    peak = f"Peak of {device.name}: {scaled(device.peak, 'B')}{place_of_peak(report, device)}"
    words = allocator_words(device)
    return [
        tag("p", tag("strong", text(peak))),
        *([tag("p", text(words))] if words else []),
        _rows(kind_rows(device), with_meaning=True),
        tag("p", text("Made by")),
        _rows(holder_rows(report, device, max(most, 2)), with_meaning=False),
    ]


def _rows(rows: Sequence[MemoryRow], *, with_meaning: bool) -> Html:
    return tag("div", *(_row(row, with_meaning) for row in rows), class_="f-chart")


def _row(row: MemoryRow, with_meaning: bool) -> Html:
    bar = tag("rect", x="0", width=f"{LENGTH * row.share:.1f}", height="10", fill=_color(row))
    what = KIND_MEANINGS[row.kind] if with_meaning else row.kind
    said = [scaled(row.bytes, "B"), percent(row.share), *([] if row.is_rest else [what])]
    amount = " · ".join(said)
    return chart_row(row.name, bars_svg(LENGTH, 10, [bar]), amount)


def _color(row: MemoryRow) -> str:
    return KIND_COLORS[row.kind]
