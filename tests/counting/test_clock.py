"""Kernel time on a CPU, by a clock that only kernels move on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops import FlopCounter
from ipyflops.counting import clock


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
    kernels.slow_first["aten::mm"] = 39_900_000
    with FlopCounter() as counter:
        run_products(4)
    (note,) = counter.report.notes
    assert note == "first calls include set-up (mm 39.9 ms); run again for steady times"


@pytest.mark.parametrize(("slow", "times"), [(5_000, 4), (9_900_000, 4), (39_900_000, 3)])
def test_one_that_is_not_slow_or_has_no_others_is_not(
    kernels: Kernels, slow: int, times: int
) -> None:
    kernels.slow_first["aten::mm"] = slow
    with FlopCounter() as counter:
        run_products(times)
    assert counter.report.notes == ()


def test_one_that_costs_little_of_the_whole_is_not(kernels: Kernels) -> None:
    kernels.slow_first |= {"aten::mm": 39_900_000, "aten::relu": 10**9}
    with FlopCounter() as counter:
        run_products(4)
        torch.ones(3).relu()
    assert counter.report.notes == ()


def test_larger_first_calls_are_not_compared_with_smaller(kernels: Kernels) -> None:
    kernels.slow_first["aten::mm"] = 39_900_000
    with FlopCounter() as counter:
        run_products(1, size=64)
        run_products(5, size=4)
    assert counter.report.notes == ()
    kernels.slow_first["aten::mm"] = 39_900_000
    with FlopCounter() as counter:
        run_products(1, size=4)
        run_products(5, size=64)
    assert len(counter.report.notes) == 1
