"""Elementary functions written out in real arithmetic that counts itself; special ones by name."""

import math

import pytest
import torch

from tests.formulas.counted import Complex, Number, choose, elementwise, f
from tests.formulas.dispatch import costs, total
from tests.formulas.families.test_pointwise import (
    complex_exp,
    complex_log,
    complex_sqrt,
    reciprocal,
)

X = torch.tensor([0.2, 0.5, 0.7], dtype=torch.float64)
Y = torch.tensor([[0.3], [0.9]], dtype=torch.float64)
# In the first quadrant, where every branch of the inverse functions is the principal one.
Z = torch.complex(X, X.flip(0) * 0.5)


def cis(z, real, imaginary):
    """A function whose parts are products of two functions of the parts of z."""
    (a, b), (c, d) = real, imaginary
    return Complex(
        getattr(f, a)(z.re) * getattr(f, b)(z.im), getattr(f, c)(z.re) * getattr(f, d)(z.im)
    )


def cos(z):
    result = cis(z, ("cos", "cosh"), ("sin", "sinh"))
    return Complex(result.re, -result.im)


def tan(z):
    a, b = z.re * 2, z.im * 2
    divisor = f.cos(a) + f.cosh(b)
    return Complex(f.sin(a) / divisor, f.sinh(b) / divisor)


def tanh(z):
    a, b = z.re * 2, z.im * 2
    divisor = f.cosh(a) + f.cos(b)
    return Complex(f.sinh(a) / divisor, f.sin(b) / divisor)


def plus(z, number):
    """A real number added to the real part."""
    return Complex(z.re + number, z.im)


def scaled(z, number):
    return Complex(z.re * number, z.im * number)


def sigmoid(z):
    return reciprocal(plus(complex_exp(-z), 1))


def arc(z):
    """log(i·z + √(1 − z²)), which asin and acos are made of."""
    square = z * z
    root = complex_sqrt(Complex(1 - square.re, -square.im))
    return complex_log(Complex(root.re - z.im, root.im + z.re))


def asin(z):
    result = arc(z)
    return Complex(result.im, -result.re)


def acos(z):
    result = arc(z)
    return Complex(math.pi / 2 - result.im, result.re)


def atan(z):
    left = complex_log(Complex(z.im + 1, -z.re))
    right = complex_log(Complex(1 - z.im, z.re))
    difference = left - right
    return Complex(difference.im * -0.5, difference.re * 0.5)


def atanh(z):
    difference = complex_log(plus(z, 1)) - complex_log(Complex(1 - z.re, -z.im))
    return scaled(difference, 0.5)


def logaddexp(x, y):
    return f.max(x, y) + f.log1p(f.exp(-abs(x - y)))


def complex_logaddexp(x, y):
    larger = x.re >= y.re
    first, second = (x, y) if larger else (y, x)
    return first + complex_log(plus(complex_exp(second - first), 1))


