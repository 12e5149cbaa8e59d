"""Clocks of accelerators that are not here, and what is shown where kernels cannot be timed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ipyflops.costs import ZERO_COST
from ipyflops.counting import accelerators, device_clocks
from ipyflops.counting.cuda_clock import CudaClock
from ipyflops.counting.device_clocks import BlockClock, XpuClock, device_among, device_clock
from ipyflops.counting.entries import Entry
from ipyflops.report import Signature


def entry() -> Entry:
    return Entry(Signature("aten::mm", "float32", "", "formula", ZERO_COST, 0))


def built_for(kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have PyTorch say that it was built for a kind of accelerator, and refuse all else."""
    for module in (accelerators, device_clocks):
        monkeypatch.setattr(module, "accelerator_built_for", lambda: kind)
    for name in ("is_available", "device_count"):
        monkeypatch.setattr(torch.accelerator, name, lambda: pytest.fail("it sets a device up"))
        monkeypatch.setattr(torch.cuda, name, lambda: pytest.fail("it sets a device up"))


@pytest.mark.parametrize(
    ("kind", "clock"),
    [(None, type(None)), ("cuda", CudaClock), ("xpu", XpuClock), ("mps", BlockClock)],
)
def test_the_clock_is_that_of_the_accelerator_pytorch_was_built_for(
    kind: str | None, clock: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_for(kind, monkeypatch)
    assert type(device_clock()) is clock


@pytest.mark.parametrize(
    ("versions", "kind"),
    [({"cuda": "12.4"}, "cuda"), ({"hip": "6.2"}, "cuda"), ({"xpu": "2025"}, "xpu"), ({}, None)],
)
def test_pytorch_2_6_is_asked_for_its_versions(
    versions: dict[str, str], kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks the driver for the kind, and raises where there is no device."""
    monkeypatch.setattr(accelerators, "_TELLS_KIND", False)
    for name in ("cuda", "hip", "xpu"):
        monkeypatch.setattr(torch.version, name, versions.get(name), raising=False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    refused = lambda: pytest.fail("it asks the driver")  # noqa: E731
    monkeypatch.setattr(torch.accelerator, "current_accelerator", refused)
    assert accelerators.accelerator_built_for() == kind


@pytest.mark.parametrize(("initialized", "in_use"), [(False, None), (True, "cuda")])
def test_an_accelerator_is_in_use_once_it_is_set_up(
    initialized: bool, in_use: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_for("cuda", monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialized)
    assert accelerators.accelerator_in_use() == in_use


# --- an Intel GPU --------------------------------------------------------------------------------


class OnXpu(Tensor):
    """A tensor that says it is on the second Intel GPU."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("xpu", 1)

    def get_device(self) -> int:
        return 1


class Event:
    """An event of a GPU whose kernels take 3 ms, and which is waited for before it is read."""

    now = 0.0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        self.at: float | None = None
        self.waited = False

    def record(self, stream: object) -> None:
        assert stream == "stream of 1"
        self.at = Event.now

    def synchronize(self) -> None:
        self.waited = True

    def elapsed_time(self, end: Event) -> float:
        assert end.waited
        assert self.at is not None
        assert end.at is not None
        return end.at - self.at


def test_an_intel_gpu_is_timed_by_its_own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.xpu, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.xpu, "Event", Event)
    monkeypatch.setattr(torch.xpu, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(device_clocks, "MAX_EVENTS", 4)
    clock, into = XpuClock(), entry()
    assert clock.begin((torch.ones(2),), {}) is None
    for _ in range(9):
        span = clock.begin((torch.ones(2), [torch.ones(2).as_subclass(OnXpu)]), {})
        assert span is not None
        Event.now += 3
        clock.end(span)
        clock.keep(span, into)
        Event.now += 100  # what runs between two calls
    assert into.nanoseconds == 8 * 3_000_000  # two lots of four have been read
    clock.resolve()
    assert into.nanoseconds == 9 * 3_000_000
    assert into.first_nanoseconds == 3_000_000
    assert clock.device == "xpu:1"


# --- one whose kernels cannot be timed ------------------------------------------------------------


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each wait for an Apple GPU takes a second more of the clock."""
    taken: list[float] = []
    monkeypatch.setattr(device_clocks, "accelerator_in_use", lambda: "mps")
    monkeypatch.setattr(device_clocks, "wait_for", lambda device: taken.append(1.0))
    monkeypatch.setattr(device_clocks.time, "perf_counter", lambda: sum(taken))
    return taken


class OnMps(Tensor):
    """A tensor that says it is on an Apple GPU."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("mps", 0)


def test_the_block_is_timed_between_two_waits(waits: list[float]) -> None:
    clock, into = BlockClock("mps"), entry()
    clock.begin_block()
    span = clock.begin((torch.ones(2).as_subclass(OnMps),), {})
    assert span == 0
    clock.end(span)
    clock.keep(span, into)
    clock.end_block()
    clock.end_block()  # an interrupt may have come between
    assert len(waits) == 2
    assert into.nanoseconds == 0
    assert clock.device == "mps:0"
    assert "kernels on mps cannot be timed one by one" in clock.note()
    assert "the block took 1.00 s" in clock.note()


def test_pytorchs_own_module_is_asked_to_wait_for_an_apple_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Down to the function of C++ all is PyTorch's; what that does on a Mac has not been tried."""
    began: list[float] = []
    monkeypatch.setattr(torch._C, "_mps_deviceSynchronize", lambda: began.append(0.0))
    monkeypatch.setattr(accelerators, "accelerator_built_for", lambda: "mps")
    clock = BlockClock("mps")
    clock.begin_block()
    assert len(began) == 1
    clock.end_block()
    assert len(began) == 1  # nothing ran there
    clock.begin_block()
    clock.begin((torch.ones(2).as_subclass(OnMps),), {})
    clock.end_block()
    assert len(began) == 3
    assert "the block took" in clock.no_times()


def test_a_block_that_stays_on_the_cpu_has_its_times(waits: list[float]) -> None:
    clock = BlockClock("mps")
    clock.begin_block()
    assert (
        clock.begin((torch.ones(2), {"x": torch.ones(2)}), {"device": torch.device("cpu")}) is None
    )
    clock.end_block()
    assert clock.note() == ""
    assert clock.device is None


def test_the_device_is_found_wherever_it_stands() -> None:
    on_meta = torch.ones(2, device="meta")
    for values in (on_meta, [1, on_meta], (1, [on_meta]), {"a": on_meta}, torch.device("meta")):
        assert device_among("meta", values) == 0
    for other in (1, "meta", None, [torch.ones(2)], torch.device("cpu")):
        assert device_among("meta", other) is None
    assert device_among("meta", torch.device("meta", 3)) == 3
