"""Arithmetic, comparison, logic and rounding, element by element.

The tables say what one element costs; the functions below them are for the operators whose cost
depends on a scalar argument (``alpha``, ``value``, an exponent, a rounding mode). See
`formulas.per_element` for what counts as one operation, and
`families.special_functions` for exp, sin, erf and their kind.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, broadcast_numel
from ipyflops.formulas.cost_expressions import linear, times
from ipyflops.formulas.per_element import PerElement, enter_table, per_element
from ipyflops.formulas.registry import formula

_ARITHMETIC = {
    "mul": PerElement(1, 6, "One product; complex: 4 products and 2 sums."),
    "neg": PerElement(1, 2, "One change of sign, of each part."),
    "abs": PerElement(1, 4, "One sign cleared; complex: √(a² + b²), 2 squares, a sum, a root."),
    "reciprocal": PerElement(1, 6, "1/x; complex: z̄/(a² + b²), 2 squares, a sum, −b, 2 divisions."),
    "lerp": PerElement(3, 10, "start + weight·(end − start): a difference, a product, a sum."),
    "frac": PerElement(2, None, "x − trunc(x): a rounding and a difference."),
    "fmod": PerElement(
        4,
        None,
        "x − trunc(x/y)·y: a division, a rounding, a product, a difference; whole numbers have it "
        "as one remainder.",
        integer=1,
    ),
    "remainder": PerElement(
        4,
        None,
        "x − floor(x/y)·y: a division, a rounding, a product, a difference; whole numbers have it "
        "as one remainder.",
        integer=1,
    ),
    "floor_divide": PerElement(
        2, None, "floor(x/y): a division and a rounding; one division of whole numbers.", integer=1
    ),
    "hypot": PerElement(4, None, "√(x² + y²): 2 squares, a sum, a root."),
    "ldexp": PerElement(2, None, "x·2^y: a power and a product."),
    "deg2rad": PerElement(1, None, "x·π/180, with π/180 at hand: one product."),
    "rad2deg": PerElement(1, None, "x·180/π, with 180/π at hand: one product."),
    "gcd": PerElement(1, None, "One greatest common divisor; its loop depends on the values."),
    "lcm": PerElement(4, None, "|x/gcd(x, y)·y|: a divisor, a division, a product, a sign."),
}

_ROUNDING_AND_SIGN = {
    "ceil": PerElement(1, None, "One rounding."),
    "floor": PerElement(1, None, "One rounding."),
    "trunc": PerElement(1, None, "One rounding."),
    "sign": PerElement(2, None, "Compared with zero from both sides."),
    "sgn": PerElement(2, 6, "Real: as sign. Complex: z/|z| is 4 for |z| and 2 divisions."),
    "signbit": PerElement(1, None, "One test of the sign."),
    "copysign": PerElement(1, None, "One sign set."),
    "frexp": PerElement(1, None, "One number taken apart into mantissa and exponent."),
    "nextafter": PerElement(1, None, "One step to the neighbouring number."),
    "angle": PerElement(1, 1, "Real: compared with zero. Complex: one atan2."),
    "_conj_physical": PerElement(0, 1, "One change of sign, of the imaginary part."),
    "conj_physical": PerElement(0, 1, "One change of sign, of the imaginary part."),
    "polar": PerElement(4, 4, "r·cos φ + i·r·sin φ: a cosine, a sine, 2 products."),
    "nan_to_num": PerElement(3, 6, "Compared with NaN, ∞ and −∞; each part of a complex one."),
}

_COMPARISONS = {
    name: PerElement(1, 2, "One comparison, of each part.")
    for name in ("eq", "ne", "isnan", "isinf")
} | {
    name: PerElement(1, None, "One comparison.")
    for name in (
        *("lt", "le", "gt", "ge", "isposinf", "isneginf"),
        *("maximum", "minimum", "fmax", "fmin", "max.other", "min.other"),
        *("clamp_min", "clamp_max"),
    )
}
_COMPARISONS["heaviside"] = PerElement(2, None, "Compared with zero twice: x = 0, x < 0.")

_LOGIC = {
    name: PerElement(1, 2, "One logical operation on truth values; complex: of each part.")
    for name in ("logical_and", "logical_or", "logical_xor", "logical_not")
} | {
    name: PerElement(1, None, "One operation on whole numbers.")
    for name in (
        *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"),
        *("bitwise_left_shift", "bitwise_right_shift"),
        *("__lshift__", "__rshift__", "__ilshift__", "__irshift__"),
    )
}
#: All of them, by their ATen names.
POINTWISE = _ARITHMETIC | _ROUNDING_AND_SIGN | _COMPARISONS | _LOGIC

enter_table(POINTWISE, __name__)


@formula("aten::add", "aten::sub", "aten::rsub")
def add(call: Call) -> Cost:
    """Self ± alpha·other: one sum, and one product where alpha is not 1 (complex: 2 and 6).

    The sum is free where PyTorch adds a bias to a product that it has just made: in one operator,
    which it is elsewhere, the bias is the first value in the product's accumulator.
    """
    scaled = call.get("alpha", 1) != 1
    if call.adds_bias:
        note = "the layer's bias: the first value in the product's accumulator"
        return per_element(call, int(scaled), 6 * scaled, note=note)
    return per_element(call, 1 + scaled, 2 + 6 * scaled)


@formula("aten::_add_relu")
def add_relu(call: Call) -> Cost:
    """Rectified self + alpha·other: a sum, a comparison, and one product where alpha is not 1."""
    return per_element(call, 2 + (call["alpha"] != 1))


@formula("aten::addcmul")
def addcmul(call: Call) -> Cost:
    """Self + value·a·b: a product, a sum, and one product more where value is not 1."""
    scaled = call.get("value", 1) != 1
    return per_element(call, 2 + scaled, 8 + 6 * scaled)


@formula("aten::addcdiv")
def addcdiv(call: Call) -> Cost:
    """Self + value·a/b: a division, a sum, and one product where value is not 1."""
    scaled = call.get("value", 1) != 1
    return per_element(call, 2 + scaled, 13 + 6 * scaled)


@formula("aten::div")
def div(call: Call) -> Cost:
    """One division, and one rounding with a rounding mode.

    Whole numbers divided with a rounding mode give whole numbers in one division. A complex
    quotient is z·w̄/|w|²: 6 products, 3 sums, 2 divisions.
    """
    rounded = call.get("rounding_mode") is not None and call.is_floating
    return per_element(call, 1 + rounded, 11)


@formula("aten::clamp")
def clamp(call: Call) -> Cost:
    """One comparison for every bound that is given."""
    return per_element(call, (call["min"] is not None) + (call["max"] is not None))


@formula("aten::round")
def round_(call: Call) -> Cost:
    """One rounding; to decimals it is x·10^d, rounded, divided by 10^d."""
    return per_element(call, 3 if call.get("decimals", 0) else 1)


def power_cost(exponent: object, *, complex: bool = False) -> int:
    """Operations of one x^exponent, by the short cuts that kernels take.

    =========  =====================  =====================
    exponent   real                   complex
    =========  =====================  =====================
    0, 1       0                      0
    2, −2      x·x 1, and 1/ 1        6, and 1/ 6
    3          x·x·x 2                12
    ½, −½      √ 1, 1/√ 1             10, 16
    −1         1/x 1                  6
    else       one power 1            exp(y·log x): 5 + 6 + 6
    =========  =====================  =====================
    """
    shortcuts: dict[object, tuple[int, int]] = {
        0: (0, 0),
        1: (0, 0),
        2: (1, 6),
        3: (2, 12),
        0.5: (1, 10),
        -0.5: (1, 16),
        -1: (1, 6),
        -2: (2, 12),
    }
    real_and_complex = shortcuts.get(exponent) if isinstance(exponent, (int, float)) else None
    return (real_and_complex or (1, 17))[complex]


@formula("aten::pow")
def pow_(call: Call) -> Cost:
    """x^y: see `power_cost`; powers of the number 1 are ones, filled in without arithmetic."""
    base = call["self"]
    if not isinstance(base, Tensor) and base == 1:
        return per_element(call, 0, 0)
    exponent = call["exponent"]
    return per_element(call, power_cost(exponent), power_cost(exponent, complex=True))


@formula("aten::equal")
def equal(call: Call) -> Cost:
    """One comparison of each pair, though a kernel may stop early; none if the shapes differ."""
    tensor = call["self"]
    if tensor.shape != call["other"].shape:
        return ZERO_COST
    return Cost.of(other=times(2 if call.is_complex else 1), n=tensor.numel())


@formula("aten::allclose")
def allclose(call: Call) -> Cost:
    """|a − b| ≤ atol + rtol·|b| for every pair, in the operators that PyTorch composes.

    n pairs of a elements of self and b of other. On numbers: |rtol·b| + atol, 3·b; a = b, |a − b|
    (2), that it is finite (an absolute value, 2 comparisons), that it is within the bound: 7·n; a
    test for NaN with equal_nan, a + b. Complex: 11·b, 12·n and 2·(a + b). On truth values: 3·n
    logical operations, 2·n more with equal_nan, and n − 1 to see whether all hold.
    """
    a, b = call["self"], call["other"]
    n = broadcast_numel(a.shape, b.shape)
    if n == 0:
        return ZERO_COST
    pair, bound, nan = (12, 11, 2) if call.is_complex else (7, 3, 1)
    tested = bool(call["equal_nan"])
    return Cost.of(
        other=linear(n=pair, a=nan * tested, b=bound + nan * tested),
        integer=f"{3 + 2 * tested}·n + n − 1",
        n=n,
        a=a.numel(),
        b=b.numel(),
    )
