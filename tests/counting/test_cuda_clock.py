"""Kernel time by events of a GPU that is not here: `tests/accelerators` has PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ipyflops import FlopCounter
from ipyflops.costs import ZERO_COST
from ipyflops.counting import cuda_clock, cuda_devices, device_clocks
from ipyflops.counting.cuda_clock import CudaClock
from ipyflops.counting.entries import Entry
from ipyflops.report import Signature

#: What a pair of events around nothing measures, in milliseconds.
EMPTY = 0.25


class Gpu:
    """A GPU that works through its stream only when it is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.milliseconds = 0.0
        self.waits = 0
        self.capturing = False
        self.busy = True
        self.broken = False
        self.events = 0
        self.gates: list[int] = []
        cuda = torch.cuda
        monkeypatch.setattr(cuda_devices, "SPARE", {})
        monkeypatch.setattr(device_clocks, "accelerator_built_for", lambda: "cuda")
        monkeypatch.setattr(cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(cuda_clock, "is_set_up", lambda: True)
        monkeypatch.setattr(cuda, "Event", lambda enable_timing: Event(self, enable_timing))
        monkeypatch.setattr(cuda, "current_stream", lambda device=None: f"stream of {device}")
        monkeypatch.setattr(cuda, "current_device", lambda: 2)
        monkeypatch.setattr(cuda_clock, "is_capturing", lambda: self.capturing)
        monkeypatch.setattr(cuda_clock, "raw_stream", lambda device: 100 + device)
        monkeypatch.setattr(cuda_clock, "record_event", Event.record)
        monkeypatch.setattr(cuda_clock, "is_past", lambda event: not self.busy)
        monkeypatch.setattr(cuda_clock, "occupy", self.gates.append)


class Event:
    def __init__(self, gpu: Gpu, enable_timing: bool) -> None:
        assert enable_timing
        self._gpu = gpu
        self.at = 0.0
        self.stream: object = None
        gpu.events += 1

    def record(self, stream: object) -> None:
        if self._gpu.broken:
            raise RuntimeError("CUDA error: device-side assert triggered\nmore of it")
        self._gpu.milliseconds += EMPTY
        self.at, self.stream = self._gpu.milliseconds, stream

    def synchronize(self) -> None:
        self._gpu.waits += 1

    def elapsed_time(self, end: Event) -> float:
        assert end.stream == self.stream
        return end.at - self.at


class OnGpu(Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True

    def get_device(self) -> int:
        return 2


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


def tensor() -> Tensor:
    return torch.ones(2).as_subclass(OnGpu)


def entry() -> Entry:
    return Entry(Signature("aten::mm", "float32", "", "formula", ZERO_COST, 0))


def call(
    clock: CudaClock,
    gpu: Gpu,
    into: Entry,
    milliseconds: float = 2.0,
    *,
    func: Any = None,
    out: Any = None,
) -> None:
    span = clock.begin((tensor(),), {})
    assert span is not None
    gpu.milliseconds += milliseconds
    clock.end(span, func, out)
    clock.keep(span, into)
    gpu.milliseconds += 100  # what runs between two calls


def test_events_are_read_at_the_end_without_what_an_empty_pair_measures(gpu: Gpu) -> None:
    clock = CudaClock()
    into = entry()
    for milliseconds in (5, 2, 2):
        call(clock, gpu, into, milliseconds)
    assert into.nanoseconds == gpu.waits == 0
    clock.resolve()
    assert into.nanoseconds == 9_000_000
    assert into.first_nanoseconds == 5_000_000
    assert clock.device == "cuda:2"


def test_a_stream_that_has_run_dry_is_kept_busy_first(gpu: Gpu) -> None:
    clock = CudaClock()
    gpu.busy = True
    call(clock, gpu, entry())
    at_first = len(gpu.gates)  # for the empty pairs, and for the first call
    call(clock, gpu, entry())
    assert len(gpu.gates) == at_first
    gpu.busy = False
    for line in clock._devices[2].lines.values():
        line.busy_until = 0
    call(clock, gpu, entry())
    assert len(gpu.gates) == at_first + 1


def test_a_call_that_the_gpu_has_waited_for_is_an_upper_bound(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_clock, "CYCLE", 0.0)  # the gate is of no use: each call asks
    clock = CudaClock()
    gpu.busy = False
    call(clock, gpu, entry(), 3)
    gpu.busy = True
    call(clock, gpu, entry(), 1)
    clock.resolve()
    (note,) = [note for note in clock.notes() if "at most" in note]
    assert note.startswith("for 75.0 % of the kernel time, it is at most that")


def cycles_after(gpu: Gpu, monkeypatch: pytest.MonkeyPatch, outs: list[Any], func: Any) -> int:
    """How long a stream is kept busy, after calls that each end behind the gate before them."""
    monkeypatch.setattr(cuda_clock, "CYCLE", 0.0)
    gpu.busy = False
    clock = CudaClock()
    for out in outs:
        call(clock, gpu, entry(), func=func, out=out)
    (line,) = clock._devices[2].lines.values()
    return line.cycles // cuda_devices.GATE_CYCLES


def test_a_stream_is_kept_busy_for_longer_where_calls_come_late_again_and_again(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = torch.ops.aten.add.Tensor
    late = tensor()
    assert cycles_after(gpu, monkeypatch, [late], add) == 1  # it may have loaded its kernel
    assert cycles_after(gpu, monkeypatch, [late] * 3, add) == 2
    assert cycles_after(gpu, monkeypatch, [late] * 300, add) == 16


@pytest.mark.parametrize(
    ("func", "out"),
    [
        (torch.ops.aten._local_scalar_dense.default, 1.0),
        (torch.ops.aten._to_copy.default, torch.ones(2)),
        (torch.ops.aten.nonzero.default, None),
    ],
)
def test_calls_that_wait_for_the_device_do_not_make_each_other_slower(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch, func: Any, out: Any
) -> None:
    """A loop with ``loss.item()`` waits for each gate: a longer one would only hold it up."""
    assert cycles_after(gpu, monkeypatch, [tensor() if out is None else out] * 300, func) == 1


def test_a_later_count_makes_no_events_of_its_own(gpu: Gpu) -> None:
    def count() -> int:
        clock = CudaClock()
        for _ in range(20):
            call(clock, gpu, entry())
        clock.resolve()
        return gpu.events

    once = 2 * cuda_clock.EMPTY_PAIRS + 1
    assert count() == 2 * 20 + once
    assert count() == 2 * 20 + 2 * once


def test_events_are_bounded_and_used_again(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_clock, "MAX_PENDING", 10)
    clock = CudaClock()
    into = entry()
    for _ in range(100):
        call(clock, gpu, into)
    once = 2 * cuda_clock.EMPTY_PAIRS + 1
    assert gpu.events <= 2 * 10 + once
    assert 0 < gpu.waits < 100
    clock.resolve()
    assert into.nanoseconds == 200_000_000


def test_what_is_over_is_read_without_waiting(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_clock, "MAX_PENDING", 10)
    gpu.busy = False
    clock = CudaClock()
    for _ in range(100):
        call(clock, gpu, entry())
    assert gpu.waits <= 1  # for the empty pairs


def test_the_call_that_sets_cuda_up_has_no_time(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes a second, and no kernel runs; before it there are only fake tensors."""
    monkeypatch.setattr(cuda_clock, "is_set_up", lambda: False)
    clock = CudaClock()
    into = entry()
    for device in (torch.device("cuda"), torch.device("cuda", 1)):
        span = clock.begin(([4, 4],), {"device": device})
        assert span is not None
        clock.end(span)
        clock.keep(span, into)
    clock.resolve()
    assert into.nanoseconds == gpu.events == 0
    assert clock.device is None


def test_what_is_captured_in_a_graph_has_no_time_and_says_so(gpu: Gpu) -> None:
    clock = CudaClock()
    gpu.capturing = True
    span = clock.begin((tensor(),), {})
    assert span is not None
    assert span.captured
    clock.end(span)
    clock.resolve()
    assert gpu.waits == gpu.events == 0
    assert gpu.gates == []


@pytest.mark.parametrize("moment", ["begin", "end", "resolve"])
def test_a_device_that_fails_takes_the_times_along_and_raises_nothing(
    gpu: Gpu, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = CudaClock()
    into = entry()
    call(clock, gpu, into)
    gpu.broken = moment == "begin"
    span = clock.begin((tensor(),), {})
    assert span is not None
    gpu.broken = gpu.broken or moment == "end"
    clock.end(span)
    clock.keep(span, into)
    if moment == "resolve":
        monkeypatch.setattr(Event, "synchronize", lambda self: Event.record(self, None))
        gpu.broken = True
    clock.resolve()
    assert clock.no_times() == (
        "kernel times are not known, because the device failed: "
        "CUDA error: device-side assert triggered"
    )
    assert clock.notes() == []


@pytest.mark.parametrize(
    ("args", "kwargs", "device"),
    [
        (lambda: (torch.ones(2), 3), {}, None),
        (lambda: (torch.ones(()), tensor()), {}, "cuda:2"),
        (lambda: ([torch.ones(2), tensor()], 1), {}, "cuda:2"),
        (lambda: ([4, 4],), {"device": torch.device("cuda", 3)}, "cuda:3"),
        (lambda: ([4, 4],), {"device": torch.device("cuda")}, "cuda:2"),
        (lambda: ([4, 4],), {"device": torch.device("cpu")}, None),
    ],
)
def test_the_device_is_that_of_the_arguments(
    gpu: Gpu, args: Any, kwargs: dict[str, Any], device: str | None
) -> None:
    span = CudaClock(is_timed=False).begin(args(), kwargs)
    assert (None if span is None else span.device) == device


def test_a_run_that_stays_on_the_cpu_asks_nothing_of_a_gpu(gpu: Gpu) -> None:
    with FlopCounter() as counter:
        torch.ones(2, 2) @ torch.ones(2, 2)
    assert counter.report.by_operator["aten::mm"].seconds > 0
    assert counter.report.device == "cpu"
    assert gpu.events == 0


def test_the_counter_takes_the_time_of_a_gpu(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything seems to be on a GPU that takes a millisecond from one event to the next."""
    monkeypatch.setattr(cuda_clock, "_device_of", lambda values: 2)
    monkeypatch.setattr(cuda_clock, "EMPTY_PAIRS", 0)
    with FlopCounter() as counter:
        for _ in range(2):
            torch.ones(2, 2) @ torch.ones(2, 2)
    assert counter.report.by_operator["aten::mm"].seconds == pytest.approx(2 * EMPTY / 1e3)
