"""Clean repeats, timed with a clock that only the code moves on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ipyflops import FlopCounter, Report
from ipyflops.measuring import clean_repeats
from ipyflops.report import Timing


class Machine:
    """Code to repeat, and a clock that runs while it does."""

    def __init__(self, seconds: float = 0.01, work: Callable[[int], object] | None = None) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.runs = 0
        self.intercepted: list[bool] = []
        self._work = work or (lambda _: torch.ones(4, 4) @ torch.ones(4, 4))

    def clock(self) -> float:
        return self.now

    def run(self, block: AbstractContextManager[object]) -> object:
        with block:
            self.runs += 1
            self.intercepted.append(_get_current_dispatch_mode() is not None)
            self.now += self.seconds
            return self._work(self.runs)

    def report(self) -> Report:
        with FlopCounter(device_time=False) as counter:
            self._work(0)
        return counter.report

    def timed(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Timing:
        monkeypatch.setattr(clean_repeats, "clock", self.clock)
        return clean_repeats.time_again(self.run, self.report(), **options)


def test_repeats_are_found_by_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    timing = machine.timed(monkeypatch)
    assert timing.median == pytest.approx(0.01)
    assert timing.repeats >= clean_repeats.MIN_REPEATS
    assert timing.repeats * timing.loops * 0.01 >= clean_repeats.MIN_SECONDS
    assert timing.runs == 1 + machine.runs
    assert timing.flops_per_second(128) == pytest.approx(12_800)
    assert timing.refusal == timing.remark == ""
    assert timing.threads == torch.get_num_threads()


def test_a_long_cell_is_repeated_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = Machine(seconds=100.0).timed(monkeypatch)
    assert timing.repeats == clean_repeats.MIN_REPEATS
    assert timing.loops == 1
    assert timing.runs <= clean_repeats.MIN_REPEATS + 4


@pytest.mark.parametrize(
    ("options", "loops", "repeats"),
    [
        ({"loops": 3, "repeats": 4}, 3, 4),
        ({"loops": 2}, 2, clean_repeats.REPEATS),
        ({"repeats": 5}, 20, 5),
    ],
)
def test_loops_and_repeats_are_kept(
    options: dict[str, int], loops: int, repeats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    timing = machine.timed(monkeypatch, **options)
    assert (timing.loops, timing.repeats) == (loops, repeats)
    assert timing.median == pytest.approx(0.01)
    # One run that is counted to compare, one to warm up, and those that were asked for.
    assert machine.runs == 2 + loops * repeats
    assert timing.runs == machine.runs + 1


def test_nothing_is_intercepted_but_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    machine.timed(monkeypatch, loops=1, repeats=2)
    assert machine.intercepted == [True, False, False, False]


def test_a_repeat_that_does_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(work=lambda run: torch.ones(4, 4 + run) @ torch.ones(4 + run, 4))
    timing = machine.timed(monkeypatch, loops=1, repeats=2)
    assert timing.repeats == 2
    assert timing.refusal.startswith("a repeat does 160 FLOPs where the counted run did 128 FLOPs")
    assert timing.flops_per_second(128) == 0


def test_a_small_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(100, 100)
    x = torch.ones(200, 100)

    def work(run: int) -> object:
        return model(x) if run else model(x)[0].relu()

    timing = Machine(work=work).timed(monkeypatch, loops=1, repeats=2)
    assert timing.refusal == ""
    assert "where the counted run did" in timing.remark
    assert timing.flops_per_second(100)


def test_a_repeat_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = nn.Linear(3, 1)(torch.ones(2, 3)).tanh().sum()
    timing = Machine(work=lambda _: loss.backward()).timed(monkeypatch)
    assert timing.refusal.startswith("a repeat failed: RuntimeError: Trying to backward")
    assert timing.seconds == ()
    assert timing.runs == 2
    assert _get_current_dispatch_mode() is None


def test_an_interrupt_is_raised_and_the_state_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1)

    def work(run: int) -> None:
        x.add_(1)
        if run == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Machine(work=work).timed(monkeypatch, variables={"x": x}, restore=True)
    assert x.item() == 1  # as the counted run left it


def test_what_moved_on_is_told_or_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1)
    machine = Machine(work=lambda _: x.add_(1))
    timing = machine.timed(monkeypatch, loops=1, repeats=1, variables={"x": x})
    assert timing.moved == ("x",)
    assert not timing.restored
    assert x.item() == timing.runs
    timing = machine.timed(monkeypatch, loops=1, repeats=1, variables={"x": x}, restore=True)
    assert timing.moved == ()
    assert timing.restored
    assert x.item() == 5


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_compiled_code_is_counted_eagerly_and_timed_compiled() -> None:
    model = nn.Linear(4, 4)
    compilations = compiled_runs = 0

    def backend(graph: Any, inputs: Any) -> Any:
        nonlocal compilations
        compilations += 1

        def run(*arguments: Any) -> Any:
            nonlocal compiled_runs
            compiled_runs += 1
            return graph.forward(*arguments)

        return run

    compiled = torch.compile(lambda x: model(x).relu(), backend=backend)
    x = torch.ones(2, 4)

    def run(block: AbstractContextManager[object]) -> object:
        with block:
            return compiled(x)

    with FlopCounter() as counter:
        compiled(x)
    assert (compilations, compiled_runs) == (0, 0)
    assert any("compiled" in note for note in counter.report.notes)
    timing = clean_repeats.time_again(run, counter.report, loops=2, repeats=3)
    assert timing.refusal == timing.remark == ""
    # Of all runs only the counted ones were eager: the first one, and the check.
    assert compilations == 1
    assert compiled_runs == timing.runs - 2 >= 6
