"""Numbers read from fake tensors: kept, added up and written; an error where they decide."""

from __future__ import annotations

import copy
import json
import logging
import math
import operator
import pickle
import random
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ipyflops import DryRunError, dry_run
from ipyflops.dry_runs.stand_ins import StandIn, StandInBool, StandInFloat, StandInInt
from tests.dry_runs.test_conversion import check
from tests.pictures import Picture

X = torch.randn(4, 3)
MODEL = nn.Linear(3, 3)
LOG = logging.getLogger("tests.stand_ins")


def loss() -> Tensor:
    return MODEL(X).square().mean()


def count() -> Tensor:
    return (MODEL(X).argmax(-1) == 0).sum()


class Meter:
    """An average, as in PyTorch's ImageNet example."""

    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0

    def update(self, value: float, n: int = 1) -> None:
        self.sum += value * n
        self.count += n
        self.average = self.sum / self.count


def metered() -> str:
    meter = Meter()
    for _ in range(2):
        meter.update(loss().item(), len(X))
    return f"{meter.average:.3e} {meter.sum}"


def kept_in_an_array() -> Any:
    losses = np.array([loss().item(), 1.0])
    return f"{losses.mean():.2f} {np.float64(2) * losses[0]} {np.exp(losses[0])}"


#: What programs do with a number that they read, and nothing is decided by it.
HARMLESS: dict[str, Callable[[], object]] = {
    "printed": lambda: print(
        loss().item(), f"{loss().item():8.3f}", f"{loss():.3f}", loss().item()
    ),
    "by a percent sign": lambda: "%.3f %s %d" % (*(loss().item(), loss().item(), count().item()),),  # noqa: UP031
    "a tensor by a percent sign": lambda: "%.3f %5d" % (loss().detach(), count()),  # noqa: UP031
    "format": lambda: "{:>10.2%} {!r}".format(*(loss().item(), loss().item())),
    "logged": lambda: LOG.warning("loss %.3f after %d", loss().item(), count().item()),
    "appended": lambda: [loss().item() for _ in range(3)],
    "float of a tensor": lambda: sum(float(loss().detach()) for _ in range(2)) / float(3),
    "float of a number": lambda: print(f"{float(loss().item()):.2f}", float(count().item())),
    "int of a tensor": lambda: 100 * int(count()) / len(X),
    "float of each": lambda: list(map(float, MODEL(X).detach().sum(0))),
    "a type as it is": lambda: print(
        [1] * isinstance(2.5, float), {int: 1}[type(True + 1)], float.fromhex("0x1"), int("7", 8)
    ),
    "added up": lambda: sum(loss().item() for _ in range(3)) / 3,
    "a meter": metered,
    "an accuracy": lambda: 100.0 * count().item() / len(X),
    "a perplexity": lambda: math.exp(loss().item()) + math.log(loss().detach()),
    "rounded": lambda: (round(loss().item(), 4), round(loss().item()), math.floor(loss().item())),
    "a list": lambda: [one * 2 for row in MODEL(X).tolist() for one in row],
    "NumPy": kept_in_an_array,
    "copied": lambda: copy.deepcopy({"loss": loss().item()}),
    "in JSON as text": lambda: json.dumps({"loss": f"{loss().item():.3f}"}),
    "compared, and kept": lambda: {"better": loss().item() < 0.5, "same": count().item() == 3},
    "isfinite, kept": lambda: [math.isfinite(loss().item())],
    "asked for its type": lambda: [1] * isinstance(loss().item(), float),
    "a factor": lambda: (MODEL(X) * loss().item()).sum().backward(),
    "the other way round": lambda: (1 - loss().item() / MODEL(X)).sum().backward(),
    "a divisor": lambda: (MODEL(X).sum() / count().item()).backward(),
    "in place": lambda: MODEL(X).mul_(loss().item()).add_(X, alpha=loss().item()),
    "an element": lambda: X.clone().__setitem__((0, 0), loss().item()),
    "filled": lambda: torch.full((2,), loss().item()) + torch.zeros(2).fill_(count().item()),
    "a new tensor": lambda: torch.tensor([loss().item(), 1.0]) * torch.as_tensor(loss().item()),
    "an integer tensor": lambda: torch.tensor(count().item()) + torch.arange(3),
    "many at once": lambda: torch._foreach_mul([X, X], loss().item()),
    "clamped": lambda: MODEL(X).clamp(max=loss().item()),
    "a rate": lambda: step(torch.optim.SGD(MODEL.parameters(), lr=0.1), lr=loss().item()),
}


