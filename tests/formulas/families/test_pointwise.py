"""Each operator written out in arithmetic that counts itself: same values, same operations."""

import math

import pytest
import torch

from ipyflops.formulas import Formula, Unknown, lookup
from ipyflops.formulas.families.pointwise import power_cost
from tests.formulas.counted import Complex, Number, choose, elementwise, f
from tests.formulas.dispatch import costs, integer_ops, total

X = torch.tensor([[-1.7, -0.4, 0.3], [0.9, 1.6, 2.8]], dtype=torch.float64)
Y = torch.tensor([1.2, -0.7, 2.1], dtype=torch.float64)
W = torch.tensor([[0.25], [0.75]], dtype=torch.float64)
Z = torch.complex(X, X.flip(1) * 0.7)
V = torch.complex(Y, Y.flip(0) + 0.1)


def complex_log(z):
    return Complex(f.log(abs(z)), f.atan2(z.im, z.re))


def complex_exp(z):
    size = f.exp(z.re)
    return Complex(size * f.cos(z.im), size * f.sin(z.im))


def complex_sqrt(z):
    t = f.sqrt((abs(z) + abs(z.re)) * 0.5)
    other = z.im / (2.0 * t)
    if z.re.value >= 0:
        return Complex(t, other)
    # The two parts change places; setting their signs is left out.
    sign = math.copysign(1, z.im.value)
    return Complex(Number(abs(other.value)), Number(sign * t.value))


def reciprocal(z):
    size = z.re * z.re + z.im * z.im
    return Complex(z.re / size, -z.im / size)


def sign(x):
    positive, negative = x > 0, x < 0
    return Number(positive - negative)


def fmod(x, y):
    return x - f.trunc(x / y) * y


