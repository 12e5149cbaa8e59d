"""Which clock a count takes: that of the accelerator which PyTorch was built for.

On an accelerator a kernel's call returns before the kernel has run: the time until then says
nothing. So an accelerator whose kernels cannot be timed has no kernel times at all, and the whole
block is timed instead, from one wait for the device to another one.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ipyflops.counting.accelerators import (
    accelerator_built_for,
    accelerator_in_use,
    module_of,
    wait_for,
)
from ipyflops.counting.cuda_clock import CudaClock
from ipyflops.counting.entries import Entry
from ipyflops.units import duration


class DeviceClock(Protocol):
    """Takes the time of calls on an accelerator: `begin`, the call itself, `end`, and `keep`."""

    @property
    def device(self) -> str | None:
        """The device with the most calls, such as ``cuda:0``; None if none had any."""

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Mark the beginning of a call; None if it does not run on the accelerator."""

    def end(self, span: Any, func: Any = None, out: Any = None) -> None:
        """Mark the end of a call of `func`, which has given `out`."""

    def keep(self, span: Any, entry: Entry) -> None:
        """Have the call's time added to an entry, once it is known."""

    def resolve(self) -> None:
        """Add up all times."""

    def begin_block(self) -> None:
        """Note that a block begins."""

    def end_block(self) -> None:
        """Note that a block ends; may be called again."""

    def no_times(self) -> str:
        """A note on why no kernel time is known; empty where all are."""

    def notes(self) -> list[str]:
        """What else a reader has to know of the times."""

    def busy_share(self) -> float | None:
        """Kernel time as a share of the block's time on the device; None if that is not known."""


class _AllTimes:
    """Of a clock that knows all kernel times, and has nothing to say of them."""

    def begin_block(self) -> None:
        """Do nothing: calls are timed, not blocks."""

    def end_block(self) -> None:
        """Do nothing."""

    def no_times(self) -> str:
        """Nothing: all are known."""
        return ""

    def notes(self) -> list[str]:
        """Nothing."""
        return []

    def busy_share(self) -> None:
        """Nothing: where the block began and ended on the device is not known."""


def device_clock(*, is_timed: bool = True) -> DeviceClock | None:
    """Return a clock for the accelerator that PyTorch was built for; None where there is none.

    It sets up no device: the user's code does that, before the block or in it. Without times there
    is one for CUDA alone, which tells what becomes part of a graph.
    """
    kind = accelerator_built_for()
    if kind is None:
        return None
    if kind == "cuda":
        return CudaClock(is_timed=is_timed)
    if not is_timed:
        return None
    if kind == "xpu":
        return XpuClock()
    return BlockClock(kind)


class XpuClock(_AllTimes):
    """Takes the time of calls on Intel GPUs by pairs of events, and reads them at the end.

    Like those of CUDA before a gate was put in front of them, they measure the gap before a kernel
    as well where the device has run out of work.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[Any, Any, Entry]] = []
        #: Calls by device.
        self.calls: Tally[int] = Tally()

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any, Any] | None:
        """Mark the beginning of a call; None if it does not run on an Intel GPU."""
        device = device_among("xpu", (args, kwargs))
        xpu: Any = torch.xpu
        if device is None or not xpu.is_initialized():
            return None
        self.calls[device] += 1
        start, end = (xpu.Event(enable_timing=True) for _ in range(2))
        stream = xpu.current_stream(device)
        start.record(stream)
        return start, end, stream

    def end(self, span: tuple[Any, Any, Any], func: Any = None, out: Any = None) -> None:
        """Mark the end of a call."""
        _, end, stream = span
        end.record(stream)

    def keep(self, span: tuple[Any, Any, Any], entry: Entry) -> None:
        """Have the call's time added to an entry, once it is known."""
        start, end, _ = span
        self._pending.append((start, end, entry))
        if len(self._pending) >= MAX_EVENTS:
            self.resolve()

    def resolve(self) -> None:
        """Wait for the devices, and add up all times."""
        pending, self._pending = self._pending, []
        for start, end, entry in pending:
            end.synchronize()
            nanoseconds = round(start.elapsed_time(end) * 1e6)
            entry.nanoseconds += nanoseconds
            if entry.first_nanoseconds < 0:
                entry.first_nanoseconds = nanoseconds

    @property
    def device(self) -> str | None:
        """The device with the most calls, such as ``xpu:0``; None if none had any."""
        return f"xpu:{self.calls.most_common(1)[0][0]}" if self.calls else None


#: Pairs of events that have not been read yet.
MAX_EVENTS = 4096


class BlockClock(_AllTimes):
    """Times the whole block, on an accelerator whose kernels cannot be timed one by one.

    Parameters
    ----------
    kind : str
        Such as ``mps``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.calls: Tally[int] = Tally()
        self._since: float | None = None
        self._seconds = 0.0

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | None:
        """Return the device that a call runs on; None if it does not run on the accelerator."""
        device = device_among(self.kind, (args, kwargs))
        if device is not None:
            self.calls[device] += 1
        return device

    def end(self, span: int, func: Any = None, out: Any = None) -> None:
        """Do nothing: the device has not yet done what it was asked to do."""

    def keep(self, span: int, entry: Entry) -> None:
        """Add no time, as it is not known."""

    def resolve(self) -> None:
        """Do nothing: there are no events to read."""

    @property
    def device(self) -> str | None:
        """The device with the most calls, such as ``mps:0``; None if none had any."""
        return f"{self.kind}:{self.calls.most_common(1)[0][0]}" if self.calls else None

    def begin_block(self) -> None:
        """Wait until the device has done what was asked of it before the block."""
        if accelerator_in_use() == self.kind:
            wait_for(torch.device(self.kind))
        self._since = time.perf_counter()

    def end_block(self) -> None:
        """Wait until the device has done what the block asked of it; may be called again."""
        since, self._since = self._since, None
        if since is not None and self.calls:
            wait_for(torch.device(self.kind))
            self._seconds += time.perf_counter() - since

    def note(self) -> str:
        """Say that there are no kernel times, and how long the block took; empty without calls."""
        if not self.calls:
            return ""
        text = f"kernels on {self.kind} cannot be timed one by one, so no kernel time is shown"
        if self._seconds:
            text += (
                f"; the block took {duration(self._seconds)} with its Python and the counting, "
                "until the device had done all"
            )
        return f"{text} (-t times the code without them)"

    def no_times(self) -> str:
        """As `note`: no kernel time is known."""
        return self.note()


def device_among(kind: str, values: Any) -> int | None:
    """The index of the device of a kind that some of the values are on; None if none is.

    Examples
    --------
    >>> device_among("meta", [1, (torch.ones(2), torch.ones(2, device="meta"))])
    0
    """
    if isinstance(values, Tensor):
        if values.device.type != kind:
            return None
        return max(values.get_device(), 0)
    if isinstance(values, torch.device):
        if values.type != kind:
            return None
        index: Any = values.index  # torch's types say that it is never None
        return index if index is not None else _current(kind)
    if isinstance(values, Mapping):
        values = values.values()
    elif not isinstance(values, (list, tuple)):
        return None
    for value in values:
        device = device_among(kind, value)
        if device is not None:
            return device
    return None


def _current(kind: str) -> int:
    module = module_of(kind)
    in_use = accelerator_in_use() == kind and hasattr(module, "current_device")
    return int(module.current_device()) if in_use else 0
