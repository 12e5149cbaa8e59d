"""Kernel time: by a clock that only kernels move on, and by events of a GPU that is not here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops import FlopCounter
from ipyflops.costs import ZERO_COST
from ipyflops.counting import clock, device_clocks
from ipyflops.counting.entries import Entry
from ipyflops.report import Signature


class Kernels(TorchDispatchMode):
    """Every kernel takes as long as it is told; the clock stands still in between."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.nanoseconds = 1000
        #: What the first call of each operator takes longer.
        self.slow_first: dict[str, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.now += self.nanoseconds + self.slow_first.pop(func._schema.name, 0)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernels]:
    mode = Kernels()
    monkeypatch.setattr(clock, "now", lambda: mode.now)
    with mode:
        yield mode


# --- on a CPU ------------------------------------------------------------------------------------


def test_kernel_time_is_added_where_the_kernel_ran(kernels: Kernels) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    x = torch.ones(2, 4)
    with FlopCounter() as counter:
        model(x)
        kernels.now += 10**9  # the user's own Python
        model(x)
    report = counter.report
    assert report.seconds == pytest.approx(6e-6)
    assert report.find("0").seconds == pytest.approx(2e-6)
    assert report.by_operator["aten::addmm"].seconds == pytest.approx(4e-6)
    assert report.by_phase["forward"].seconds == pytest.approx(6e-6)
    assert report.device == "cpu"
    assert report.notes == ()


def test_without_a_clock_no_time_is_kept(kernels: Kernels) -> None:
    with FlopCounter(device_time=False) as counter:
        torch.ones(2, 2) @ torch.ones(2, 2)
    assert counter.report.flops == 16
    assert counter.report.seconds == counter.report.flops_per_second == 0


# --- the first call ------------------------------------------------------------------------------


def run_products(times: int, size: int = 4) -> None:
    for _ in range(times):
        torch.ones(size, size) @ torch.ones(size, size)


def test_a_slow_first_call_is_noted(kernels: Kernels) -> None:
    kernels.slow_first["aten::mm"] = 5_000_000
    with FlopCounter() as counter:
        run_products(4)
    (note,) = counter.report.notes
    assert "aten::mm 5.00 ms, 5.00 k ×" in note
    assert "mean" in note


@pytest.mark.parametrize(("slow", "times"), [(5_000, 4), (900_000, 4), (5_000_000, 3)])
def test_one_that_is_not_slow_or_has_no_others_is_not(
    kernels: Kernels, slow: int, times: int
) -> None:
    kernels.slow_first["aten::mm"] = slow
    with FlopCounter() as counter:
        run_products(times)
    assert counter.report.notes == ()


def test_one_that_costs_little_of_the_whole_is_not(kernels: Kernels) -> None:
    kernels.slow_first |= {"aten::mm": 5_000_000, "aten::relu": 10**9}
    with FlopCounter() as counter:
        run_products(4)
        torch.ones(3).relu()
    assert counter.report.notes == ()


def test_larger_first_calls_are_not_compared_with_smaller(kernels: Kernels) -> None:
    kernels.slow_first["aten::mm"] = 5_000_000
    with FlopCounter() as counter:
        run_products(1, size=64)
        run_products(5, size=4)
    assert counter.report.notes == ()
    kernels.slow_first["aten::mm"] = 5_000_000
    with FlopCounter() as counter:
        run_products(1, size=4)
        run_products(5, size=64)
    assert len(counter.report.notes) == 1


# --- on a GPU, which is not here -----------------------------------------------------------------


