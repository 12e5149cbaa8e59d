"""What is shown of memory: where the peak stood, what it was made of, and who made that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ipyflops.report import DeviceMemory, MemoryKind, Node, Report
from ipyflops.units import percent, scaled
from ipyflops.views.rows.headline_item import HeadlineItem
from ipyflops.views.rows.visible import visible

#: The colours of the kinds, those of the phases where a kind belongs to one.
KIND_COLORS: dict[MemoryKind, str] = {
    "parameters": "#4c72b0",
    "gradients": "#dd8452",
    "optimizer state": "#55a868",
    "activations": "#c44e52",
    "temporaries": "#937860",
    "inputs": "#8172b3",
    "other": "#8c8c8c",
}
KIND_MEANINGS: dict[MemoryKind, str] = {
    "parameters": "of modules",
    "gradients": "of parameters: what a backward pass made and left",
    "optimizer state": "what the optimizer's step made and left",
    "activations": "made in the forward, and saved for the backward",
    "temporaries": "made and freed again",
    "inputs": "there before, or made outside of modules",
    "other": "buffers, results, and whatever else was kept",
}


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A part of what was live at the peak; each text is safe to show.

    Attributes
    ----------
    name : str
        A kind, or a place and a line with the kind of what was made there.
    bytes : int
    share : float
        Of the peak.
    kind : str
    storages : int
        How many storages it is; 0 where that is not asked.
    is_rest : bool
        Whether it sums up smaller ones, of any kind.
    """

    name: str
    bytes: int
    share: float
    kind: MemoryKind
    storages: int = 0
    is_rest: bool = False


def memory_items(report: Report) -> list[HeadlineItem]:
    """The item of the headline: ``peak 3.2 GB (activations 61 %)``."""
    memory = report.memory
    if memory is None or not memory.peak:
        return []
    where = f" on {visible(memory.device.name)}" if len(memory.devices) > 1 else ""
    kind, most = max(memory.at_peak.items(), key=lambda item: item[1])
    return [
        HeadlineItem(
            f"peak {scaled(memory.peak, 'B')}{where} ({kind} {percent(most / memory.peak)})",
            f"{memory.peak:,} bytes of tensors were live at once, the most of the run"
            f"{place_of_peak(report, memory.device)}. Kernels' own workspaces, and what the "
            "allocator rounds up, come on top.",
        )
    ]


def place_of_peak(report: Report, device: DeviceMemory) -> str:
    """Where the peak stood, as `` at aten::mm in model.fc, In[3]:2 (backward)``."""
    if not device.operator:
        return ", before the first operator" if not device.number else ""
    parts = f" at {visible(device.operator)}"
    path = _paths(report).get(device.scope, "")
    if path:
        parts += f" in {visible(path)}"
    if device.line >= 0:
        line = visible(report.line_name(device.line))
        parts += f", {line}" if line != path else ""
    return f"{parts} ({device.phase})"


def kind_rows(device: DeviceMemory) -> list[MemoryRow]:
    """What was live at the peak, by kind."""
    return [
        MemoryRow(kind, size, size / device.peak if device.peak else 0.0, kind)
        for kind, size in device.at_peak.items()
    ]


def holder_rows(report: Report, device: DeviceMemory, most: int) -> list[MemoryRow]:
    """What was live at the peak, by the place and line that made it; the most bytes first.

    The last row sums up what is left out.
    """
    paths = _paths(report)
    sums: dict[tuple[str, MemoryKind], list[int]] = defaultdict(lambda: [0, 0])
    for one in device.holdings:
        name = paths.get(one.scope, "")
        line = report.line_name(one.line) if one.line >= 0 else ""
        where = visible(" ".join(dict.fromkeys(part for part in (name, line) if part)))
        key = f"{where or '(outside)'}{', before' if one.existed else ''}"
        sums[key, one.kind][0] += one.bytes
        sums[key, one.kind][1] += one.storages
    whole = device.peak or 1
    rows = [
        MemoryRow(name, size, size / whole, kind, storages)
        for (name, kind), (size, storages) in sums.items()
    ]
    rows.sort(key=lambda row: -row.bytes)
    if len(rows) <= most:
        return rows
    left = rows[most - 1 :]
    size = sum(row.bytes for row in left)
    rest = MemoryRow(
        f"{len(left)} more",
        size,
        size / whole,
        "other",
        sum(row.storages for row in left),
        is_rest=True,
    )
    return [*rows[: most - 1], rest]


def memory_words(report: Report, most: int = 8) -> list[str]:
    """What is said of the peaks beside their chart, a paragraph each."""
    words: list[str] = []
    for device in report.memory.devices if report.memory is not None else ():
        words.append(
            f"Peak of {visible(device.name)}: {scaled(device.peak, 'B')}"
            f"{place_of_peak(report, device)}"
        )
        words += filter(None, [allocator_words(device)])
        words += [
            f"{scaled(row.bytes, 'B')} ({percent(row.share)}) "
            + (f"{row.kind} · {row.name}" if not row.is_rest else row.name)
            for row in holder_rows(report, device, most)
        ]
    return words


def allocator_words(device: DeviceMemory) -> str:
    """What PyTorch's allocator says beside it; empty where it says nothing."""
    if device.allocator_peak is None:
        return ""
    more = device.allocator_peak - device.peak
    return (
        f"PyTorch's allocator: {scaled(device.allocator_peak, 'B')} at its peak, "
        f"{scaled(abs(more), 'B')} {'more' if more >= 0 else 'less'} "
        "(rounding, workspaces, and what the run did not touch)"
    )


def _paths(report: Report) -> dict[int, str]:
    nodes: list[Node] = list(report.walk())
    return {node.scope: node.path for node in nodes}
