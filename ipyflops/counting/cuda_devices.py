"""What a clock of CUDA knows of a device, of its streams, and of the calls that run there."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from ipyflops.counting.entries import Entry


class Span:
    """The events around one call, and what its time is added to.

    Attributes
    ----------
    device : str
        As ``cuda:0``.
    captured : bool
        Whether the call was not run, but became part of a graph.
    line : Line or None
        The stream that it runs on; None where it has no time.
    is_exact : bool
        Whether the device was at work until the kernel began.
    """

    __slots__ = ("captured", "device", "end", "entry", "is_exact", "line", "start")

    def __init__(self, device: str, *, captured: bool = False) -> None:
        self.device = device
        self.captured = captured
        self.line: Line | None = None
        self.start: Any = None
        self.end: Any = None
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

    __slots__ = ("busy_until", "cycles", "device", "is_gated", "last", "stream")

    def __init__(self, device: Device, cycles: int) -> None:
        self.device = device
        self.cycles = cycles
        self.is_gated = False
        self.stream: Any = torch.cuda.current_stream(device.index)
        self.last: Any = None
        self.busy_until = 0


class Device:
    """A device, as far as a clock knows it.

    Attributes
    ----------
    untimed, captured : Span
        Of all calls that have no time.
    free : list of Span
        Those that can be used again.
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
        self.free: list[Span] = []
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


def new_event() -> Any:
    """An event that tells the time."""
    events: Any = torch.cuda.Event
    return events(enable_timing=True)