class Gpu:
    """A GPU that works through its stream only when it is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.milliseconds = 0.0
        self.waits = 0
        self.capturing = False
        self.busy = True
        self.events = 0
        cuda = torch.cuda
        monkeypatch.setattr(device_clocks, "accelerator_built_for", lambda: "cuda")
        monkeypatch.setattr(cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(cuda, "Event", lambda enable_timing: Event(self, enable_timing))
        monkeypatch.setattr(cuda, "current_stream", lambda device=None: f"stream of {device}")
        monkeypatch.setattr(cuda, "is_current_stream_capturing", lambda: self.capturing)
        monkeypatch.setattr(cuda, "current_device", lambda: 1)


class Event:
    def __init__(self, gpu: Gpu, enable_timing: bool) -> None:
        assert enable_timing
        self._gpu = gpu
        self.at = 0.0
        self.stream: object = None
        gpu.events += 1

    def record(self, stream: object) -> None:
        self.at, self.stream = self._gpu.milliseconds, stream

    def query(self) -> bool:
        return not self._gpu.busy

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


def call(cuda: clock.CudaClock, gpu: Gpu, into: Entry, milliseconds: float = 2.0) -> None:
    span = cuda.begin((tensor(),), {})
    assert span is not None
    gpu.milliseconds += milliseconds
    cuda.end(span)
    cuda.keep(span, into)
    gpu.milliseconds += 100  # what runs between two calls


def test_events_are_read_at_the_end_and_nothing_waits_before(gpu: Gpu) -> None:
    cuda = clock.CudaClock()
    into = entry()
    for milliseconds in (5, 2, 2):
        call(cuda, gpu, into, milliseconds)
    assert into.nanoseconds == gpu.waits == 0
    cuda.resolve()
    assert into.nanoseconds == 9_000_000
    assert into.first_nanoseconds == 5_000_000
    assert cuda.device == "cuda:2"


def test_events_are_bounded_and_used_again(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "MAX_PENDING", 10)
    cuda = clock.CudaClock()
    into = entry()
    for _ in range(100):
        call(cuda, gpu, into)
    assert gpu.events <= 2 * 10
    assert 0 < gpu.waits < 100
    cuda.resolve()
    assert into.nanoseconds == 200_000_000


def test_what_is_over_is_read_without_waiting(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "MAX_PENDING", 10)
    gpu.busy = False
    cuda = clock.CudaClock()
    for _ in range(100):
        call(cuda, gpu, entry())
    assert gpu.waits == 0


def test_the_call_that_sets_cuda_up_has_no_time(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes a second, and no kernel runs; before it there are only fake tensors."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    cuda = clock.CudaClock()
    into = entry()
    for device in (torch.device("cuda"), torch.device("cuda", 1)):
        span = cuda.begin(([4, 4],), {"device": device})
        assert span is not None
        cuda.end(span)
        cuda.keep(span, into)
    cuda.resolve()
    assert into.nanoseconds == gpu.events == 0
    assert cuda.device is None


def test_a_captured_graph_has_no_time(gpu: Gpu) -> None:
    cuda = clock.CudaClock()
    into = entry()
    gpu.capturing = True
    call(cuda, gpu, into)
    gpu.capturing = False
    cuda.resolve()
    assert into.nanoseconds == 0
    assert gpu.waits == 0


@pytest.mark.parametrize(
    ("args", "kwargs", "device"),
    [
        (lambda: (torch.ones(2), 3), {}, None),
        (lambda: (torch.ones(()), tensor()), {}, 2),
        (lambda: ([torch.ones(2), tensor()], 1), {}, 2),
        (lambda: ([4, 4],), {"device": torch.device("cuda", 3)}, 3),
        (lambda: ([4, 4],), {"device": torch.device("cuda")}, 1),
        (lambda: ([4, 4],), {"device": torch.device("cpu")}, None),
    ],
)
def test_the_device_is_that_of_the_arguments(
    gpu: Gpu, args: Any, kwargs: dict[str, Any], device: int | None
) -> None:
    span = clock.CudaClock().begin(args(), kwargs)
    assert (None if span is None else span.device) == device


def test_a_run_that_stays_on_the_cpu_is_timed_by_the_clock(gpu: Gpu, kernels: Kernels) -> None:
    with FlopCounter() as counter:
        run_products(2)
    assert counter.report.by_operator["aten::mm"].seconds == pytest.approx(2e-6)
    assert counter.report.device == "cpu"
    assert gpu.events == 0


def test_the_counter_takes_the_time_of_a_gpu(
    gpu: Gpu, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything seems to be on a GPU whose kernels take as long as the CPU is busy launching them.
    monkeypatch.setattr(clock, "_device_of", lambda values: 0)
    monkeypatch.setattr(
        Event, "record", lambda self, stream: setattr(self, "at", 2e-6 * kernels.now)
    )
    with FlopCounter() as counter:
        run_products(2)
    assert counter.report.by_operator["aten::mm"].seconds == pytest.approx(4e-6)
    assert counter.report.device == "cuda:0"
