"""What repeats move on, and how it is put back."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from ipyflops.measuring import restoring
from ipyflops.measuring.restoring import RANDOM, ChangeDetector, Snapshot, variables_of


def compiled(source: str) -> list[Any]:
    return [compile(source, "cell", "exec")]


def training() -> dict[str, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    return {
        "model": model,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "x": torch.ones(2, 3),
        "w": torch.zeros(3, requires_grad=True),
        "generator": torch.Generator(),
    }


def step(found: dict[str, Any]) -> None:
    loss = found["model"](found["x"]).sum()
    loss.backward()
    found["optimizer"].step()
    found["scheduler"].step()
    torch.randn(2, generator=found["generator"])


def state(found: dict[str, Any]) -> list[Any]:
    """Everything, as something that can be compared."""
    model, optimizer = found["model"], found["optimizer"]
    values: list[Any] = [value.tolist() for value in model.state_dict().values()]
    values += [None if one.grad is None else one.grad.tolist() for one in model.parameters()]
    values += [
        {name: float(torch.as_tensor(value).sum()) for name, value in kept.items()}
        for kept in optimizer.state.values()
    ]
    values += [optimizer.param_groups[0]["lr"], found["scheduler"].last_epoch]
    values += [found["x"].tolist(), found["w"].tolist(), model.training]
    values += [found["generator"].get_state().tolist(), torch.get_rng_state().tolist()]
    return values


def test_the_variables_are_those_that_the_code_names() -> None:
    found = training()
    found |= {"helper": eval("lambda: optimizer.step()", found), "other": 3, "unused": found["w"]}
    code = compiled("def f():\n    return model(x)\nother, f(), helper()")
    assert set(variables_of(code, found)) == {"model", "x", "optimizer"}


def test_functions_that_call_each_other_end() -> None:
    found: dict[str, Any] = {"x": torch.ones(1)}
    exec("def f(): return g()\ndef g(): return f() + x", found)
    assert set(variables_of(compiled("f()"), found)) == {"x"}


def test_what_was_not_touched_did_not_move() -> None:
    found = training()
    watch = ChangeDetector(found)
    with torch.no_grad():
        found["model"].eval()
        found["model"](found["x"])
        found["model"].train()
    assert watch.changed() == ()


def test_a_training_step_moves_what_it_trains() -> None:
    found = training()
    watch = ChangeDetector(found)
    step(found)
    assert set(watch.changed()) == {"model", "optimizer", "scheduler", "generator", RANDOM}
    watch = ChangeDetector(found)
    found["w"].data.add_(1)
    found["x"] += 1
    assert "x" in watch.changed()


@pytest.mark.parametrize("draw", [lambda: random.random(), lambda: np.random.rand()])
def test_random_numbers_of_others_are_watched(draw: Any) -> None:
    watch = ChangeDetector({})
    draw()
    assert watch.changed() == (RANDOM,)


def test_a_scaler_of_gradients_is_put_back() -> None:
    """Its scale is halved by each step whose gradients overflow, and moves by itself otherwise."""
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)

    def step(factor: float) -> None:
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    step(1.0)
    found = variables_of(
        compiled("scaler.step(optimizer)"), {"scaler": scaler, "optimizer": optimizer}
    )
    assert set(found) == {"scaler", "optimizer"}
    watch, snapshot = ChangeDetector(found), Snapshot(found)
    step(float("inf"))
    step(float("inf"))
    assert scaler.get_scale() == 1024 / 4
    assert set(watch.changed()) == {"scaler"}
    assert snapshot.restore() == ()
    assert scaler.get_scale() == 1024
    assert scaler.state_dict()["_growth_tracker"] == 1
    step(1.0)  # the second in a row without an overflow
    assert scaler.get_scale() == 2048


class Average:
    """A running average of a value, whose state is made anew each time it is asked for."""

    def __init__(self, *, takes: bool = True, gives: bool = True) -> None:
        self.value = torch.zeros(2)
        self.steps = 0
        self.takes, self.gives = takes, gives

    def update(self, value: torch.Tensor) -> None:
        self.value = 0.9 * self.value + 0.1 * value
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        if not self.gives:
            raise RuntimeError("no state")
        return {"value": self.value.clone(), "steps": self.steps, "history": [(self.value, None)]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.takes:
            self.value, self.steps = state["value"], state["steps"]


def test_whatever_keeps_a_state_is_put_back() -> None:
    average = Average()
    w = torch.ones(2, requires_grad=True)
    average.update(w * 2)  # a graph has made its state, which cannot be copied as it is
    before = average.value.tolist()
    found = variables_of(compiled("average.update(w)"), {"average": average, "w": w})
    watch, snapshot = ChangeDetector(found), Snapshot(found)
    assert watch.changed() == ()
    average.update(w * 3)
    assert watch.changed() == ("average",)
    assert snapshot.restore() == ()
    assert (average.value.tolist(), average.steps) == (before, 1)
    average.update(w * 3)
    assert snapshot.restore() == ()  # what was given to it was a copy
    assert average.value.tolist() == before


@pytest.mark.parametrize("options", [{"takes": False}, {"gives": False}])
def test_what_cannot_be_put_back_is_named(options: dict[str, bool]) -> None:
    average = Average(**options)
    snapshot = Snapshot({"average": average})
    average.update(torch.ones(2))
    assert snapshot.restore() == ("average",)


@pytest.mark.parametrize("value", [Average, torch.nn, mock.MagicMock(), {"state_dict": 1}, 3])
def test_what_keeps_no_state_is_left_alone(value: Any) -> None:
    """A class, a module, and what answers to any name."""
    assert variables_of(compiled("value"), {"value": value}) == {}


class Accelerator:
    """What PyTorch says of an accelerator's random numbers."""

    def __init__(self, names: str) -> None:
        self.state = 7
        setattr(self, f"get_rng_state{names}", lambda: self.state)
        setattr(self, f"set_rng_state{names}", self.set_state)

    def set_state(self, state: int) -> None:
        self.state = state