CASES = [
    (torch.add, lambda x, y: x + y, (X, Y)),
    (lambda x, y: torch.add(x, y, alpha=0.5), lambda x, y: x + 0.5 * y, (X, Y)),
    (torch.add, lambda x, y: x + y, (Z, V)),
    (
        lambda x, y: torch.add(x, y, alpha=2j),
        lambda x, y: x + Complex(Number(0), Number(2)) * y,
        (Z, V),
    ),
    (torch.sub, lambda x, y: x - y, (X, Y)),
    (torch.rsub, lambda x, y: y - x, (X, Y)),
    (lambda x: 3 - x, lambda x: 3 - x, (X,)),
    (lambda x, y: torch.sub(x, y, alpha=3), lambda x, y: x - 3 * y, (X, Y)),
    (torch.ops.aten._add_relu, lambda x, y: f.max(x + y, 0), (X.float(), Y.float())),
    (torch.mul, lambda x, y: x * y, (X, Y)),
    (torch.mul, lambda x, y: x * y, (Z, V)),
    (torch.div, lambda x, y: x / y, (X, Y)),
    (torch.div, lambda x, y: x / y, (Z, V)),
    (
        lambda x, y: torch.div(x, y, rounding_mode="trunc"),
        lambda x, y: f.trunc(x / y),
        (X, Y),
    ),
    (
        lambda x, y: torch.div(x, y, rounding_mode="floor"),
        lambda x, y: f.floor(x / y),
        (X, Y),
    ),
    (torch.floor_divide, lambda x, y: f.floor(x / y), (X, Y)),
    (torch.neg, lambda x: -x, (X,)),
    (torch.neg, lambda x: -x, (Z,)),
    (torch.abs, abs, (X,)),
    (torch.abs, abs, (Z,)),
    (torch.reciprocal, lambda x: 1 / x, (X,)),
    (torch.reciprocal, reciprocal, (Z,)),
    (torch.lerp, lambda x, y, w: x + w * (y - x), (X, Y, W)),
    (torch.lerp, lambda x, y, w: x + w * (y - x), (Z, V, W.to(torch.complex128))),
    (lambda x, y: torch.lerp(x, y, 0.3), lambda x, y: x + 0.3 * (y - x), (X, Y)),
    (torch.addcmul, lambda x, y, w: x + y * w, (X, Y, W)),
    (
        lambda x, y, w: torch.addcmul(x, y, w, value=0.5),
        lambda x, y, w: x + 0.5 * (y * w),
        (X, Y, W),
    ),
    (torch.addcmul, lambda x, y, w: x + y * w, (Z, V, Z)),
    (torch.addcdiv, lambda x, y, w: x + y / w, (X, Y, W)),
    (
        lambda x, y, w: torch.addcdiv(x, y, w, value=-1),
        lambda x, y, w: x + -1 * (y / w),
        (X, Y, W),
    ),
    (torch.addcdiv, lambda x, y, w: x + y / w, (Z, V, Z)),
    (torch.frac, lambda x: x - f.trunc(x), (X,)),
    (torch.fmod, fmod, (X, Y)),
    (torch.remainder, lambda x, y: x - f.floor(x / y) * y, (X, Y)),
    (torch.hypot, lambda x, y: f.sqrt(x * x + y * y), (X, Y)),
    (torch.ldexp, lambda x, y: x * f.exp2(y), (X, Y)),
    (torch.deg2rad, lambda x: x * (math.pi / 180), (X,)),
    (torch.rad2deg, lambda x: x * (180 / math.pi), (X,)),
    (torch.ceil, f.ceil, (X,)),
    (torch.floor, f.floor, (X,)),
    (torch.trunc, f.trunc, (X,)),
    (torch.round, f.round, (X,)),
    (lambda x: torch.round(x, decimals=2), lambda x: f.round(x * 100) / 100, (X,)),
    (torch.sign, sign, (X,)),
    (torch.sgn, sign, (X,)),
    (torch.sgn, lambda z: Complex(z.re / (size := abs(z)), z.im / size), (Z,)),
    (torch.signbit, f.signbit, (X,)),
    (torch.copysign, f.copysign, (X, Y)),
    (torch.nextafter, f.nextafter, (X, Y)),
    (torch.angle, lambda x: choose(x < 0, Number(math.pi), Number(0)), (X,)),
    (torch.angle, lambda z: f.atan2(z.im, z.re), (Z,)),
    (torch.conj_physical, Complex.conj, (Z,)),
    (torch.polar, lambda r, a: Complex(r * f.cos(a), r * f.sin(a)), (X, Y)),
    (torch.eq, lambda x, y: Number(x == y), (X, Y)),
    (torch.ne, lambda x, y: Number((x.re != y.re) | (x.im != y.im)), (Z, V)),
    (torch.lt, lambda x, y: Number(x < y), (X, Y)),
    (torch.ge, lambda x, y: Number(x >= y), (X, Y)),
    (lambda x: torch.gt(x, 0.5), lambda x: Number(x > 0.5), (X,)),
    (torch.isnan, f.isnan, (X,)),
    (torch.isinf, f.isinf, (X,)),
    (torch.maximum, f.max, (X, Y)),
    (torch.max, f.max, (X, Y)),
    (torch.fmin, f.min, (X, Y)),
    (torch.heaviside, lambda x, y: choose(x == 0, y, Number(x > 0)), (X, Y)),
    (lambda x: torch.clamp(x, -1, 1), lambda x: f.min(f.max(x, -1), 1), (X,)),
    (lambda x: torch.clamp(x, max=1), lambda x: f.min(x, 1), (X,)),
    (torch.clamp, lambda x, y, w: f.min(f.max(x, y), w), (X, Y, W)),
    (lambda x: torch.clamp_min(x, 0.1), lambda x: f.max(x, 0.1), (X,)),
    (
        torch.nan_to_num,
        lambda x: choose((x != x) | (x == math.inf) | (x == -math.inf), Number(0), Number(x.value)),
        (X,),
    ),
    (
        torch.logical_and,
        lambda x, y: f.logical_and(x, y),
        (X, Y),
    ),
    (lambda x: x**2, lambda x: x * x, (X,)),
    (lambda x: x**3, lambda x: x * x * x, (X,)),
    (lambda x: x**-2, lambda x: 1 / (x * x), (X,)),
    (lambda x: x**-1, lambda x: 1 / x, (X,)),
    (lambda x: x**0.5, f.sqrt, (X.abs(),)),
    (lambda x: x**-0.5, f.rsqrt, (X.abs(),)),
    (lambda x: x**1.7, lambda x: f.pow(x, 1.7), (X.abs(),)),
    (lambda x: 2**x, lambda x: f.exp2(x), (X,)),
    (torch.pow, f.pow, (X.abs(), Y)),
    (lambda x: x**2, lambda x: x * x, (Z,)),
    (lambda x: x**3, lambda x: x * x * x, (Z,)),
    (lambda x: x**0.5, complex_sqrt, (Z,)),
    (lambda x: x**-1, reciprocal, (Z,)),
    (lambda x: x**-2, lambda x: reciprocal(x * x), (Z,)),
    (lambda x: x**-0.5, lambda x: reciprocal(complex_sqrt(x)), (Z,)),
    (torch.pow, lambda x, y: complex_exp(y * complex_log(x)), (Z, V)),
]


@pytest.mark.parametrize(("operator", "scalar", "inputs"), CASES)
def test_an_operator_costs_what_it_is_written_out(operator, scalar, inputs):
    expected, operations = elementwise(scalar, *inputs)
    result = operator(*inputs)
    torch.testing.assert_close(
        result.to(expected.dtype), expected, atol=1e-6, rtol=1e-6, equal_nan=True
    )
    assert total(lambda: operator(*inputs)) == operations


@pytest.mark.parametrize("operator", [lambda x: x**0, lambda x: x**1, lambda x: 1**x])
def test_powers_that_take_no_arithmetic_are_free(operator):
    assert total(lambda: operator(X)) == 0


