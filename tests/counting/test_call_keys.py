"""Calls that cost differently have different keys: a number that decides the cost is in the key.

What a call costs is worked out once for each key. A floating point number would make a new key in
every step of a learning rate's schedule, so only those that formulas look at are in it. Here every
float of a call is replaced by others: where the formula then gives another cost, the key must be
another one too.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, ops
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops.counting import FlopCounter
from ipyflops.counting.call_keys import key_function
from ipyflops.formulas import Call, Formula, lookup

#: Numbers that formulas look at, as an exponent or the order of a norm; and others around them.
SPECIAL = (0.0, 0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0, math.inf, -math.inf)
ORDINARY = (0.3, 0.25, 1.5, 2.5, 4.0, 7.5, 1e-9, -0.3, -1.5, -3.0, -3.5)
NUMBERS = SPECIAL + ORDINARY


def leaf(*shape: int) -> Tensor:
    return torch.rand(*shape, requires_grad=True)


def backward(result: Tensor) -> None:
    result.sum().backward()


def sgd_step() -> None:
    parameter = torch.nn.Parameter(torch.rand(4))
    parameter.grad = torch.rand(4)
    optimizer = torch.optim.SGD(
        [parameter], lr=0.3, momentum=0.7, dampening=0.2, weight_decay=0.6, fused=True
    )
    optimizer.step()
    optimizer.step()


def adam_step() -> None:
    parameter = torch.nn.Parameter(torch.rand(4))
    parameter.grad = torch.rand(4)
    torch.optim.Adam([parameter], lr=0.3, weight_decay=0.6, fused=True).step()


#: Calls whose cost depends on a float, by what the float is.
PROGRAMS: dict[str, Callable[[], object]] = {
    "exponent": lambda: torch.rand(3) ** 0.3,
    "complex exponent": lambda: torch.rand(3, dtype=torch.complex64) ** 0.3,
    "base": lambda: 0.3 ** torch.rand(3),
    "order of a norm": lambda: torch.linalg.vector_norm(torch.rand(3, 4), 0.3, dim=1),
    "complex norm": lambda: torch.linalg.vector_norm(torch.rand(3, dtype=torch.complex64), 0.3),
    "renorm": lambda: torch.renorm(torch.rand(3, 4), 0.3, 0, 0.7),
    "distances": lambda: backward(torch.cdist(leaf(3, 4), leaf(2, 4), p=0.3)),
    "pairs of rows": lambda: backward(torch.pdist(leaf(3, 4), p=0.3)),
    "alpha of add": lambda: torch.add(torch.rand(3), torch.rand(3), alpha=0.3),
    "alpha of sub": lambda: torch.sub(torch.rand(3), torch.rand(3), alpha=0.3),
    "alpha of rsub": lambda: torch.rsub(torch.rand(3), torch.rand(3), alpha=0.3),
    "addcmul": lambda: torch.addcmul(torch.rand(3), torch.rand(3), torch.rand(3), value=0.3),
    "addcdiv": lambda: torch.addcdiv(torch.rand(3), torch.rand(3), torch.rand(3), value=0.3),
    "addmm": lambda: torch.addmm(
        torch.rand(2, 4), torch.rand(2, 3), torch.rand(3, 4), alpha=0.3, beta=0.7
    ),
    "index_add": lambda: torch.rand(3, 2).index_add(
        0, torch.tensor([0, 2]), torch.rand(2, 2), alpha=0.3
    ),
    "sparse sum": lambda: torch.add(torch.eye(3).to_sparse(), torch.eye(3).to_sparse(), alpha=0.3),
    "softplus": lambda: backward(F.softplus(leaf(3), beta=0.3)),  # type: ignore[arg-type]
    "elu": lambda: backward(F.elu(leaf(3), alpha=0.3)),
    "scaled elu": lambda: ops.aten.elu.default(torch.rand(3), 1.0, 0.3, 1.0),
    "input scale of elu": lambda: ops.aten.elu.default(torch.rand(3), 1.0, 1.0, 0.3),
    "celu": lambda: backward(F.celu(leaf(3), alpha=0.3)),
    "smooth_l1": lambda: backward(F.smooth_l1_loss(leaf(3), torch.rand(3), beta=0.3)),
    "huber": lambda: backward(F.huber_loss(leaf(3), torch.rand(3), delta=0.3)),
    "margin": lambda: backward(
        ops.aten.multi_margin_loss.default(leaf(2, 3), torch.tensor([0, 1]), 1, 0.3)
    ),
    "dropout of attention": lambda: ops.aten._scaled_dot_product_flash_attention_for_cpu.default(
        torch.rand(1, 1, 4, 8), torch.rand(1, 1, 4, 8), torch.rand(1, 1, 4, 8), 0.0, scale=0.3
    ),
    "dropout": lambda: ops.aten.native_dropout.default(torch.rand(3), 0.3, True),
    "interpolation": lambda: F.interpolate(
        torch.rand(1, 1, 6, 6), scale_factor=(0.3, 0.7), mode="bicubic", antialias=True
    ),
    "clamp": lambda: torch.rand(3).clamp(0.3, 0.7),
    "lerp": lambda: torch.lerp(torch.rand(3), torch.rand(3), 0.3),
    "foreach exponent": lambda: torch._foreach_pow([torch.rand(3)], 0.3),
    "foreach exponents": lambda: torch._foreach_pow([torch.rand(3), torch.rand(2)], [0.3, 0.7]),
    "foreach norm": lambda: torch._foreach_norm([torch.rand(3)], 0.3),
    "foreach alpha": lambda: torch._foreach_add([torch.rand(3)], [torch.rand(3)], alpha=0.3),
    "SGD": sgd_step,
    "Adam": adam_step,
}


class Calls(TorchDispatchMode):
    """Keeps every call that has a formula and a float among its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        has_floats = any(True for _ in with_other_floats([args, kwargs], 0.0))
        if has_floats and isinstance(lookup(func), Formula):
            self.seen.append((func, args, kwargs, out))
        return out


