"""Kernel time against PyTorch's profiler, and what counting costs."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops import FlopCounter
from tests.accelerators.device.checks import Fail, Machine, Skip, check, count
from tests.accelerators.device.programs import Residual

#: An operator whose kernels take longer than this is to agree so closely; a tiny stack in sum.
LONG_SECONDS, CLOSE, CLOSE_IN_SUM = 20e-6, 0.10, 0.25
REPEATS = 20


def profiled(machine: Machine, run: Callable[[], object]) -> float:
    """Seconds of all kernels of a run, by PyTorch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    kind = machine.device.type.upper()
    if machine.simulated or kind not in ("CUDA", "XPU"):
        raise Skip("PyTorch's profiler times no kernels here")
    with profile(activities=[ProfilerActivity.CPU, getattr(ProfilerActivity, kind)]) as profiler:
        run()
        machine.wait()
    microseconds = sum(
        event.self_device_time_total
        for event in profiler.key_averages()
        if str(event.device_type).endswith(kind) and "Memset" not in event.key
    )
    if not microseconds:
        raise Skip("PyTorch's profiler saw no kernel")
    return float(microseconds) * 1e-6


def long_operators(device: torch.device) -> dict[str, Callable[[], Tensor]]:
    """Operators of one kernel, or few, that keep a large GPU busy for more than 20 µs."""
    half = torch.randn(4096, 4096, device=device).bfloat16()
    single = torch.randn(64, 1024, 1024, device=device)
    images = torch.randn(32, 128, 56, 56, device=device)
    weight = torch.randn(128, 128, 3, 3, device=device)
    return {
        "aten::mm": lambda: half @ half,
        "aten::mul": lambda: single * 2.0,
        "aten::_softmax": lambda: single.softmax(-1),
        "aten::native_layer_norm": lambda: F.layer_norm(single, (1024,)),
        "aten::convolution": lambda: F.conv2d(images, weight, padding=1),
        "aten::sum": lambda: single.sum(-1),
    }


@check("time/long_operators_against_the_profiler", 30)
def long_ones(machine: Machine) -> dict[str, Any]:
    """Each within 10 %, where the profiler says that it takes over 20 µs."""
    if not machine.is_real_gpu:
        raise Skip("there are no kernels to profile")
    figures: dict[str, Any] = {}
    wrong = []
    for name, run in long_operators(machine.device).items():

        def repeat(run: Callable[[], Tensor] = run) -> None:
            for _ in range(REPEATS):
                run()

        repeat()
        machine.wait()
        theirs = profiled(machine, repeat) / REPEATS
        ours = min(count(repeat)[0].by_operator[name].seconds for _ in range(3)) / REPEATS
        figures[name] = {"ours_us": ours * 1e6, "profiler_us": theirs * 1e6}
        if theirs > LONG_SECONDS and abs(ours / theirs - 1) > CLOSE:
            wrong.append(f"{name}: {ours / theirs:.2f} times the profiler's")
    if wrong:
        raise Fail("; ".join(wrong), figures)
    return figures


@check("time/a_tiny_stack_against_the_profiler", 20)
def tiny_stack(machine: Machine) -> dict[str, Any]:
    """The kernels of 50 tiny layers within 25 % in sum: an event's own time is not theirs."""
    if not machine.is_real_gpu:
        raise Skip("there are no kernels to profile")
    model = nn.Sequential(*(nn.Linear(32, 32) for _ in range(50))).to(machine.device)
    x = torch.randn(8, 32, device=machine.device)

    def run() -> None:
        with torch.no_grad():
            model(x)

    for _ in range(3):
        run()
    theirs = profiled(machine, run)
    reports = [count(run)[0] for _ in range(5)]
    ours = statistics.median(report.seconds for report in reports)
    figures = {"ours_us": ours * 1e6, "profiler_us": theirs * 1e6, "notes": reports[0].notes}
    if abs(ours / theirs - 1) > CLOSE_IN_SUM:
        raise Fail(f"{ours / theirs:.2f} times the profiler's", figures)
    return figures


@check("time/kernels_take_no_longer_than_the_block", 10)
def within_the_block(machine: Machine) -> dict[str, Any]:
    """On one stream kernels run one after the other; without a clock there is no time at all."""
    model = Residual(64).to(machine.device)
    x = torch.randn(8, 64, 56, 56, device=machine.device)
    model(x)
    machine.wait()
    began = time.perf_counter()
    report, _ = count(lambda: model(x).sum().backward())
    machine.wait()
    wall = time.perf_counter() - began
    figures = {"kernels_ms": report.seconds * 1e3, "wall_ms": wall * 1e3, "notes": report.notes}
    if report.seconds > 1.02 * wall:
        raise Fail("the kernels took longer than the block", figures)
    if not report.seconds and not any("cannot be timed" in note for note in report.notes):
        raise Fail("no time, and no note on it", figures)
    return figures


class Nothing(TorchDispatchMode):
    """A mode that passes everything on: the floor of interception."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


@check("cost/overhead", 20)
def overhead(machine: Machine) -> dict[str, Any]:
    """What a steady forward pass of 100 tiny operators takes, by what it runs under."""
    layers = [layer for _ in range(50) for layer in (nn.Linear(16, 16), nn.ReLU())]
    model = nn.Sequential(*layers).to(machine.device)
    x = torch.randn(4, 16, device=machine.device)
    modes: dict[str, Callable[[], Any]] = {
        "plain": contextlib.nullcontext,
        "no_op_mode": Nothing,
        "without_clock": lambda: FlopCounter(device_time=False),
        "with_clock": FlopCounter,
    }
    figures = {}
    with torch.no_grad():
        model(x)
        for name, make in modes.items():
            with make():
                times = []
                for _ in range(12):  # the first ones in a block find the modules
                    machine.wait()
                    began = time.perf_counter()
                    model(x)
                    machine.wait()
                    times.append(time.perf_counter() - began)
            figures[f"{name}_us"] = statistics.median(times[3:]) * 1e6
    floor = figures["no_op_mode_us"] - figures["plain_us"]
    if floor > 0:
        for name in ("without_clock", "with_clock"):
            added = figures[f"{name}_us"] - figures["plain_us"]
            figures[f"{name}_by_what_a_no_op_mode_adds"] = added / floor
    return figures


@check("cost/device_memory_is_flat", 20)
def flat_memory(machine: Machine) -> dict[str, Any]:
    """20,000 calls more take no more memory on the device."""
    before = machine.memory()
    if before is None:
        raise Skip("the device does not tell how much memory is in use")
    x = torch.ones(16, device=machine.device)
    with FlopCounter() as counter:
        for _ in range(9000):
            x = x * 1.0
        machine.wait()
        warm = machine.memory()
        for _ in range(20_000):
            x = x * 1.0
        machine.wait()
        after = machine.memory()
    calls = counter.report.by_operator["aten::mul"].calls
    figures = {"warm": warm, "after": after, "calls": calls}
    if calls != 29_000:
        raise Fail("calls were lost", figures)
    if warm is None or after is None or after - warm > 4096:
        raise Fail("memory grows with the number of calls", figures)
    return figures