REAL = [
    (torch.tanh, f.tanh),
    (torch.sigmoid, f.sigmoid),
    (torch.special.logit, lambda x: f.log(x / (1 - x))),
    (
        lambda x: torch.special.logit(x, eps=0.3),
        lambda x: f.log((c := f.min(f.max(x, 0.3), 0.7)) / (1 - c)),
    ),
    (torch.sinc, lambda x: f.sin(p := x * math.pi) / p),
    (torch.special.entr, lambda x: -x * f.log(x)),
    (torch.special.spherical_bessel_j0, lambda x: f.sin(x) / x),
    *(
        (getattr(torch, name), getattr(f, name))
        for name in (
            *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt"),
            *("sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "atanh"),
            *("erf", "erfc", "erfinv", "lgamma", "digamma"),
        )
    ),
    *(
        (getattr(torch.special, name), getattr(f, name))
        for name in (
            *("i0", "i0e", "i1", "i1e", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"),
            *("modified_bessel_i0", "modified_bessel_k1", "scaled_modified_bessel_k0"),
            *("airy_ai", "erfcx", "log_ndtr", "ndtri"),
        )
    ),
]
BINARY = [
    (torch.atan2, f.atan2),
    (torch.logaddexp, logaddexp),
    (torch.logaddexp2, lambda x, y: f.max(x, y) + f.log2(1 + f.exp2(-abs(x - y)))),
    (torch.xlogy, lambda x, y: x * f.log(y)),
    (torch.special.xlog1py, lambda x, y: x * f.log1p(y)),
    (torch.igamma, f.igamma),
    (torch.special.zeta, f.zeta),
]
COMPLEX = [
    (torch.exp, complex_exp),
    (torch.expm1, lambda z: plus(complex_exp(z), -1)),
    (torch.exp2, lambda z: complex_exp(scaled(z, math.log(2)))),
    (torch.log, complex_log),
    (torch.log2, lambda z: scaled(complex_log(z), 1 / math.log(2))),
    (torch.log10, lambda z: scaled(complex_log(z), 1 / math.log(10))),
    (torch.log1p, lambda z: complex_log(plus(z, 1))),
    (torch.sqrt, complex_sqrt),
    (torch.rsqrt, lambda z: reciprocal(complex_sqrt(z))),
    (torch.sin, lambda z: cis(z, ("sin", "cosh"), ("cos", "sinh"))),
    (torch.cos, cos),
    (torch.tan, tan),
    (torch.sinh, lambda z: cis(z, ("sinh", "cos"), ("cosh", "sin"))),
    (torch.cosh, lambda z: cis(z, ("cosh", "cos"), ("sinh", "sin"))),
    (torch.tanh, tanh),
    (torch.sigmoid, sigmoid),
    (torch.asin, asin),
    (torch.acos, acos),
    (torch.atan, atan),
    (torch.asinh, lambda z: complex_log(z + complex_sqrt(plus(z * z, 1)))),
    (torch.acosh, lambda z: complex_log(z + complex_sqrt(plus(z * z, -1)))),
    (torch.atanh, atanh),
    (
        torch.sinc,
        lambda z: cis(p := scaled(z, math.pi), ("sin", "cosh"), ("cos", "sinh")) / p,
    ),
]


def check(operator, scalar, inputs):
    expected, operations = elementwise(scalar, *inputs)
    torch.testing.assert_close(operator(*inputs), expected, atol=1e-6, rtol=1e-6)
    assert total(lambda: operator(*inputs)) == operations


@pytest.mark.parametrize(("operator", "scalar"), REAL)
def test_real_functions(operator, scalar):
    check(operator, scalar, (X,))


@pytest.mark.parametrize(("operator", "scalar"), BINARY)
def test_functions_of_two_numbers(operator, scalar):
    check(operator, scalar, (X + 1, Y + 1))


@pytest.mark.parametrize(("operator", "scalar"), COMPLEX)
def test_complex_functions_in_real_arithmetic(operator, scalar):
    check(operator, scalar, (Z,))


def test_complex_logaddexp():
    expected, operations = elementwise(complex_logaddexp, Z, Z.flip(0))
    torch.testing.assert_close(torch.logaddexp(Z, Z.flip(0)), expected)
    # Compared, subtracted 2, exp 5, 1 added and the logarithm taken 7, added 2.
    assert operations == 3 * 17
    assert total(lambda: torch.logaddexp(Z, Z.flip(0))) == operations


@pytest.mark.parametrize("p", [1, 2, 5])
def test_mvlgamma_is_a_sum_of_p_functions(p):
    x = X + p

    def written_out():
        value = (x - 0).lgamma()
        for j in range(1, p):
            value = value + (x - j / 2).lgamma()
        return value + p * (p - 1) / 4 * math.log(math.pi)

    torch.testing.assert_close(torch.mvlgamma(x, p), written_out())
    assert total(lambda: torch.mvlgamma(x, p)) == total(written_out)


@pytest.mark.parametrize("degree", [0, 3, torch.tensor([1, 2, 9])])
@pytest.mark.parametrize(
    "name",
    [
        "chebyshev_polynomial_t",
        "shifted_chebyshev_polynomial_w",
        "hermite_polynomial_h",
        "laguerre_polynomial_l",
        "legendre_polynomial_p",
    ],
)
def test_a_polynomial_is_one_function_whatever_its_degree(name, degree):
    assert total(lambda: getattr(torch.special, name)(X, degree)) == 3


def test_the_article_prices_tanh_and_sigmoid():
    x = torch.randn(7, 3)
    for operator, price in ((torch.tanh, 5), (torch.sigmoid, 4)):
        ((_, cost),) = costs(lambda operator=operator: operator(x))
        assert cost.article is not None
        assert cost.article.value == cost.other.value == price * x.numel()


def test_whole_numbers_become_floating_point():
    assert total(lambda: torch.exp(torch.arange(5))) == 5


def test_choose_is_free():
    (_, operations) = elementwise(lambda x: choose(True, x, Number(0)), X)
    assert operations == 0
