"""Kernel time of small kernels, and what is said where it is not known.

The simulated device knows the truth: each kernel takes 3 µs, and a stream takes 0.5 µs to pass an
event.
"""

from __future__ import annotations

import os
import time

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.counting import cuda_devices
from tests.accelerators.conftest import InProcess
from tests.accelerators.simulator import control

#: How long a simulated kernel takes.
KERNEL = float(os.environ.get("SIMULATOR_KERNEL_US", "3")) / 1e6


def at_most(report: Report) -> list[str]:
    return [note for note in report.notes if "at most" in note]


@pytest.fixture
def tiny(simulated: torch.device) -> nn.Module:
    model = nn.Sequential(*(nn.Linear(32, 32) for _ in range(50))).to(simulated)
    x = torch.randn(8, 32, device=simulated)
    with torch.no_grad():
        for _ in range(3):
            model(x)
    return model


def count(model: nn.Module, device: torch.device) -> Report:
    x = torch.randn(8, 32, device=device)
    with FlopCounter() as counter, torch.no_grad():
        model(x)
    return counter.report


def test_fifty_small_kernels_are_timed_without_the_gaps_before_them(
    tiny: nn.Module, simulated: torch.device
) -> None:
    """What is not flagged as a bound is right; on a busy machine some calls come too late."""
    truth = 50 * KERNEL
    best = min((count(tiny, simulated) for _ in range(5)), key=lambda one: one.seconds)
    assert best.by_operator["aten::addmm"].calls == 50
    assert truth * 0.99 <= best.seconds
    assert best.seconds <= truth * 1.25 or at_most(best)


def test_a_kernel_behind_a_gate_is_exact(
    tiny: nn.Module, simulated: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gate that no CPU is too slow for, the truth comes out to the microsecond."""
    monkeypatch.setattr(cuda_devices, "GATE_CYCLES", 400_000_000)
    report = count(tiny, simulated)
    assert report.seconds == pytest.approx(50 * KERNEL, rel=1e-3)
    assert at_most(report) == []


def test_without_a_gate_the_times_are_called_upper_bounds(
    tiny: nn.Module, simulated: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_devices, "GATE_CYCLES", 0)
    report = count(tiny, simulated)
    assert report.seconds > 1.5 * 50 * KERNEL
    assert len(at_most(report)) == 1


def test_a_launch_bound_block_says_how_busy_the_device_was(
    tiny: nn.Module, simulated: torch.device
) -> None:
    with FlopCounter() as counter, torch.no_grad():
        tiny(torch.randn(8, 32, device=simulated))
        time.sleep(0.1)
        tiny(torch.randn(8, 32, device=simulated))
    # 100 kernels of 3 µs in over 100 ms; on a busy machine a call that came late adds its gap.
    report = counter.report
    assert report.busy_share is not None
    assert report.busy_share >= 100 * KERNEL / report.seconds * 1e-6
    assert report.busy_share < 0.3 or at_most(report)
    assert ("cuda:0 busy" in str(report)) == (report.busy_share < 0.5)


def test_a_busy_device_is_no_note_and_its_times_are_near_the_truth(in_process: InProcess) -> None:
    found = in_process(
        """
        import json, torch
        from ipyflops import FlopCounter

        x = torch.randn(8, 8, device="cuda")
        x + x
        with FlopCounter() as counter:
            for _ in range(50):
                x + x
        report = counter.report
        print(json.dumps([report.seconds, list(report.notes), report.busy_share, repr(report)]))
        """,
        SIMULATOR_KERNEL_US="2000",
    )
    # The first call sets the kernel up, before which the device may wait.
    assert found[0] >= 0.1 * 0.999
    assert found[0] <= 0.1 * 1.1 or [note for note in found[1] if "at most" in note]
    assert found[2] > 0.5
    assert "busy" not in found[3]


def test_two_streams_and_two_threads_lose_no_event(simulated: torch.device) -> None:
    import sys
    import threading

    errors: list[BaseException] = []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work() -> None:
        try:
            x = torch.ones(8, device=simulated)
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(300):
                    x = x * 1.0
        except BaseException as error:
            errors.append(error)

    try:
        with FlopCounter() as counter:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert errors == []
    mul = counter.report.by_operator["aten::mul"]
    assert mul.calls == 1200
    assert mul.seconds >= 1200 * KERNEL * 0.99


# --- errors --------------------------------------------------------------------------------------


def test_after_a_device_side_assert_the_report_stays(simulated: torch.device) -> None:
    x = torch.randn(8, 8, device=simulated)
    counter = FlopCounter("contractions")

    def run() -> None:
        with counter:
            x @ x
            control.fail_from_now_on()
            torch.cuda.synchronize()

    with pytest.raises(RuntimeError, match="device-side assert"):
        run()
    report = counter.report
    assert report.flops == 2 * 8 * 8 * 8
    assert not report.complete
    assert report.seconds == 0
    assert any(note.startswith("kernel times are not known") for note in report.notes)


def test_the_error_is_raised_by_the_users_own_call(simulated: torch.device) -> None:
    x = torch.randn(8, 8, device=simulated)
    reached = []

    def run() -> None:
        with FlopCounter():
            x @ x
            control.fail_from_now_on()
            reached.append("the next line")
            x + x
            reached.append("beyond it")

    with pytest.raises(RuntimeError, match="device-side assert"):
        run()
    assert reached == ["the next line"]


# --- the device ----------------------------------------------------------------------------------


@pytest.mark.parametrize("device_time", [True, False])
def test_the_device_is_where_most_flops_ran_not_most_calls(
    cuda: torch.device, device_time: bool
) -> None:
    small, large = torch.ones(2, 2, device=cuda), torch.ones(64, 64)
    with FlopCounter(device_time=device_time) as counter:
        for _ in range(10):
            small + small
        large @ large
    assert counter.report.device == "cpu"
    with FlopCounter(device_time=device_time) as counter:
        for _ in range(100):
            torch.ones(2) + 1
        large.to(cuda) @ large.to(cuda)
    assert counter.report.device == "cuda:0"


def product(x: torch.Tensor) -> torch.Tensor:
    return x @ x


def test_calls_that_are_alike_but_for_the_device_are_told_apart(cuda: torch.device) -> None:
    x = torch.ones(64, 64)
    for first, second in (("cpu", "cuda:0"), ("cuda:0", "cpu")):
        both = [x.to(first), *(x.to(second) for _ in range(3))]
        with FlopCounter("contractions") as counter:
            for one in both:
                product(one)
        assert counter.report.device == second
        assert counter.report.flops == 4 * 2 * 64**3


@pytest.mark.usefixtures("two_gpus")
def test_of_two_gpus_it_is_the_one_with_more_flops() -> None:
    with FlopCounter() as counter:
        product(torch.ones(8, 8, device="cuda:0"))
        product(torch.ones(64, 64, device="cuda:1"))
    assert counter.report.device == "cuda:1"
