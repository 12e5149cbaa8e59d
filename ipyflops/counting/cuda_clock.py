"""How long kernels run on CUDA (or ROCm) devices, by events.

Two events are recorded on the stream around each call, and read once the device is past them.
Nothing waits for the device while the code runs, unless too many calls (`MAX_PENDING`) have not
been read yet.

A pair of events measures more than the kernel between them:

- Where the device has run out of work, it passes the first event at once and then waits until the
  kernel arrives. So, where the stream has run dry, it is kept busy for a short time first
  (`GATE_CYCLES`): the device would have idled anyway, and the next calls arrive meanwhile. Whether
  that was enough is seen at the end of each call, when the device must not have passed the first
  event yet. Where it has, the time is an upper bound, and a note says for how much of the time.
- To pass events takes time itself. A pair around nothing tells how long; that is subtracted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# Bound here: a dry run for a device that is not there has `torch.cuda` give another answer.
from torch.cuda import is_initialized as is_set_up
from torch.nn import Parameter

from ipyflops.counting.cuda_devices import Device, Line, Span, new_event
from ipyflops.counting.entries import Entry
from ipyflops.counting.graphs import GRAPHS
from ipyflops.torch_private import (
    is_capturing,
    is_past,
    occupy,
    raw_stream,
    record_event,
)
from ipyflops.units import percent

#: Calls on a GPU whose events have not been read yet. CUDA lets the CPU be about 1,000 launches
#: ahead, so that it is rare to wait for the older ones; with more, less of it stays in the caches.
MAX_PENDING = 2048
#: So long a cycle is at the least, in nanoseconds: no device's clock is faster than 2.5 GHz. On
#: ROCm it is another clock that counts, so there each call asks the device.
CYCLE = 0.0 if torch.version.hip else 0.4
#: Pairs of events around nothing.
EMPTY_PAIRS = 8
#: A note says so where at least this share of the kernel time is an upper bound.
WORTH_A_NOTE = 0.01

_now = time.perf_counter_ns


class CudaClock:
    """Takes the time of calls on CUDA (or ROCm) devices.

    For each call: `begin`, the call itself, `end`, and `keep` with what its time belongs to.

    Parameters
    ----------
    is_timed : bool
        Whether times are taken, and not only the devices of calls.
    """

    def __init__(self, *, is_timed: bool = True) -> None:
        self._is_timed = is_timed
        self._devices: dict[int, Device] = {}
        self._pending: deque[Span] = deque()
        self._lock = threading.Lock()
        #: Where blocks that have ended began and ended on their devices.
        self._blocks: list[tuple[Device, Any, Any]] = []
        self._failure = ""

    # --- one call ------------------------------------------------------------------------------

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Span | None:
        """Mark the beginning of a call; None if it does not run on a GPU."""
        # What most calls have is dealt with right here: this runs for every one of them.
        first = args[0] if args else None
        kind = type(first)
        if (kind is Tensor or kind is Parameter) and first.is_cuda:  # type: ignore[union-attr]
            return self.begin_on(first.get_device())  # type: ignore[union-attr]
        index = _device_of(args)
        if index is None and kwargs:
            index = _device_of(kwargs.values())
        return None if index is None else self.begin_on(index)

    def begin_on(self, index: int) -> Span:
        """Mark the beginning of a call that runs on a device."""
        device = self._devices.get(index)
        if device is None:
            device = Device(index)
            if not is_set_up():
                # On fake tensors, or the call that sets CUDA up, which takes long.
                return device.untimed
            device = self._devices.setdefault(index, device)
        try:
            if is_capturing():
                return device.captured
            if not self._is_timed or self._failure:
                return device.untimed
            pointer = raw_stream(index)
            line = device.lines.get(pointer)
            if line is None:
                line = self._new_line(device, pointer)
            # While a graph is captured, elsewhere too, no question may be asked.
            if (
                _now() > line.busy_until
                and not GRAPHS.capturing
                and (line.last is None or is_past(line.last))
            ):
                self._gate(line)
                line.is_gated = True
            else:
                line.is_gated = False
            try:
                span = device.spare.pop()
            except IndexError:
                span = Span(device.name, new_event(), new_event())
            record_event(span.start, line.stream)
        except RuntimeError as error:  # the device has failed; what comes next tells the user
            self._fail(error)
            return device.untimed
        span.line = line
        return span

    def end(self, span: Span, func: Any = None, out: Any = None) -> None:
        """Mark the end of a call of `func`, which has given `out`."""
        line = span.line
        if line is None:
            return
        try:
            record_event(span.end, line.stream)
            line.last = span.end
            span.is_exact = _now() < line.busy_until or not (
                GRAPHS.capturing or is_past(span.start)
            )
            if line.is_gated:
                line.adapt(in_time=span.is_exact or _waits(func, out))
        except RuntimeError as error:
            self._fail(error)
            span.line = None

    def keep(self, span: Span, entry: Entry) -> None:
        """Have the call's time added to an entry, once it is known."""
        if span.line is None:
            return
        span.entry = entry
        self._pending.append(span)
        if len(self._pending) >= MAX_PENDING and not GRAPHS.capturing:
            with self._lock:
                self._guarded(self._make_room)

    # --- the block -----------------------------------------------------------------------------

    def begin_block(self) -> None:
        """Do nothing: a device's part of the block begins with its first call."""

    def end_block(self) -> None:
        """Note where the block ends on the devices; may be called again."""
        with self._lock:
            self._guarded(self._end_block)

    def resolve(self) -> None:
        """Wait for the devices, and add up all times."""
        with self._lock:
            self._guarded(self._read_all)

    @property
    def device(self) -> str | None:
        """A device that had calls; None if none had any."""
        return next((device.name for device in self._devices.values()), None)

    def no_times(self) -> str:
        """Why no kernel time is known; empty where all are."""
        if not self._failure:
            return ""
        return f"kernel times are not known, because the device failed: {self._failure}"

    def notes(self) -> list[str]:
        """What a reader has to know of the times."""
        total = sum(device.nanoseconds for device in self._devices.values())
        if self._failure or not total:
            return []
        bounded = sum(one.bounded_nanoseconds for one in self._devices.values()) / total
        if bounded < WORTH_A_NOTE:
            return []
        note = (
            f"for {percent(bounded)} of the kernel time, it is at most that: the device waited "
            "there until the kernel was launched"
        )
        return [note]

    def busy_share(self) -> float | None:
        """Kernel time on the device with the most of it, as a share of the block's time there."""
        device = max(self._devices.values(), key=lambda one: one.nanoseconds, default=None)
        if self._failure or device is None or not (device.nanoseconds and device.block_nanoseconds):
            return None
        # On several streams kernels run side by side, so that their times add up to more.
        return min(device.nanoseconds / device.block_nanoseconds, 1.0)

    # --- inside --------------------------------------------------------------------------------

    def _new_line(self, device: Device, pointer: int) -> Line:
        line = device.lines[pointer] = Line(device)
        if not device.empty and not GRAPHS.capturing:
            self._gate(line)
            for _ in range(EMPTY_PAIRS):
                start, end = new_event(), new_event()
                record_event(start, line.stream)
                record_event(end, line.stream)
                device.empty.append((start, end))
        if device.began is None:
            device.began = new_event()
            record_event(device.began, line.stream)
        return line

    def _gate(self, line: Line) -> None:
        """Keep a stream busy that has run dry, so that the CPU gets ahead of it."""
        began = _now()
        index = line.device.index
        if torch.cuda.current_device() == index:
            occupy(line.cycles)
        else:
            with torch.cuda.device(index):
                occupy(line.cycles)
        line.busy_until = began + int(line.cycles * CYCLE)

    def _end_block(self) -> None:
        if GRAPHS.capturing:
            return
        for index, device in self._devices.items():
            began, device.began = device.began, None
            if began is not None:
                end = new_event()
                record_event(end, torch.cuda.current_stream(index))
                self._blocks.append((device, began, end))

    def _read_all(self) -> None:
        if GRAPHS.capturing:
            return  # to wait for anything would spoil the graph
        while self._pending:
            self._read(wait=True)
        while self._blocks:
            device, began, end = self._blocks.pop()
            end.synchronize()
            device.block_nanoseconds += round(began.elapsed_time(end) * 1e6)

    def _make_room(self) -> None:
        """Read the events that the device is past; if too few are, wait for the older half."""
        while self._pending and self._read(wait=False):
            pass
        while len(self._pending) > MAX_PENDING // 2:
            self._read(wait=True)

    def _read(self, *, wait: bool) -> bool:
        """Read the oldest events; False if the device is not past them and `wait` is not set."""
        span = self._pending[0]
        if wait:
            span.end.synchronize()
        elif not is_past(span.end):
            return False
        self._pending.popleft()
        entry, line = span.entry, span.line
        assert entry is not None
        assert line is not None
        device = line.device
        milliseconds = span.start.elapsed_time(span.end) - device.overhead()
        nanoseconds = max(round(milliseconds * 1e6), 0)
        entry.nanoseconds += nanoseconds
        if entry.first_nanoseconds < 0:
            entry.first_nanoseconds = nanoseconds
        device.nanoseconds += nanoseconds
        if not span.is_exact:
            device.bounded_nanoseconds += nanoseconds
        span.entry = span.line = None
        if len(device.spare) < MAX_PENDING:
            device.spare.append(span)
        return True

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except RuntimeError as error:  # the device has failed: its user has been told, or will be
            self._fail(error)

    def _fail(self, error: RuntimeError) -> None:
        self._failure = self._failure or str(error).partition("\n")[0]
        self._pending.clear()
        self._blocks.clear()


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
                    return torch.cuda.current_device() if is_set_up() else 0
                return int(index)
        elif isinstance(value, (list, tuple)) and (device := _device_of(value)) is not None:
            return device
    return None


def _waits(func: Any, out: Any) -> bool:
    """Whether a call waits for the device itself, as `item` does, and the copy to the CPU."""
    if isinstance(out, Tensor) and out.is_cuda:
        return torch.Tag.dynamic_output_shape in getattr(func, "tags", ())
    return isinstance(out, (Tensor, int, float, complex))
