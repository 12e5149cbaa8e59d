"""What is read of frames, and that reading changes nothing that their code can see."""

from __future__ import annotations

import gc
import sys
import weakref
from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops.attribution.frames import read_variables, self_of
from ipyflops.counting import FlopCounter

LAYER = nn.Linear(4, 4)
X = torch.ones(2, 4)


class WithSelf(nn.Module):
    """Frames of modules are read whenever they are called, for their `self`."""

    def made_by_exec(self, run: Callable[[], Any]) -> Any:
        exec("scale = 3")
        run()
        return eval("scale")

    def written_into_locals(self, run: Callable[[], Any]) -> Any:
        locals()["extra"] = 7
        run()
        return locals()["extra"]

    def imported_by_exec(self, run: Callable[[], Any]) -> Any:
        exec("import math as number")
        run()
        return eval("number.floor(2.5)")

    def beside_a_cell(self, run: Callable[[], Any]) -> Any:
        held = 1

        def inner() -> int:
            return held

        exec("scale = inner() + 1")
        run()
        return eval("scale"), inner()

    def beside_a_free_variable(self, run: Callable[[], Any]) -> Any:
        def inner() -> Any:
            exec("scale = 5")
            run()
            return eval("scale")

        return inner()

    def a_walrus_in_eval(self, run: Callable[[], Any]) -> Any:
        eval("(late := 11)")
        run()
        return eval("late")

    def by_a_callee(self, run: Callable[[], Any]) -> Any:
        _write_into_the_caller()
        run()
        return locals().get("planted")

    def deleted_again(self, run: Callable[[], Any]) -> Any:
        exec("scale = 3")
        run()
        exec("del scale")
        run()
        return "scale" in locals()

    def in_a_generator(self, run: Callable[[], Any]) -> Any:
        def steps() -> Iterator[Any]:
            me = self
            exec("scale = 3")
            yield me
            run()
            yield eval("scale")

        return list(steps())[1]

    def the_names(self, run: Callable[[], Any]) -> Any:
        exec("scale = 3")
        run()
        return sorted(locals())


def _write_into_the_caller() -> None:
    sys._getframe(1).f_locals["planted"] = 13


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives; from Python 3.13 on, names that `exec` makes in a function do not stay.

    Nor does what is written into `locals()`.
    """
    try:
        return call()
    except (NameError, KeyError) as error:
        return repr(error)


METHODS = [name for name, value in vars(WithSelf).items() if callable(value)]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("times", [1, 3])
def test_names_that_are_no_fast_variables_stay(name: str, times: int) -> None:
    def run() -> None:
        for _ in range(times):
            LAYER(X)
            nn.Linear(4, 4)(X)  # its name is looked for among the variables of all frames

    module = WithSelf()
    plain = outcome(lambda: getattr(module, name)(run))
    with FlopCounter() as counter:
        counted = outcome(lambda: getattr(module, name)(run))
    assert counted == plain
    assert counter.report.flops


def a_function(run: Callable[[], Any]) -> Any:
    exec("scale = 3")
    locals()["extra"] = 7
    run()
    return eval("scale"), locals()["extra"]


def test_a_plain_function_keeps_them_as_well() -> None:
    def run() -> None:
        nn.Linear(4, 4)(X)

    plain = outcome(lambda: a_function(run))
    with FlopCounter():
        assert outcome(lambda: a_function(run)) == plain


def test_a_snapshot_holds_no_variable_of_the_function() -> None:
    class Held:
        pass

    def function(self: object) -> tuple[Any, Any]:
        mine, cell = Held(), Held()
        references = weakref.ref(mine), weakref.ref(cell)

        def holds() -> Any:
            return cell

        locals()["scale"] = 3
        frame = sys._getframe()
        assert self_of(frame) is self
        assert read_variables(frame)["cell"] is cell
        del mine
        cell = None  # type: ignore[assignment]
        gc.collect()
        alive = [one() is not None for one in references]
        assert holds() is None
        return alive, locals().get("scale")

    assert function(object()) == ([False, False], 3 if sys.version_info < (3, 13) else None)


def test_the_body_of_a_class_is_not_asked() -> None:
    asked: list[str] = []

    class Namespace(UserDict):  # type: ignore[type-arg]
        def get(self, key: Any, default: Any = None) -> Any:
            asked.append(key)
            return super().get(key, default)

        def items(self) -> Any:
            asked.append("items")
            return super().items()

    class Meta(type):
        @classmethod
        def __prepare__(cls, name: str, bases: Any, **options: Any) -> Any:
            return Namespace()

        def __new__(cls, name: str, bases: Any, namespace: Any) -> Any:
            return super().__new__(cls, name, bases, dict(namespace.data))

    class Builder(nn.Module):
        def forward(self, x: Tensor) -> Any:
            class Made(metaclass=Meta):
                owner = self
                value = nn.Linear(4, 4)(x)

            return Made.value

    with FlopCounter() as counter:
        Builder()(X)
    assert counter.report.flops == 2 * 2 * 4 * 4
    assert not asked


@pytest.mark.parametrize("kind", ["trace", "profile"])
def test_a_trace_function_that_computes_leaves_the_variables_alone(kind: str) -> None:
    """When a trace or profile function ends, Python takes a frame's variables from its snapshot."""

    class Doubles(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            return y * self.factor(y)

        def factor(self, y: Tensor) -> Tensor:
            half = y.sum() / 2
            return half + y.sum() / 2

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename == __file__:
            LAYER(X)
            return trace
        return None

    model = Doubles()
    before, begin = getattr(sys, f"get{kind}")(), getattr(sys, f"set{kind}")
    with FlopCounter():
        begin(trace)
        try:
            result = model(X)
        finally:
            begin(before)
    assert torch.equal(result, X * 2 * 16)


@pytest.mark.parametrize("shapes", [False, True])
def test_the_input_of_a_call_that_is_done_is_let_go(shapes: bool) -> None:
    with torch.no_grad(), FlopCounter(shapes=shapes):
        x = torch.ones(2, 4)
        given = weakref.ref(x)
        y = LAYER(x)
        del x
        # Up to Python 3.10 a profile function has Python keep variables until it is called again.
        sys.getprofile()
        assert given() is None
    assert y.shape == (2, 4)


# From Python 3.13 on nothing but the frame tells it from another: the last marked one is kept.
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="under a tracer the last frame is kept")
@pytest.mark.parametrize("kind", [nn.Linear, nn.LayerNorm])
def test_under_a_tracer_frames_that_it_leaves_alone_let_go_of_their_tensors(kind: Any) -> None:
    """Debuggers and coverage do not trace the lines of libraries."""
    alive: list[bool] = []

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                kind(*(4, 4)[: 2 if kind is nn.Linear else 1]) for _ in "ab"
            )

        def forward(self, x: Tensor) -> Tensor:
            x = x * 2
            first = weakref.ref(x)
            x = self.layers[0](x)
            alive.append(first() is not None)
            return self.layers[1](x)  # type: ignore[no-any-return]

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return None

    model = Chain()
    before = sys.gettrace()
    with torch.no_grad(), FlopCounter() as counter:
        sys.settrace(trace)
        try:
            model(torch.ones(1, 4))
        finally:
            sys.settrace(before)
    assert alive == [False]
    assert [counter.report.find(f"model.layers.{n}").calls for n in (0, 1)] == [1, 1]