@pytest.mark.parametrize(("kind", "names"), [("cuda", "_all"), ("xpu", "_all"), ("mps", "")])
def test_random_numbers_of_an_accelerator_are_put_back(
    kind: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator = Accelerator(names)
    monkeypatch.setattr(restoring, "accelerator_in_use", lambda: kind)
    monkeypatch.setattr(restoring, "module_of", {kind: accelerator}.get)
    monkeypatch.setattr(restoring, "_random_fingerprint", lambda: accelerator.state)
    watch, snapshot = ChangeDetector({}), Snapshot({})
    accelerator.state += 1
    assert watch.changed() == (RANDOM,)
    snapshot.restore()
    assert accelerator.state == 7


@pytest.mark.parametrize("steps", [0, 2])
def test_a_snapshot_puts_everything_back(steps: int) -> None:
    found = training()
    for _ in range(steps):
        step(found)
    before = state(found)
    snapshot = Snapshot(found)
    for _ in range(3):
        step(found)
    found["model"].eval()
    with torch.no_grad():
        found["x"].add_(1)
        found["w"].add_(1)
    assert state(found) != before
    snapshot.restore()
    assert state(found) == before
    step(found)


def test_random_numbers_repeat_after_a_snapshot() -> None:
    snapshot = Snapshot({})
    first = torch.rand(1), random.random(), np.random.rand()
    snapshot.restore()
    assert (torch.rand(1), random.random(), np.random.rand()) == first


def test_names_are_bound_again() -> None:
    namespace = {"x": 1, "y": 2}
    snapshot = Snapshot({}, namespace)
    namespace |= {"x": 5, "new": 1}
    del namespace["y"]
    snapshot.restore()
    assert namespace == {"x": 1, "y": 2}


def test_what_is_not_written_to_stays_fit_for_a_backward_pass() -> None:
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    snapshot = Snapshot({"w": w, "loss": loss})
    snapshot.restore()
    loss.backward()
    assert w.grad is not None


def test_odd_tensors_do_no_harm() -> None:
    with torch.inference_mode():
        frozen = torch.ones(2)
    lazy = nn.LazyLinear(3)
    found = {"frozen": frozen, "lazy": lazy}
    watch, snapshot = ChangeDetector(found), Snapshot(found)
    with torch.inference_mode():
        frozen.add_(1)
    snapshot.restore()
    assert frozen.tolist() == [1, 1]
    assert watch.changed() == ()
