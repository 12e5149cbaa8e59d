"""``prims::`` operators cost what the ATen operators of their kind do."""

import pytest
import torch
import torch._prims

from tests.formulas.dispatch import integer_ops, total

prims = torch.ops.prims
X = torch.rand(2, 3)
Y = torch.rand(2, 3) + 0.5
Z = torch.complex(X, Y)


@pytest.mark.parametrize(
    ("primitive", "operator", "inputs"),
    [
        (prims.exp, torch.exp, (X,)),
        (prims.tanh, torch.tanh, (X,)),
        (prims.erf_inv, torch.erfinv, (X,)),
        (prims.bessel_i0e, torch.special.i0e, (X,)),
        (prims.reciprocal, torch.reciprocal, (X,)),
        (prims.add, torch.add, (X, Y)),
        (prims.sub, torch.sub, (X, Y)),
        (prims.mul, torch.mul, (X, Y)),
        (prims.div, torch.div, (X, Y)),
        (prims.pow, torch.pow, (X, Y)),
        (prims.fmod, torch.fmod, (X, Y)),
        (prims.maximum, torch.maximum, (X, Y)),
        (prims.add, torch.add, (Z, Z)),
        (prims.mul, torch.mul, (Z, Z)),
        (prims.div, torch.div, (Z, Z)),
        (prims.pow, torch.pow, (Z, Z)),
        (prims.exp, torch.exp, (Z,)),
        (prims.abs, torch.abs, (Z,)),
    ],
)
def test_a_primitive_costs_as_its_operator(primitive, operator, inputs):
    assert total(lambda: primitive(*inputs)) == total(lambda: operator(*inputs))


@pytest.mark.parametrize("x", [X, Z])
@pytest.mark.parametrize("name", ["sum", "prod"])
def test_reductions(name, x):
    assert total(lambda: getattr(prims, name)(x, [1])) == total(lambda: getattr(torch, name)(x, 1))


def test_real_reductions():
    assert total(lambda: prims.amax(X, [1])) == total(lambda: torch.amax(X, 1))
    assert total(lambda: prims.var(X, [1], 1.0)) == total(lambda: torch.var(X, 1))
    assert total(lambda: prims.sum(torch.zeros(0), [0])) == 0


def test_whole_numbers_are_counted_apart():
    whole = torch.arange(6)
    assert total(lambda: prims.shift_left(whole, whole)) == 0
    assert integer_ops(lambda: prims.shift_left(whole, whole)) == 6


def test_moving_data_is_free():
    assert total(lambda: prims.convert_element_type(X, torch.float64)) == 0
    assert total(lambda: prims.where(X > 0, X, Y)) == total(lambda: X > 0)
    assert total(lambda: prims.broadcast_in_dim(X, [2, 3, 4], [0, 1])) == 0
