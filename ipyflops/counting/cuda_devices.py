"""What a clock of CUDA knows of a device, of its streams, and of the calls that run there."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from ipyflops.counting.entries import Entry

#: How long a stream that has run dry is kept busy, in cycles of the device's clock: over 100 µs at
#: first, and twice as long where calls were not launched by then again and again, as on a slow CPU.
GATE_CYCLES = 250_000
MAX_GATE_CYCLES = 16 * GATE_CYCLES
#: So many more calls came too late than in time.
TOO_LATE = 3


class Span:
    """The events around one call, and what its time is added to.

    Attributes
    ----------
    device : str
        Such as ``cuda:0``.
    captured : bool
        Whether the call was not run, but became part of a graph.
    line : Line or None
        The stream that it runs on; None where it has no time.
    is_exact : bool
        Whether the device was at work until the kernel began.
    """

    __slots__ = ("captured", "device", "end", "entry", "is_exact", "line", "start")

    def __init__(
        self, device: str, start: Any = None, end: Any = None, *, captured: bool = False
    ) -> None:
        self.device = device
        self.captured = captured
        self.line: Line | None = None
        self.start = start
        self.end = end
        self.entry: Entry | None = None
        self.is_exact = True


class Line:
    """A stream, as far as a clock knows it.

    Attributes
    ----------
    last : event or None
        The one at the end of the call before.
    busy_until : int
        Until when the stream is kept busy at the least, by the CPU's clock.
    cycles : int
        How long to keep it busy when it has run dry.
    is_gated : bool
        Whether it was kept busy for the latest call.
    """

    __slots__ = ("_late", "busy_until", "cycles", "device", "is_gated", "last", "stream")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.cycles = GATE_CYCLES
        self._late = 0
        self.is_gated = False
        self.stream: Any = torch.cuda.current_stream(device.index)
        self.last: Any = None
        self.busy_until = 0

    def adapt(self, *, in_time: bool) -> None:
        """Keep it busy for longer, if calls are launched too late again and again.

        One that is late alone has loaded its kernel, or has waited for the device in some way.
        """
        self._late = max(self._late - 1, 0) if in_time else self._late + 1
        if self._late == TOO_LATE:
            self._late = 0
            self.cycles = min(2 * self.cycles, MAX_GATE_CYCLES)


class Device:
    """A device, as far as a clock knows it.

    Attributes
    ----------
    untimed, captured : Span
        Of all calls that have no time.
    spare : list of Span
        Those that can be used again, by later counts as well.
    lines : dict of int to Line
        Its streams, by their pointers.
    began : event or None
        Where the block began here.
    empty : list
        Pairs of events around nothing.
    nanoseconds, bounded_nanoseconds, block_nanoseconds : int
        Kernel time, the part of it that is an upper bound, and the time of blocks that have ended.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.name = f"cuda:{index}"
        self.untimed = Span(self.name)
        self.captured = Span(self.name, captured=True)
        self.spare = SPARE.setdefault(index, [])
        self.lines: dict[int, Line] = {}
        self.began: Any = None
        self.empty: list[tuple[Any, Any]] = []
        self.nanoseconds = self.bounded_nanoseconds = self.block_nanoseconds = 0
        self._overhead: float | None = None

    def overhead(self) -> float:
        """How many milliseconds a pair of events around nothing measures."""
        if self._overhead is None:
            if not self.empty:
                return 0.0
            self.empty[-1][1].synchronize()
            self._overhead = statistics.median(one.elapsed_time(other) for one, other in self.empty)
        return self._overhead


#: The spare spans of this process, by device: to make an event takes longer than to record one.
SPARE: dict[int, list[Span]] = {}


def new_event() -> Any:
    """An event that tells the time."""
    events: Any = torch.cuda.Event
    return events(enable_timing=True)
