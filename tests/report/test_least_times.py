"""The least time is a bound: no kernel of a real network is faster than it, on this CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from models import gpt2_small, resnet50
from torch import Tensor, nn

import ipyflops
from ipyflops import Device
from ipyflops.costs import Cost
from ipyflops.report import Peak, Rate
from tests.views.reports import Builder

#: Clocks of shared machines rise and fall: what is faster by less is noise.
NOISE = 1.25
#: A machine that was busy while its peak was measured is measured again, at most so often.
TRIES = 5
RUNS = 3

#: An operator of a module: the number of the place, and the operator with its shapes.
Kernel = tuple[int, str, str]


def image() -> Tensor:
    return torch.randn(1, 3, 224, 224)


def text() -> Tensor:
    return torch.randint(50_257, (1, 64))


def measured(model: nn.Module, x: Tensor) -> tuple[ipyflops.Report, dict[Kernel, float]]:
    """A report, and of each kernel its shortest time in some runs."""
    shortest: dict[Kernel, float] = {}
    for _ in range(RUNS):
        with torch.no_grad(), ipyflops.FlopCounter() as counter:
            model(x)
        report = counter.report
        for kernel, seconds in kernels(report).items():
            shortest[kernel] = min(seconds, shortest.get(kernel, seconds))
    return report, shortest


def kernels(report: ipyflops.Report) -> dict[Kernel, float]:
    """Seconds by place and operator."""
    found: dict[Kernel, float] = {}
    for row in report.rows:
        signature = report.signatures[row.signature]
        kernel = row.scope, signature.operator, signature.shapes
        found[kernel] = found.get(kernel, 0.0) + row.nanoseconds * 1e-9
    return found


def faster_than_possible(
    report: ipyflops.Report, shortest: dict[Kernel, float], device: Device
) -> dict[Kernel, float]:
    """How many times each kernel is faster than its least time, where that is more than noise."""
    least = kernels(report.on(device).as_report())
    assert least.keys() == shortest.keys()
    products = 2 * report.macs / device.rates["float32"]
    assert sum(least.values()) > 0.99 * products, "the bound says nothing"
    return {
        kernel: least[kernel] / seconds
        for kernel, seconds in shortest.items()
        if least[kernel] > NOISE * seconds
    }


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other are slowest where other programs run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("make", "input_of"), [(resnet50, image), (gpt2_small, text)], ids=["resnet50", "gpt2"]
)
def test_no_kernel_is_faster_than_its_least_time(
    make: Callable[[], nn.Module], input_of: Callable[[], Tensor]
) -> None:
    model, x = make().eval(), input_of()
    report, shortest = measured(model, x)
    peak = ipyflops.peak("cpu")
    for _ in range(TRIES):
        too_fast = faster_than_possible(report, shortest, Device.of_peak(peak))
        if not too_fast:
            break
        peak = best_of(peak, ipyflops.peak("cpu", fresh=True))
    assert too_fast == {}, peak


def best_of(one: Peak, other: Peak) -> Peak:
    """The ceilings of a machine are the best that was ever measured."""
    rate = max(one.flops_per_second, other.flops_per_second)
    moved = max(one.bytes_per_second, other.bytes_per_second)
    return replace(one, rates=(Rate("float32", rate),), bytes_per_second=moved)


def test_what_the_cache_holds_need_not_be_moved() -> None:
    """A sum of 10⁸ elements moves 6·10⁸ bytes; of them 10⁸ are there and 10⁸ stay there."""
    builder = Builder()
    add = Cost.of(other="n", n=10**8)
    builder.run(0, "aten::add", add, moved=6 * 10**8)
    report = builder.report()
    rates = {"float32": 1e13}
    assert report.on(Device("mine", rates, 1e12)).seconds == pytest.approx(6e-4)
    cached = report.on(Device("mine", rates, 1e12, cache=1e8))
    assert cached.seconds == pytest.approx(4e-4)
    assert cached.bound == "memory"
    # All of it fits: 10⁸ FLOPs at 10¹³ a second.
    all_of_it = report.on(Device("mine", rates, 1e12, cache=3e8))
    assert all_of_it.seconds == pytest.approx(1e-5)
    assert all_of_it.bound == "compute"
    assert "nothing is fused, on mine up to 300 MB stay in the cache," in " ".join(
        str(all_of_it).split()
    )
    assert "compute" in str(all_of_it).splitlines()[4]
    assert "nothing stays in a cache" in " ".join(str(report.on("T4")).split())
    with pytest.raises(ValueError, match="the cache of mine has to be a positive number: -1"):
        Device("mine", rates, 1e12, cache=-1)


def test_a_measured_peak_knows_the_cache() -> None:
    peak = Peak("CPU", "AMD EPYC", (Rate("float32", 1e11),), 2e10, cache_bytes=2**25)
    assert Device.of_peak(peak).cache == 2**25
    builder = Builder()
    report = replace(builder.report(), peak=peak)
    assert ipyflops.Report.from_dict(report.to_dict()).peak == peak
