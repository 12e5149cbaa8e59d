"""How long an operator's kernel runs: by the clock on a CPU, by events on a GPU.

`device_clocks` has the clocks of other accelerators, and says which one a count takes.

A CPU's kernel has run when its call returns. A GPU's has only been asked to: so two events are
recorded on the stream around the call, and read once the GPU is past them. Nothing waits for the
GPU while the code runs, unless too many calls (`MAX_PENDING`) have not been read yet.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ipyflops.counting.entries import Entry

#: Gives nanoseconds; of two readings, the difference is kernel time on a CPU.
now = time.perf_counter_ns
#: Calls on a GPU whose events have not been read yet.
MAX_PENDING = 8192


def stopped() -> int:
    """The clock of a count that keeps no time."""
    return 0


class Span:
    """The events around one call, and what its time is added to."""

    __slots__ = ("device", "end", "entry", "start", "stream")

    def __init__(self, device: int, *, timed: bool = True) -> None:
        self.device = device
        if timed:
            events: Any = torch.cuda.Event
            self.start = events(enable_timing=True)
            self.end = events(enable_timing=True)
        self.stream: Any = None
        self.entry: Entry | None = None


#: Of a call before CUDA is set up: on fake tensors, or the one that sets it up, which takes long.
BEFORE_CUDA = Span(-1, timed=False)


class CudaClock:
    """Takes the time of calls on CUDA (or ROCm) devices.

    For each call: `begin`, the call itself, `end`, and `keep` with what its time belongs to.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[Span]] = {}
        self._pending: deque[Span] = deque()
        self._lock = threading.Lock()
        #: Calls by device.
        self.calls: Tally[int] = Tally()

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Span | None:
        """Mark the beginning of a call; None if it does not run on a GPU."""
        device = _device_of(args)
        if device is None and kwargs:
            device = _device_of(kwargs.values())
        if device is None:
            return None
        if not torch.cuda.is_initialized():
            return BEFORE_CUDA
        self.calls[device] += 1
        free = self._free.get(device)
        span = free.pop() if free else Span(device)
        cuda: Any = torch.cuda
        if cuda.is_current_stream_capturing():
            # What a graph captures does not run now, and has no time.
            span.stream = None
            return span
        span.stream = cuda.current_stream(device)
        span.start.record(span.stream)
        return span

    def end(self, span: Span) -> None:
        """Mark the end of a call."""
        if span.stream is not None:
            span.end.record(span.stream)

    def keep(self, span: Span, entry: Entry) -> None:
        """Have the call's time added to an entry, once it is known."""
        if span.stream is None:
            if span is not BEFORE_CUDA:
                self._give_back(span)
            return
        span.entry = entry
        self._pending.append(span)
        if len(self._pending) >= MAX_PENDING:
            with self._lock:
                self._make_room()

    def resolve(self) -> None:
        """Wait for the devices, and add up all times."""
        with self._lock:
            while self._pending:
                self._read(wait=True)

    @property
    def device(self) -> str | None:
        """The device with the most calls, as ``cuda:0``; None if none had any."""
        return f"cuda:{self.calls.most_common(1)[0][0]}" if self.calls else None

    def _make_room(self) -> None:
        """Read the events that the GPU is past; if too few are, wait for the older half."""
        while self._pending and self._read(wait=False):
            pass
        while len(self._pending) > MAX_PENDING // 2:
            self._read(wait=True)

    def _read(self, wait: bool) -> bool:
        """Read the oldest events; False if the GPU is not past them and `wait` is not set."""
        span = self._pending[0]
        if wait:
            span.end.synchronize()
        elif not span.end.query():
            return False
        self._pending.popleft()
        entry = span.entry
        if entry is not None:
            nanoseconds = round(span.start.elapsed_time(span.end) * 1e6)
            entry.nanoseconds += nanoseconds
            if entry.first_nanoseconds < 0:
                entry.first_nanoseconds = nanoseconds
        self._give_back(span)
        return True

    def _give_back(self, span: Span) -> None:
        span.entry = span.stream = None
        self._free.setdefault(span.device, []).append(span)


def _device_of(values: Any) -> int | None:
    """The index of the GPU that a call's arguments are on; None if they are on none."""
    for value in values:
        if isinstance(value, Tensor):
            if value.is_cuda:
                return value.get_device()
        elif isinstance(value, torch.device):
            if value.type == "cuda":
                index: Any = value.index  # torch's types say that it is never None
                if index is None:
                    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0
                return int(index)
        elif isinstance(value, (list, tuple)) and (device := _device_of(value)) is not None:
            return device
    return None
