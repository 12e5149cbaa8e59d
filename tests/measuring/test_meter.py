"""A meter counts a step once for its shapes, and afterwards reads the clock alone."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

import ipyflops
from ipyflops import Device, Meter

PEAK = 1e9


def loop(meter: Meter, sizes: list[int]) -> list[bool]:
    """Steps on batches of these sizes; which of them were intercepted."""
    model = nn.Linear(4, 3, bias=False)
    intercepted = []
    for size in sizes:
        x = torch.ones(size, 4)
        with meter:
            intercepted.append(_get_current_dispatch_mode() is not None)
            model(x)
    return intercepted


def test_the_first_step_is_counted_and_then_none() -> None:
    meter = Meter(tokens=2, peak=PEAK)
    assert loop(meter, [2, 2, 2, 2]) == [True, False, False, False]
    assert [step.counted for step in meter.history] == [True, False, False, False]
    assert [step.flops for step in meter.history] == [2 * 2 * 4 * 3] * 4
    assert [step.number for step in meter.history] == [1, 2, 3, 4]
    assert meter.report is not None
    assert meter.report.find("model").flops == 48
    last = meter.history[-1]
    assert last.flops_per_second == 48 / last.seconds
    assert last.tokens_per_second == 2 / last.seconds
    assert last.mfu == pytest.approx(48 / PEAK / last.seconds)


def test_new_shapes_are_counted_once() -> None:
    meter = Meter()
    assert loop(meter, [2, 3, 2, 3, 5]) == [True, True, False, False, True]
    assert [step.flops for step in meter.history] == [24 * size for size in (2, 3, 2, 3, 5)]


def test_batches_in_containers_and_given_ones() -> None:
    model = nn.Linear(4, 3, bias=False)
    meter = Meter()
    for size in (2, 2, 3):
        batch = {"x": torch.ones(size, 4), "name": "a"}
        with meter:
            model(batch["x"])
    assert [step.counted for step in meter.history] == [True, False, True]
    meter = Meter()
    for size in (2, 2, 3):
        with meter(torch.ones(size, 4), tokens=10 * size):
            model(torch.ones(size, 4))
    assert [step.counted for step in meter.history] == [True, False, True]
    assert [step.tokens for step in meter.history] == [20, 20, 30]


def test_a_result_that_a_step_leaves_is_no_input() -> None:
    model = nn.Linear(4, 3)
    x = torch.ones(2, 4)
    meter = Meter()
    for _ in range(3):
        with meter:
            loss = model(x).sum()
            loss.backward()
    assert [step.counted for step in meter.history] == [True, False, False]


def test_sums_are_of_the_steps_that_were_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings of the clock: 9 s for the counted step, then 1 s and 3 s."""
    readings = iter([0.5, 9.5, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(readings))
    meter = Meter(tokens=6, peak=PEAK)
    loop(meter, [2, 2, 2])
    assert [step.seconds for step in meter.history] == [9.0, 1.0, 3.0]
    assert meter.seconds == 4.0
    assert meter.flops_per_second == 2 * 48 / 4
    assert meter.tokens_per_second == 3.0
    assert meter.mfu == pytest.approx(2 * 48 / PEAK / 4)
    assert (
        str(meter) == "3 steps, 1 counted · 2.00 s a step · 24.0 FLOPS · MFU <0.1 % · 3.00 tokens/s"
    )


def test_a_step_that_fails_is_none() -> None:
    meter = Meter()
    model = nn.Linear(4, 3)
    for width in (5, 4):
        x = torch.ones(2, 4)
        try:
            with meter:
                model(torch.ones(2, width))
        except RuntimeError:
            assert not meter.history
    assert x is not None
    assert [step.counted for step in meter.history] == [True]
    assert _get_current_dispatch_mode() is None
    assert meter.end() is None


def test_begin_and_end_for_callbacks() -> None:
    meter = Meter()
    model = nn.Linear(4, 3, bias=False)
    for _ in range(2):
        meter.begin(torch.ones(2, 4), tokens=7)
        model(torch.ones(2, 4))
        step = meter.end()
        assert step is not None
        assert (step.flops, step.tokens) == (48, 7)
    meter.begin(torch.ones(9, 9))  # never ended
    meter.begin(torch.ones(2, 4))
    assert _get_current_dispatch_mode() is None
    meter.end()
    assert [step.counted for step in meter.history] == [True, False, False]


@pytest.mark.parametrize(
    "peak",
    [
        1e9,
        Device("mine", {"float32": 1e9}, 1e9),
        ipyflops.report.Peak("CPU", "", (ipyflops.report.Rate("float32", 1e9),)),
    ],
)
def test_what_a_peak_can_be(peak: object) -> None:
    meter = Meter(peak=peak)  # type: ignore[arg-type]
    loop(meter, [2])
    assert meter.history[0].peak_seconds == pytest.approx(48 / 1e9)


def test_a_name_and_what_is_none() -> None:
    meter = Meter(peak="T4")
    loop(meter, [2])
    assert meter.history[0].peak_seconds == pytest.approx(48 / 8.1e12)
    with pytest.raises(ValueError, match="there is no data sheet of 'H10'"):
        Meter(peak="H10")
    with pytest.raises(ValueError, match="a peak has to be a positive number of FLOPS, not 0"):
        Meter(peak=0)
    with pytest.raises(ValueError, match="there is no convention 'x'"):
        Meter(convention="x")  # type: ignore[arg-type]
    assert Meter().mfu is None
    assert str(Meter()) == "0 steps, 0 counted"


def test_history_is_bounded() -> None:
    meter = Meter()
    assert meter.history.maxlen == 100_000


def test_tensors_are_not_kept_alive() -> None:
    import weakref

    meter = Meter()
    model = nn.Linear(4, 3)
    x = torch.ones(2, 4)
    with meter:
        model(x)
    reference = weakref.ref(x)
    del x
    assert reference() is None
