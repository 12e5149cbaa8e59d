"""Tensors that are more than a tensor: what is counted is what they really compute."""

from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.masked import masked_tensor
from torch.nn.utils import parametrizations, parametrize
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops.counting import FlopCounter
from tests.safety.programs import Pair, counted, modules

MM = 2 * 4 * 4 * 4


class Wrapper(Tensor):
    """A tensor that holds another and logs what is done with it."""

    inner: Tensor
    log: ClassVar[list[str]] = []

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Wrapper":
        made = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        made.inner = inner
        return made  # type: ignore[no-any-return]

    def __init__(self, inner: Tensor) -> None: ...

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.log.append(str(func))
        args, kwargs = _pytree.tree_map_only(cls, lambda t: t.inner, (args, kwargs or {}))
        return _pytree.tree_map_only(Tensor, cls, func(*args, **kwargs))


class Log(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_wrapper_of_the_user() -> None:
    a = Wrapper(torch.ones(4, 4))
    Wrapper.log.clear()
    with FlopCounter() as counter:
        result = a @ a
    assert Wrapper.log == ["aten.mm.default"]
    assert isinstance(result, Wrapper)
    assert torch.equal(result.inner, torch.full((4, 4), 4.0))
    assert counter.report.flops == MM


def test_a_wrapper_among_other_modes() -> None:
    a = Wrapper(torch.ones(4, 4))
    with Log() as plain:
        a @ a
    log, outer, inner = Log(), FlopCounter(), FlopCounter()
    with outer, log, inner:
        a @ a
    assert log.seen == plain.seen
    assert (outer.report.flops, inner.report.flops) == (MM, MM)
    with inner, log:
        a @ a
    assert log.seen == plain.seen * 2
    assert inner.report.flops == 2 * MM


def test_two_wrappers_in_each_other() -> None:
    a = Wrapper(Wrapper(torch.ones(4, 4)))
    with FlopCounter() as counter:
        a @ a
    assert counter.report.flops == MM


class OnlyFunctions(Tensor):
    """A tensor whose class changes functions, and nothing below."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return super().__torch_function__(func, types, args, kwargs or {})


def test_a_subclass_of_functions_and_a_subclass_of_parameters() -> None:
    class Weight(nn.Parameter):
        pass

    model = nn.Linear(4, 4)
    model.weight = Weight(model.weight.detach().clone())
    x = torch.ones(4, 4).as_subclass(OnlyFunctions)
    report = counted(lambda: torch.autograd.grad(model(x).sum(), [model.weight])[0])
    assert modules(report) == {"model": 2 * MM}
    assert report.find("model").parameters == 20


# --- torch's own ---------------------------------------------------------------------------------


def jagged() -> Tensor:
    parts = [torch.ones(3, 4), torch.ones(5, 4)]
    return torch.nested.nested_tensor(parts, layout=torch.jagged)


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_nested_tensors() -> None:
    model = nn.Linear(4, 6)
    ragged = jagged()
    with FlopCounter("contractions") as counter:
        model(ragged)
    assert modules(counter.report) == {"model": 2 * 8 * 4 * 6}
    strided = torch.nested.nested_tensor([torch.ones(3, 4), torch.ones(5, 4)])
    with FlopCounter("contractions") as counter:
        model(strided)
    assert modules(counter.report) == {"model": 2 * 8 * 4 * 6}
    assert counter.report.unknown == {}


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_a_training_step_on_nested_tensors() -> None:
    model = Pair()
    ragged = jagged()
    with FlopCounter("contractions") as counter:
        model(ragged).values().sum().backward()
    assert modules(counter.report)["model.out"] == 3 * 8 * 64
    assert modules(counter.report)["model.layers.0"] == 2 * 8 * 64
    assert counter.report.unknown == {}


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors:UserWarning")
def test_masked_tensors() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    a = masked_tensor(torch.ones(2, 2), mask)
    with FlopCounter() as counter:
        result = (a + a).sum()
    assert result.get_data() == 6
    assert counter.report.flops >= 4
    assert counter.report.unknown == {}


# --- quantized weights, as torchao has them ------------------------------------------------------


class Int8Weight(Tensor):
    """Integers and a scale for each row, which a linear layer multiplies out."""

    @staticmethod
    def __new__(cls, values: Tensor, scale: Tensor) -> "Int8Weight":
        made = Tensor._make_wrapper_subclass(cls, values.shape, dtype=scale.dtype)
        made.values_, made.scale = values, scale
        return made  # type: ignore[no-any-return]

    def __init__(self, values: Tensor, scale: Tensor) -> None: ...

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear:
            x, weight = args[0], args[1]
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            return F.linear(x, weight.values_.to(x.dtype) * weight.scale, bias)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return args[0]
        raise NotImplementedError(f"{func} of a quantized weight")


def test_a_weight_that_is_quantized_as_torchao_does_it() -> None:
    model = nn.Sequential(nn.Linear(4, 6, bias=False))
    values = torch.randint(-5, 5, (6, 4), dtype=torch.int8)
    model[0].weight = nn.Parameter(Int8Weight(values, torch.ones(6, 1)), requires_grad=False)
    x = torch.ones(3, 4)
    expected = model(x)
    with FlopCounter() as counter:
        result = model(x)
    assert torch.equal(result, expected)
    # The scale, and the product.
    assert counter.report.find("model.0").flops == 24 + 2 * 3 * 4 * 6
    assert counter.report.find("model.0").parameters == 24
    assert counter.report.unknown == {}


def test_parametrizations() -> None:
    class Symmetric(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.T

    model = nn.Sequential(nn.Linear(4, 4))
    parametrize.register_parametrization(model[0], "weight", Symmetric())
    report = counted(lambda: torch.autograd.grad(model(torch.ones(4, 4)).sum(), model.parameters()))
    found = modules(report)
    assert found["model.0"] == report.flops
    assert found["model.0.parametrizations.weight.0"] == 3 * MM


def test_weight_norm_and_spectral_norm() -> None:
    for norm in (parametrizations.weight_norm, parametrizations.spectral_norm):
        model = nn.Sequential(norm(nn.Linear(4, 4)))
        with FlopCounter() as counter:
            model(torch.ones(1, 4)).sum().backward()
        assert counter.report.unknown == {}
        assert counter.report.find("model.0").flops > 2 * 32


def test_wrappers_of_fake_tensors() -> None:
    with FakeTensorMode(), FlopCounter() as counter:
        a = Wrapper(torch.ones(4, 4))
        a @ a
    assert counter.report.by_operator["aten::mm"].flops == MM
