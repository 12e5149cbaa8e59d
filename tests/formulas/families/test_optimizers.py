"""Operators on lists, and every optimizer of `torch.optim` in all the forms it has."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ipyflops.formulas import Formula, FreeOperator, lookup
from ipyflops.formulas.families.foreach import _plain
from tests.formulas.dispatch import costs, total

LISTS = [torch.rand(3, 4) + 1, torch.rand(5) + 1, torch.rand(2, 3) + 1]
OTHERS = [torch.rand(3, 4) + 1, torch.rand(5) + 1, torch.rand(2, 3) + 1]

# Each line: on the list, and the same on one of its tensors.
FOREACH: list[tuple[Callable[[], object], Callable[[Tensor, Tensor], object]]] = [
    (lambda: torch._foreach_add(LISTS, 2.0), lambda a, b: a + 2.0),
    (lambda: torch._foreach_add(LISTS, [2.0, 3.0, 4.0]), lambda a, b: a + 2.0),
    (lambda: torch._foreach_add(LISTS, OTHERS), lambda a, b: a + b),
    (lambda: torch._foreach_add(LISTS, OTHERS, alpha=3), lambda a, b: torch.add(a, b, alpha=3)),
    (lambda: torch._foreach_add(LISTS, torch.tensor(2.0)), lambda a, b: a + 2.0),
    (lambda: torch._foreach_sub(LISTS, OTHERS), lambda a, b: a - b),
    (lambda: torch._foreach_mul(LISTS, [1.0, 2.0, 3.0]), lambda a, b: a * 2.0),
    (lambda: torch._foreach_div(LISTS, OTHERS), lambda a, b: a / b),
    (lambda: torch._foreach_sqrt(LISTS), lambda a, b: a.sqrt()),
    (lambda: torch._foreach_tanh(LISTS), lambda a, b: a.tanh()),
    (lambda: torch._foreach_sigmoid(LISTS), lambda a, b: a.sigmoid()),
    (lambda: torch._foreach_pow(LISTS, 3), lambda a, b: a**3),
    (lambda: torch._foreach_pow(LISTS, [2.0, 2.0, 2.0]), lambda a, b: a**2),
    (lambda: torch._foreach_pow(2.0, LISTS), lambda a, b: 2.0**a),
    (lambda: torch._foreach_pow(LISTS, OTHERS), lambda a, b: a**b),
    (lambda: torch._foreach_lerp(LISTS, OTHERS, 0.3), lambda a, b: a.lerp(b, 0.3)),
    (lambda: torch._foreach_lerp(LISTS, OTHERS, OTHERS), lambda a, b: a.lerp(b, b)),
    (lambda: torch._foreach_addcmul(LISTS, OTHERS, LISTS), lambda a, b: a.addcmul(b, a)),
    (
        lambda: torch._foreach_addcmul(LISTS, OTHERS, LISTS, value=0.5),
        lambda a, b: a.addcmul(b, a, value=0.5),
    ),
    (
        lambda: torch._foreach_addcdiv(LISTS, OTHERS, LISTS, [0.5, 0.5, 0.5]),
        lambda a, b: a.addcdiv(b, a, value=0.5),
    ),
    (
        lambda: torch._foreach_addcdiv(LISTS, OTHERS, LISTS, torch.tensor([0.5, 0.2, 0.1])),
        lambda a, b: a.addcdiv(b, a, value=0.5),
    ),
    (lambda: torch._foreach_maximum(LISTS, 1.5), lambda a, b: a.clamp_min(1.5)),
    (lambda: torch._foreach_clamp_max(LISTS, OTHERS), lambda a, b: torch.clamp_max(a, b)),
    (lambda: torch._foreach_max(LISTS), lambda a, b: a.max()),
    (lambda: torch._foreach_norm(LISTS), lambda a, b: torch.linalg.vector_norm(a)),
    (lambda: torch._foreach_norm(LISTS, 1), lambda a, b: torch.linalg.vector_norm(a, 1)),
    (
        lambda: torch._foreach_norm(LISTS, float("inf")),
        lambda a, b: torch.linalg.vector_norm(a, float("inf")),
    ),
    (lambda: torch._foreach_round(LISTS), lambda a, b: a.round()),
    (lambda: torch._foreach_sign(LISTS), lambda a, b: a.sign()),
]


@pytest.mark.parametrize("case", range(len(FOREACH)))
def test_an_operator_on_a_list_costs_what_it_costs_on_each(case: int) -> None:
    on_list, on_one = FOREACH[case]
    one_by_one = sum(
        total(lambda a=a, b=b: on_one(a, b)) for a, b in zip(LISTS, OTHERS, strict=True)
    )
    assert total(on_list) == one_by_one > 0
    assert [name for name, _ in costs(on_list)] == [costs(on_list)[0][0]]


def test_expressions_of_a_list_stay_readable() -> None:
    [(name, cost)] = costs(lambda: torch._foreach_addcmul_(LISTS, OTHERS, OTHERS, value=0.1))
    assert name == "aten::_foreach_addcmul_"
    assert (cost.other.expression, dict(cost.symbols)) == ("3·n", {"n": 12 + 5 + 6})
    [(_, cost)] = costs(lambda: torch._foreach_norm(LISTS))
    assert dict(cost.symbols)["n"] == 23


def test_lists_in_place_of_integers_and_empty_ones() -> None:
    copies = [tensor.clone() for tensor in LISTS]
    assert total(lambda: torch._foreach_mul_(copies, 2.0)) == 23
    integers = [torch.ones(3, dtype=torch.int64)]
    [(_, cost)] = costs(lambda: torch._foreach_add(integers, 1))
    assert (cost.other.value, cost.integer.value) == (0, 3)
    assert costs(lambda: torch._foreach_zero_(copies)) == []


def all_foreach_operators() -> list[Any]:
    found = []
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        if name.startswith("aten::_foreach_"):
            base, _, overload = name.removeprefix("aten::").partition(".")
            found.append(getattr(getattr(torch.ops.aten, base), overload or "default"))
    return found


@pytest.mark.parametrize("func", all_foreach_operators(), ids=str)
def test_every_operator_on_lists_finds_its_plain_one(func: Any) -> None:
    verdict = lookup(func)
    if isinstance(verdict, FreeOperator):
        assert func._schema.name.removesuffix("_").endswith(("zero", "clone", "copy"))
    else:
        assert isinstance(verdict, Formula)
        assert isinstance(lookup(_plain(func)), Formula)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "Adadelta": {"weight_decay": 0.1},
    "Adagrad": {"weight_decay": 0.1, "lr_decay": 0.1},
    "Adam": {"weight_decay": 0.1, "amsgrad": True},
    "AdamW": {"amsgrad": True},
    "Adamax": {"weight_decay": 0.1},
    "ASGD": {"weight_decay": 0.1},
    "NAdam": {"weight_decay": 0.1},
    "RAdam": {"weight_decay": 0.1},
    "RMSprop": {"weight_decay": 0.1, "momentum": 0.9, "centered": True},
    "Rprop": {},
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
}


def a_step(name: str, options: dict[str, Any], steps: int = 3) -> int:
    """FLOPs of one step, after some others: moments, buffers and corrections are in use."""
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.rand(40, 30)), torch.nn.Parameter(torch.rand(50))]
    optimizer = getattr(torch.optim, name)(parameters, **options)
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter)
    for _ in range(steps):
        optimizer.step()
    return total(optimizer.step)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("with_options", [False, True])
def test_a_step_costs_the_same_in_all_forms(name: str, with_options: bool) -> None:
    options = OPTIMIZERS[name] if with_options else {}
    # At first ASGD averages nothing and RAdam does not rectify; only their loops leave it out.
    steps = 8 if name == "RAdam" else 3
    options = {**options, "t0": 0} if name == "ASGD" else options
    one_by_one = a_step(name, {**options, "foreach": False}, steps)
    foreach = a_step(name, {**options, "foreach": True}, steps)
    n = 40 * 30 + 50
    assert one_by_one > n
    if name in ("ASGD", "RAdam"):
        # On lists they are computed in another order: 8·n against 6·n, 14·n against 17·n.
        assert 0.7 * one_by_one < foreach < 1.4 * one_by_one
    else:
        assert foreach == one_by_one
    if "fused" in inspect.signature(getattr(torch.optim, name)).parameters:
        assert a_step(name, {**options, "fused": True}, steps) == one_by_one


EXACT = ["Adam", "AdamW", "SGD", "Adagrad"]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("maximize", [False, True])
def test_fused_steps_are_the_loop_to_the_digit(name: str, maximize: bool) -> None:
    options = {**OPTIMIZERS[name], "maximize": maximize}
    if name == "SGD":
        options |= {"nesterov": False, "dampening": 0.1}
    plain = a_step(name, {**options, "foreach": False})
    assert a_step(name, {**options, "fused": True}) == plain


def test_the_first_step_of_sgd_copies_the_gradient() -> None:
    options = {"lr": 0.1, "momentum": 0.9}
    first = a_step("SGD", {**options, "fused": True}, steps=0)
    assert first == a_step("SGD", {**options, "foreach": False}, steps=0)
    assert first < a_step("SGD", {**options, "fused": True}, steps=1)


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam", "Adafactor", "Muon"])
def test_the_other_optimizers_count_too(name: str) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Embedding(10, 4, sparse=name == "SparseAdam")
    optimizer = getattr(torch.optim, name)(layer.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = layer(torch.tensor([1, 2, 1])).square().sum()
        loss.backward()
        return loss

    closure()
    assert total(lambda: optimizer.step(closure)) > 12


def test_unscaling_gradients() -> None:
    gradients = [torch.rand(3, 4), torch.rand(5)]
    found, scale = torch.zeros(1), torch.ones(1)
    unscale = torch._amp_foreach_non_finite_check_and_unscale_
    # isfinite is a comparison here: |x| < ∞ without the cost of the absolute value.
    assert total(lambda: unscale(gradients, found, scale)) == sum(
        total(lambda g=g: (torch.isnan(g), g * 0.5)) for g in gradients
    )
    tracker = torch.zeros(1, dtype=torch.int32)
    update = torch._amp_update_scale_
    assert 0 < total(lambda: update(scale, tracker, found, 2.0, 0.5, 100)) < 5