def with_other_floats(value: Any, number: float) -> Iterator[Any]:
    """The same, with one of its floats replaced: once for each of them."""
    if type(value) is float:
        yield number
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            for other in with_other_floats(item, number):
                yield [*value[:index], other, *value[index + 1 :]]
    elif isinstance(value, Mapping):
        for name, item in value.items():
            for other in with_other_floats(item, number):
                yield {**value, name: other}


def keys_and_costs(name: str) -> Iterator[list[tuple[float, Any, Any]]]:
    """For each float of each call: the key and the cost with each number in its place."""
    with Calls() as calls:
        PROGRAMS[name]()
    assert calls.seen, "no call has a float"
    for func, args, kwargs, out in calls.seen:
        formula = lookup(func)
        assert isinstance(formula, Formula)
        key = key_function(formula)
        for place in range(len([*with_other_floats([args, kwargs], 0.0)])):
            table = []
            for number in NUMBERS:
                other, named = [*with_other_floats([args, kwargs], number)][place]
                cost = formula(Call(func, tuple(other), named, out))
                table.append((number, key(func, other, named), cost))
            yield table


#: Known faults.
FAULTS = {
    "interpolation": "the width of an antialiasing filter depends on any scale factor, but 0.34 "
    "and 0.49, which both make 2 of 6 pixels, have one key"
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.xfail(reason=FAULTS[name])] if name in FAULTS else [])
        for name in PROGRAMS
    ],
)
def test_calls_of_one_key_cost_the_same(name: str) -> None:
    for table in keys_and_costs(name):
        costs: dict[Any, tuple[float, Any]] = {}
        for number, key, cost in table:
            if key[0] is None:
                continue  # the cost is worked out for every call
            other, known = costs.setdefault(key, (number, cost))
            assert cost == known, f"{number} and {other} have one key"


def test_each_number_in_the_key_decides_what_some_call_costs() -> None:
    """Otherwise the test above would not notice that one of them is left out of the key."""
    deciding = set()
    for name in PROGRAMS.keys() - FAULTS.keys():
        for table in keys_and_costs(name):
            ordinary = [cost for number, _, cost in table if number in ORDINARY]
            deciding |= {
                number for number, key, cost in table if key[0] is not None and cost not in ordinary
            }
    assert deciding == set(SPECIAL)


def test_calls_with_other_floats_are_counted_apart_in_one_block() -> None:
    x = torch.rand(4)
    alone = []
    exponents = (1.0, 2.0, 3.0, 0.3, -2.0, 0.5)
    for exponent in exponents:
        with FlopCounter() as counter:
            x**exponent
        alone.append(counter.report.flops)
    assert alone == [0, 4, 8, 4, 8, 4]
    with FlopCounter() as counter:
        for exponent in exponents:
            x**exponent
    assert counter.report.flops == sum(alone)
    explained = {one.substituted: one.calls for one in counter.report.explain()}
    assert explained == {"0": 1, "4": 3, "2·4": 2}, "and each is explained"


def test_not_a_number_is_an_ordinary_float() -> None:
    x = torch.rand(4)
    with FlopCounter() as counter:
        for exponent in (math.nan, 0.3, math.nan):
            x**exponent
    assert counter.report.flops == 12
