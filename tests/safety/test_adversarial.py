"""Names and classes that break what is careless: none breaks a count, or is broken by one."""

import json
import sys
import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops.counting import FlopCounter
from ipyflops.report import Report
from tests.safety.programs import Pair, adds_up, modules

X = torch.ones(1, 4)
NAMES = [
    "<img src=x onerror=alert(1)>", "a'b\"c", "two\nlines", "🦜", "\x1b[31mred", "", " ", "é́",
    "\u202eright to left", "__class__", "</script>", "{braces}", "%s", "\x00", "\ud800", "a" * 1000,
]  # fmt: skip


class Named(nn.Module):
    """A module whose children have the names that it is given."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        for name in names:
            self._modules[name] = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for child in self._modules.values():
            x = child(x)  # type: ignore[misc]
        return x


def test_names_of_any_characters() -> None:
    model = Named([*NAMES, "with.dot"])
    with FlopCounter("contractions") as counter:
        model(X).sum().backward()
    report = counter.report
    adds_up(report)
    found = {node.name for node in report.find("model").children}
    assert found == {*NAMES, "with.dot"}
    assert str(report)
    assert report._repr_mimebundle_()
    again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    # No file in UTF-8 holds half of a surrogate pair; all other names are as they were.
    written = {name.replace("\ud800", "?") for name in found}
    assert {node.name for node in again.find("model").children} == written
    assert again == Report.from_dict(again.to_dict())
    assert again.by_operator == report.by_operator


def test_a_dot_in_a_name_does_not_confuse_a_path() -> None:
    model = nn.ModuleDict({"a": Named(["b"])})
    model["a"]._modules["b.c"] = nn.Linear(4, 4)
    with FlopCounter("contractions") as counter:
        model["a"](X)
    assert modules(counter.report)["model.a"] == 2 * 32
    assert len(counter.report.find("model.a").children) == 2


def test_variables_of_any_name() -> None:
    models = {"<b>": Pair(), "": Pair(), "a.b": Pair(), 7: Pair()}
    namespace: dict[Any, Any] = {**models, "x": X}
    code = "for key in list(globals()):\n    if key in models():\n        globals()[key](x)"
    namespace["models"] = lambda: models
    with FlopCounter("contractions") as counter:
        exec(code, namespace)
    assert counter.report.flops == 4 * 128


# --- size ----------------------------------------------------------------------------------------


#: PyTorch nests modules no deeper on Python 3.12, where C code may call itself some 600 times.
LEVELS = 200 if sys.version_info[:2] == (3, 12) else 1000


class Nest(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


def test_a_model_that_is_nested_deep() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        model: nn.Module = nn.Linear(4, 4, bias=False)
        for _ in range(LEVELS):
            model = Nest(model)
        start = time.perf_counter()
        with FlopCounter("contractions") as counter:
            model(X).sum().backward()
        seconds = time.perf_counter() - start
    finally:
        sys.setrecursionlimit(before)
    report = counter.report
    adds_up(report)
    deepest = ".".join(["model", *["inner"] * LEVELS])
    assert report.find(deepest).flops == 64
    assert report.find("model").flops == 64
    assert seconds < 100  # not the square of their number
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_hundred_thousand_modules() -> None:
    class Many(nn.Module):
        def __init__(self, width: int, deep: int) -> None:
            super().__init__()
            make = (lambda: nn.Identity()) if deep == 0 else (lambda: Many(width, deep - 1))
            self.parts = nn.ModuleList(make() for _ in range(width))

        def forward(self, x: Tensor) -> Tensor:
            for part in self.parts[:2]:
                x = part(x) + 1
            return x

    model = Many(46, 2)
    assert sum(1 for _ in model.modules()) > 99_000
    start = time.perf_counter()
    with FlopCounter() as counter:
        model(X)
    seconds = time.perf_counter() - start
    adds_up(counter.report)
    assert counter.report.find("model.parts.1.parts.0").calls == 1
    assert seconds < 100  # not the square of their number


def test_a_report_of_ten_thousand_modules_is_small() -> None:
    model = nn.Sequential(
        *(nn.Sequential(*(nn.Linear(2, 2) for _ in range(99))) for _ in range(100))
    )
    with FlopCounter() as counter, torch.no_grad():
        model(torch.ones(1, 2))
    report = counter.report
    assert len(report.scopes) > 10_000
    assert len(json.dumps(report.to_dict(), separators=(",", ":"))) < 2_000_000
    assert report.find("model.99.98").flops == 8


# --- classes that misbehave ----------------------------------------------------------------------


class Trap:
    """Raises at whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"asked for {name}")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __bool__(self) -> bool:
        raise RuntimeError("truth")

    __hash__ = None  # type: ignore[assignment]


