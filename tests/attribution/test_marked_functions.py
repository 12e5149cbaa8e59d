"""Plain functions are marked like forwards, and calls of modules are remembered: work, not time."""

from __future__ import annotations

import dis
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import FlopCounter, Report
from ipyflops.attribution import Locator
from ipyflops.attribution.arrivals import Arrivals

X = torch.ones(1, 2)

#: In another file than the one whose lines are counted.
HELPERS = """
import torch

def loop(function, x, times):
    for _ in range(times):
        x = function(x)
    return x

def add(x, times):
    for _ in range(times):
        x = x + 1
    return x

def steps(x):
    while True:
        x = add(x, 1)
        x = x + 1
        yield x

def decay_and_loss(p):
    p.mul_(0.5)
    with torch.enable_grad():
        return (p * 2).sum()
"""
helpers: dict[str, Any] = {"__name__": "helpers"}
exec(compile(HELPERS, "/nowhere/helpers.py", "exec"), helpers)


def slow_ways(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> int:
    """How often an operator of a run takes the way that reads all frames around."""
    taken: list[Any] = []
    slow = Locator._locate

    def counted(self: Locator, frame: Any) -> Any:
        taken.append(frame.f_code.co_name)
        return slow(self, frame)

    with monkeypatch.context() as patch, FlopCounter():
        patch.setattr(Locator, "_locate", counted)
        run()
    return len(taken)


def test_operators_of_a_helper_do_not_read_the_frames_around_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert slow_ways(monkeypatch, lambda: helpers["add"](X, 100)) <= 5


def test_a_module_called_in_a_helper_is_found_like_one_called_in_a_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Sigmoid()))
    assert slow_ways(monkeypatch, lambda: helpers["loop"](model, X, 50)) <= 5


def test_containers_in_containers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(30):
        model = nn.Sequential(model, nn.ReLU())
    found: list[str] = []
    of_frame = Arrivals.of_frame

    def noted(self: Arrivals, frame: Any, *arguments: Any) -> Any:
        found.append(frame.f_code.co_name)
        return of_frame(self, frame, *arguments)

    with FlopCounter() as counter, monkeypatch.context() as patch:
        for number in range(2):
            model(X)
            if not number:
                patch.setattr(Arrivals, "of_frame", noted)
    assert found == []
    assert counter.report.find("model").calls == 2


def lines(report: Report) -> dict[int, int]:
    """Operators of each line, by the line's distance from the first one."""
    totals = {int(name.split(":")[-1]): one.calls for name, one in report.by_line.items()}
    return {number - min(totals): calls for number, calls in totals.items()}


def test_a_generator_runs_on_the_line_that_asks_it() -> None:
    steps = helpers["steps"](X)
    with FlopCounter() as counter:
        next(steps)
        next(steps)
        helpers["add"](X, 3)
        list(zip(range(2), steps, strict=False))
    assert lines(counter.report) == {0: 2, 1: 2, 2: 3, 3: 4}


def test_a_function_that_two_lines_call_counts_on_both() -> None:
    def both(x: Tensor) -> None:
        helpers["loop"](torch.relu, x, 2)
        helpers["loop"](lambda y: helpers["add"](y, 3), x, 1)

    with FlopCounter() as counter:
        both(X)
        both(X)
    calls = sorted(total.calls for total in counter.report.by_line.values())
    assert calls == [4, 6]


class Decays(torch.optim.SGD):
    """Updates in a helper, which computes a loss afterwards."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        return helpers["decay_and_loss"](self.param_groups[0]["params"][0])


def test_what_a_helper_of_an_optimizer_computes_is_told_by_each_operator() -> None:
    """The update makes no node of autograd; the loss that the same function computes does."""
    weight = nn.Parameter(torch.ones(2))
    with FlopCounter() as counter:
        Decays([weight]).step()
    calls = {phase: total.calls for phase, total in counter.report.by_phase.items() if total.calls}
    assert calls == {"optimizer": 1, "forward": 2}


def test_code_is_taken_apart_once_and_not_in_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which variables its loops assign; that takes longer than all else when a block begins."""
    model, taken = nn.Linear(2, 2), []
    instructions = dis.get_instructions

    def noted(code: Any, **options: Any) -> Any:
        taken.append(code)
        return instructions(code, **options)

    monkeypatch.setattr(dis, "get_instructions", noted)
    names, counts = [], []
    for _ in range(3):
        with FlopCounter() as counter:
            model(X)
        names.append(counter.report.find("model").name)
        counts.append(len(taken))
    assert names == ["model"] * 3
    assert counts[0] == counts[1] == counts[2]


class Parts(nn.Module):
    """Runs its parts one after the other."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


def test_the_second_model_of_a_variable_has_the_names_of_its_own_parts() -> None:
    kept = []  # the parts of the first one live on, so that no id is another's
    with FlopCounter() as counter:
        for more in ((), (Parts(nn.Linear(2, 2)),)):
            model = Parts(nn.Linear(2, 2), nn.ReLU(), *more)
            model(X)
            kept.append(list(model.parts))
            del model
    report = counter.report
    # Products of 1x2 and 2x2 with a bias: 2 * 2 * 2 FLOPs.
    assert report.find("model.parts.0").flops == 2 * 8
    assert report.find("model.parts.2.parts.0").flops == 8
    assert [child.name for child in report.find("model").children] == ["parts"]