def test_frexp_is_one_operation_for_each_element():
    assert total(lambda: torch.frexp(X)) == X.numel()


def test_in_place_out_and_functional_forms_cost_the_same():
    functional = total(lambda: torch.add(X, Y, alpha=2))
    assert functional == 2 * 6
    assert total(lambda: X.clone().add_(Y, alpha=2)) == functional
    assert total(lambda: torch.add(X, Y, alpha=2, out=torch.empty_like(X))) == functional


def test_a_number_costs_as_a_tensor_does():
    assert total(lambda: X + 1) == total(lambda: X + torch.ones(())) == 6
    # Python divides by a reciprocal and a product.
    assert [name for name, _ in costs(lambda: 1 / X)] == ["aten::reciprocal", "aten::mul"]


@pytest.mark.parametrize("size", [(), (0,), (0, 3), (1,)])
def test_scalars_and_empty_tensors(size):
    x = torch.ones(size)
    assert total(lambda: x * x) == x.numel()
    assert total(lambda: torch.clamp(x, 0, 1)) == 2 * x.numel()


def test_integer_arithmetic_is_counted_apart():
    a, b = torch.tensor([7, 8, 9]), torch.tensor([2, 3, 4])
    assert total(lambda: a * b) == 0
    assert integer_ops(lambda: a * b) == 3
    assert integer_ops(lambda: torch.add(a, b, alpha=2)) == 6
    # One instruction each, while floating point numbers take several.
    assert integer_ops(lambda: a % b) == 3
    assert integer_ops(lambda: a // b) == 3
    assert integer_ops(lambda: torch.div(a, b, rounding_mode="trunc")) == 3
    assert integer_ops(lambda: a << 1) == 3
    assert integer_ops(lambda: a & b) == 3
    assert integer_ops(lambda: torch.gcd(a, b)) == 3
    assert integer_ops(lambda: (a > 7) | (b > 2)) == 9
    # True division of whole numbers is floating point.
    assert total(lambda: a / b) == 3


def test_choosing_is_free_and_asking_is_not():
    assert total(lambda: torch.where(X > 0, X, 0.0)) == 6
    assert total(lambda: X.masked_fill(X > 0, 0.0)) == 6


@pytest.mark.parametrize("equal_nan", [False, True])
@pytest.mark.parametrize("inputs", [(X, Y), (Z, V)])
def test_allclose_costs_as_isclose_and_all(inputs, equal_nan):
    a, b = inputs

    def written_out():
        return torch.isclose(a, b, equal_nan=equal_nan).all()

    def whole():
        return torch.allclose(a, b, equal_nan=equal_nan)

    assert [name for name, _ in costs(whole)] == ["aten::allclose"]
    assert total(whole) == total(written_out)
    assert integer_ops(whole) == integer_ops(written_out)


def test_equal_compares_each_pair_unless_the_shapes_differ():
    assert total(lambda: torch.equal(X, X + 0)) == 6 + 6
    assert total(lambda: torch.equal(X, Y)) == 0


def test_inference_mode_tells_the_two_kinds_of_max_apart():
    with torch.inference_mode():
        assert total(lambda: torch.max(X, Y)) == 6
        assert total(lambda: torch.max(X)) == 5


def test_a_power_costs_what_its_products_do():
    assert [power_cost(exponent) for exponent in (0, 1, 2, 3, 4)] == [0, 0, 1, 2, 1]


def test_every_pointwise_operator_of_torch_is_known():
    unknown = []
    for name in torch._C._dispatch_get_all_op_names():
        namespace, _, rest = name.partition("::")
        base, _, overload = rest.partition(".")
        if namespace != "aten" or not hasattr(torch.ops.aten, base):
            continue
        operator = getattr(getattr(torch.ops.aten, base), overload or "default", None)
        if operator is None or torch.Tag.pointwise not in operator.tags:
            continue
        implicit = torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")
        if isinstance(lookup(operator), Unknown) and not implicit:
            unknown.append(name)
    assert unknown == []


def test_a_table_entry_explains_itself():
    verdict = lookup(torch.ops.aten.hypot.default)
    assert isinstance(verdict, Formula)
    assert verdict.family == "pointwise"
    assert "2 squares" in (verdict.function.__doc__ or "")


def test_complex_numbers_times_a_scalar_by_hand() -> None:
    # z + v·w: a complex product (6) and a sum (2) of 6 elements, and a product more with a value.
    assert total(lambda: torch.addcmul(Z, V, Z)) == 6 * (6 + 2)
    assert total(lambda: torch.addcmul(Z, V, Z, value=0.5)) == 6 * (6 + 2 + 6)
    # z + v/w: a complex quotient is 11.
    assert total(lambda: torch.addcdiv(Z, V, Z)) == 6 * (11 + 2)
    assert total(lambda: torch.addcdiv(Z, V, Z, value=0.5)) == 6 * (11 + 2 + 6)
