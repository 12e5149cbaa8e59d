"""Errors of every kind: the user's own error arrives, and nothing of the counter stays."""

import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.checkpoint import checkpoint

from ipyflops.counting import FlopCounter, threads
from ipyflops.counting.process import OPEN
from ipyflops.formulas import FormulaError, temporary_formula
from tests.safety.programs import Pair

A = torch.ones(2, 2)
MM = 16


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    trace, profile = sys.gettrace(), sys.getprofile()
    yield
    assert _get_current_dispatch_mode_stack() == []
    assert threading.getprofile() is None
    assert (sys.gettrace(), sys.getprofile()) == (trace, profile)
    assert OPEN.counters == []
    assert not compiler_steps_aside()
    with FlopCounter() as counter:
        A @ A
    assert (counter.report.flops, counter.report.complete) == (MM, True)


def compiler_steps_aside() -> bool:
    return bool(torch._dynamo.eval_frame._stance.stance != "default")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


ERRORS = [
    ValueError("wrong"),
    KeyboardInterrupt(),
    SystemExit(3),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    StopIteration(),
    Unprintable(),
]


class Failing(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        raise self.error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_a_forward(error: BaseException) -> None:
    model = Failing(error)
    cause = error.__cause__
    counter = FlopCounter()
    with pytest.raises(type(error)) as caught, counter:
        model(A)
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames[-1] == "forward"
    assert not any("ipyflops" in frame.filename for frame in _own_frames(error))
    assert not counter.report.complete
    assert counter.report.error.startswith(type(error).__name__)
    assert counter.report.find("model.first").flops == MM


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    package = threads.__file__.rpartition("counting")[0]
    return [
        one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(package)
    ]


def test_an_operator_that_raises_shows_one_frame_of_ours_at_most() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught, FlopCounter():
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert len(_own_frames(caught.value)) <= 1


def test_an_error_of_a_backward() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError("in backward")

    x = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ZeroDivisionError, match="in backward"), FlopCounter() as counter:
        Wrong.apply(x @ x).sum().backward()  # type: ignore[no-untyped-call]
    assert counter.report.by_operator["aten::mm"].flops == MM


def test_an_error_in_a_recomputation() -> None:
    calls = [0]

    def work(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] > 1:
            raise ZeroDivisionError("again")
        return x @ x

    x = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(ZeroDivisionError, match="again"), FlopCounter() as counter:
        checkpoint(work, x, use_reentrant=False).sum().backward()  # type: ignore[no-untyped-call]
    assert counter.report.by_operator["aten::mm"].flops == MM


def test_an_error_in_a_hook_of_the_user() -> None:
    model = Pair(2)
    model.out.register_forward_hook(lambda *values: 1 / 0)
    with pytest.raises(ZeroDivisionError), FlopCounter() as counter:
        model(A)
    assert counter.report.error == "ZeroDivisionError: division by zero"


def test_an_error_that_the_user_catches() -> None:
    model = Failing(ValueError("wrong"))
    with FlopCounter() as counter:
        for _ in range(2):
            with pytest.raises(ValueError, match="wrong"):
                model(A)
        A @ A
    report = counter.report
    assert (report.complete, report.error) == (True, "")
    assert report.find("model.first").calls == 2
    assert report.find("model").flops == 2 * MM
    assert report.flops == 3 * MM


def test_a_generator_of_a_model_that_is_closed_half_way() -> None:
    class Stream(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
            while True:
                x = self.step(x)
                yield x

    model = Stream()
    with FlopCounter("contractions") as counter:
        stream = model(A)
        next(stream)
        A @ A
        next(stream)
        stream.close()
        A @ A
    report = counter.report
    assert report.find("model.step").flops == 2 * MM
    assert report.find("model").flops == 2 * MM
    assert report.flops == 4 * MM


def test_an_interrupt_of_a_formula_is_the_users(  # a formula may run long
) -> None:
    with torch.library._scoped_library("ipyflops_safety", "FRAGMENT") as library:
        library.define("slow(Tensor x) -> Tensor")
        library.impl("slow", lambda x: x.clone(), "CPU")

        def formula(call: Any) -> int:
            raise KeyboardInterrupt

        operator = torch.ops.ipyflops_safety.slow
        with (
            temporary_formula(operator, formula),
            pytest.raises(KeyboardInterrupt),
            FlopCounter() as counter,
        ):
            operator(A)
        assert counter.report.error == "KeyboardInterrupt"


def test_a_formula_that_fails_leaves_the_operator_unknown() -> None:
    with torch.library._scoped_library("ipyflops_safety", "FRAGMENT") as library:
        library.define("odd(Tensor x) -> Tensor")
        library.impl("odd", lambda x: 2 * x, "CPU")
        operator = torch.ops.ipyflops_safety.odd
        for wrong in (lambda call: "many", lambda call: call.args[7], lambda call: None):
            with (
                temporary_formula(operator, wrong),  # type: ignore[arg-type, return-value]
                pytest.raises(FormulaError, match="ipyflops_safety::odd"),
                FlopCounter() as counter,
            ):
                result = operator(A)
            assert torch.equal(result, 2 * A)
            assert counter.report.unknown == {"ipyflops_safety::odd": 1}