class TrapMeta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("isinstance")

    def __subclasscheck__(cls, subclass: type) -> bool:
        raise RuntimeError("issubclass")


class TrapOfTraps(metaclass=TrapMeta):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("class")

    def work(self) -> Tensor:
        return X @ X.T


class NoAttributes(nn.Module):
    """Its attributes come from nowhere else than a method that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, bias=False)

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "_parameters", "_modules", "_buffers"):
            return super().__getattr__(name)
        raise RuntimeError(f"no {name}")

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


class OwnCall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, bias=False)

    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


class CallsItsForward(OwnCall):
    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)


class OtherClass(OwnCall):
    @property
    def __class__(self) -> Any:
        return dict


class FailingClass(OwnCall):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("class")


class BadNames(OwnCall):
    def named_modules(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("named_modules")

    def named_children(self) -> Any:
        raise RuntimeError("named_children")

    def parameters(self, recurse: bool = True) -> Any:
        raise RuntimeError("parameters")


class BadEquality(OwnCall):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __bool__(self) -> bool:
        raise RuntimeError("truth")

    def __len__(self) -> int:
        raise RuntimeError("length")

    __hash__ = None  # type: ignore[assignment]


class Slots(OwnCall):
    __slots__ = ("extra",)


CLASSES = [
    NoAttributes, OwnCall, CallsItsForward, OtherClass, FailingClass, BadNames, BadEquality, Slots
]  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_that_misbehave(kind: type[nn.Module]) -> None:
    model = kind()
    with FlopCounter("contractions") as counter:
        for _ in range(2):
            result = model(X)
    assert torch.equal(result, model(X))
    assert modules(counter.report) == {"model": 64, "model.inner": 64}
    assert counter.report.find("model").type == kind.__name__
    assert counter.report.find("model").calls == 2
    assert counter.report.find("model.inner").calls == 2


def test_values_that_misbehave_lie_about() -> None:
    trap, other = Trap(), TrapOfTraps()
    model = Pair()

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.__dict__["trap"] = trap
            self.__dict__["list"] = [other, trap, nn.Linear(4, 4)]

        def forward(self, x: Tensor) -> Tensor:
            return self.list[2](x)  # type: ignore[no-any-return, operator, index]

    holder = Holder()
    with FlopCounter("contractions") as counter:
        model(X)
        holder(X)
        other.work()
    found = modules(counter.report)
    assert found["model"] == 128
    assert found["holder.list.2"] == 32
    assert trap is not None


def test_a_self_that_is_no_module() -> None:
    model = Pair()

    def work(self: Any) -> Tensor:
        return model(X) @ X.T  # type: ignore[no-any-return]

    for value in (Trap(), TrapOfTraps(), TrapMeta, None, 1, Trap, nn.Module):
        with FlopCounter("contractions") as counter:
            work(value)
        assert counter.report.find("model").calls == 1
        assert counter.report.flops == 128 + 8


def test_a_deleted_self() -> None:
    class Gone(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            del self
            return x @ x.T

    model = Gone()
    with FlopCounter("contractions") as counter:
        model(X)
    assert counter.report.flops == 8


def test_a_module_that_was_never_initialised() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            pass

        def work(self, x: Tensor) -> Tensor:
            return x @ x.T

    model = Lazy()
    with FlopCounter("contractions") as counter:
        model.work(X)
    assert modules(counter.report) == {"model": 8}


def test_a_module_that_changes_its_children_while_it_runs() -> None:
    class Growing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            setattr(self, f"part{len(self._modules)}", nn.Linear(4, 4))
            for child in self._modules.values():
                x = child(x)  # type: ignore[misc]
            return x

    model = Growing()
    with FlopCounter("contractions") as counter:
        for _ in range(3):
            model(X)
    found = modules(counter.report)
    assert [found[f"model.part{number}"] for number in range(3)] == [96, 64, 32]


def test_a_module_that_contains_itself() -> None:
    model = Pair()
    model._modules["again"] = model
    with FlopCounter("contractions") as counter:
        model(X)
    assert modules(counter.report)["model.out"] == 64


def test_a_layer_that_is_replaced_keeps_what_it_has_counted() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    first = model[0]
    with FlopCounter(device_time=False) as counter:
        model(torch.ones(2, 4))
        model[0] = nn.Linear(4, 4)
        model(torch.ones(2, 4))
    report = counter.report
    # Two products of 2·2·4·4, and two of 2·4 maxima; the first layer still lives.
    assert report.flops == 2 * 64 + 2 * 8
    assert {child.name: child.flops for child in report.find("model").children} == {
        "0": 64, "1": 16, "0#2": 64
    }  # fmt: skip
    assert first is not model[0]