def step(optimizer: torch.optim.Optimizer, lr: float) -> None:
    optimizer.param_groups[0]["lr"] = lr
    loss().backward()
    optimizer.step()


#: What is decided by a number, and how a program would decide it.
DECIDING: dict[str, Callable[[], object]] = {
    "an if": lambda: 1 if loss().item() < 0.5 else 2,
    "an if on a tensor": lambda: 1 if loss() < 0.5 else 2,
    "not": lambda: not loss().item(),
    "and": lambda: loss().item() and 1,
    "the best": lambda: max(3.0, loss().item()),
    "sorted": lambda: sorted([loss().item(), loss().item()]),
    "in a list": lambda: loss().item() in [1.0, 2.0],
    "is finite": lambda: 1 if math.isfinite(loss().item()) else 0,
    "np.isnan": lambda: 1 if np.isnan(loss().item()) else 0,
    "a range": lambda: list(range(count().item())),
    "an index": lambda: [1, 2, 3, 4, 5][count().item()],
    "a slice": lambda: X[: count().item()],
    "a row": lambda: X[count().item()],
    "set in a row": lambda: X.clone().__setitem__(count().item(), 1.0),
    "a size": lambda: torch.zeros(count().item()),
    "a shape": lambda: X.reshape(count().item(), -1),
    "torch.arange": lambda: torch.arange(loss().item()),
    "a repetition": lambda: [0] * count().item(),
    "the k largest": lambda: X.topk(count().item()),
    "a power": lambda: X ** count().item(),
    "a dropout": lambda: nn.functional.dropout(X, loss().item()),
    "a key": lambda: {count().item(): 1},
    "a set": lambda: {loss().item()},
    "an if on a float": lambda: 1 if float(loss().detach()) < 0.5 else 2,
    "a range of an int": lambda: range(int(count())),
    "float beside a dtype": lambda: np.zeros(3, dtype=float)[0] + float(loss().detach()),
    "float in C": lambda: math.gamma(loss().item()),
    "math.gcd": lambda: math.gcd(count().item(), 4),
    "in an array of floats": lambda: np.zeros(2).__setitem__(0, loss().item()),
    "an array of floats": lambda: np.array([loss().item()], dtype=float),
    "np.argmin": lambda: np.array([loss().item(), 1.0]).argmin(),
    "random": lambda: random.seed(loss().item()),
    "pickled": lambda: pickle.dumps(loss().item()),
    "JSON": lambda: json.dumps(loss().item()),
    "a median": lambda: statistics.median([loss().item(), 1.0]),
    "torch.allclose": lambda: torch.allclose(X, X, rtol=loss().item()),
    "a plateau": lambda: torch.optim.lr_scheduler.ReduceLROnPlateau(
        torch.optim.SGD(MODEL.parameters())
    ).step(loss().item()),
    "complex": lambda: torch.complex(X, X).sum().item(),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_number_that_decides_nothing(name: str) -> None:
    MODEL.zero_grad()
    check(HARMLESS[name], *MODEL.parameters(), X)


@pytest.mark.parametrize("name", DECIDING)
def test_a_number_that_decides_is_an_error_with_its_line(name: str) -> None:
    run = DECIDING[name]
    before = Picture(run, MODEL, X)
    line = run.__code__.co_firstlineno
    with pytest.raises(
        DryRunError, match=rf"^test_stand_ins\.py:({line}|{line + 1}|{line + 2})( \(.+\))?: "
    ):
        dry_run(run)
    before.assert_same(Picture(run, MODEL, X))


def test_a_note_says_that_numbers_are_not_known() -> None:
    (note,) = [one for one in dry_run(metered).notes if "stand-in" in one]
    assert "written as ?" in note
    assert not any("stand-in" in one for one in dry_run(loss).notes)


def test_the_error_says_what_to_do() -> None:
    with pytest.raises(DryRunError, match=r"read from a tensor.*Take this out of the code, give"):
        dry_run(DECIDING["an if"])


def test_the_error_of_a_library_names_what_will_do() -> None:
    with pytest.raises(DryRunError, match=r"float\(\).*kept or printed, tensor\.item\(\) will do"):
        dry_run(lambda: statistics.fmean([loss().detach()]))


# --- stand-ins by themselves ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    ["", "8", "8.3f", "<8", ">8s", "^9.2e", "+.3f", "08.3f", "*^7", "=+9d", "_>12,.1f", ".2%"],
)
def test_a_placeholder_is_as_wide_as_the_number_would_be(form: str) -> None:
    text = format(StandInFloat(), form)
    assert "?" in text
    width = {"": 1, "+.3f": 1, ".2%": 1}.get(form) or int(
        "".join(c for c in form.partition(".")[0].lstrip("*_<>^=+") if c.isdigit())
    )
    assert len(text) == width
    assert text.strip(" *_0") == "?"


OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "lt", "le", "gt", "ge", "eq", "ne")
STAND_INS = {float: StandInFloat, int: StandInInt, bool: StandInBool}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("one", [2.5, 3, True])
@pytest.mark.parametrize("other", [2.5, 3, True, np.float32(2), np.int64(3)])
def test_arithmetic_gives_the_type_that_it_gives_for_numbers(
    one: Any, other: Any, name: str
) -> None:
    compute = getattr(operator, name)
    real = compute(one, other)
    kind = type(real.item()) if isinstance(real, np.generic) else type(real)
    stand_in = STAND_INS[type(one)]()
    for made in (
        compute(stand_in, other),
        compute(other, stand_in),
        *([compute(stand_in, STAND_INS[type(other)]())] if type(other) in STAND_INS else []),
    ):
        assert isinstance(made, StandIn)
        assert isinstance(made, kind)


def test_what_is_computed_from_a_stand_in_is_not_known_either() -> None:
    """PyTorch keeps the values of single numbers; none is worked out from what is in a stand-in."""

    def run() -> None:
        known, changed = torch.tensor(2.0), torch.tensor(2.0)
        assert known.item() == 2.0
        unknown = loss().item()
        changed.mul_(unknown)
        alias = changed.view(1)
        steps = [torch.tensor(1.0)]
        torch._foreach_add_(steps, unknown)
        made = (known * unknown, known + loss(), changed, alias[0], torch.tensor(unknown), *steps)
        assert all(type(one.item()) is StandInFloat for one in made)
        assert type((known < unknown).item()) is StandInBool
        assert type((torch.tensor(2) + count().item()).item()) is StandInInt
        assert known.item() == 2.0

    dry_run(run)


def test_the_functions_are_their_own_again() -> None:
    before = (math.exp, torch.tensor, math.isnan)
    dry_run(metered)
    assert (math.exp, torch.tensor, math.isnan) == before
    dry_run(HARMLESS["float of a tensor"])
    assert "float" not in globals()
    assert "item" not in vars(torch._subclasses.FakeTensor)
    with torch._subclasses.FakeTensorMode():
        fake = torch.ones(2)
    with pytest.raises(torch._subclasses.fake_tensor.DataDependentOutputException):
        fake.sum().item()


# --- training loops ------------------------------------------------------------------------------


def scaled(**options: Any) -> Callable[[], None]:
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def run() -> None:
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                value = nn.functional.mse_loss(model(X), X)
            scaler.scale(value).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, **options)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            print(f"{value.item():.3f} {scaler.get_scale():.1f}")

    return run


@pytest.mark.parametrize("strict", [False, True])
def test_a_gradient_scaler_counts_as_in_a_normal_run(strict: bool) -> None:
    run = scaled(error_if_nonfinite=strict)
    check(run)
    assert any("finite" in note for note in dry_run(run).notes)


@pytest.mark.parametrize("name", ["Adafactor", "AdamW", "SGD", "RMSprop", "LBFGS"])
def test_an_optimizer_with_what_loops_add_to_it(name: str) -> None:
    model = nn.Linear(3, 3)
    options = {"lr": 0.1} if name != "LBFGS" else {"max_iter": 2}
    optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    seen: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.mse_loss(model(X), X)
        value.backward()
        return value

    def run() -> None:
        for _ in range(2):
            seen.append(optimizer.step(closure).item())
            schedule.step()
            averaged.update_parameters(model)
        print(f"{np.mean(seen):.3f} {schedule.get_last_lr()[0]:.4f}")

    if name == "LBFGS":
        with pytest.raises(DryRunError, match=r"^test_stand_ins\.py:\d+.*needs the value"):
            dry_run(run)
    else:
        check(run, *model.parameters(), *averaged.parameters())
