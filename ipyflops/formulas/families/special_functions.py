"""Elementary and special functions, element by element.

A function of the C mathematics library, or a special function that a kernel evaluates by an
approximation of its own (erf, lgamma, a Bessel function, an orthogonal polynomial whose degree is
an element of a tensor), is one operation; tanh is 5 and sigmoid 4, as the article has it. What is a
formula of such functions costs that formula. See `formulas.per_element`.
"""

from __future__ import annotations

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.per_element import PerElement, enter_table, per_element
from ipyflops.formulas.registry import formula

# Complex: z = a + i·b; a sum of complex numbers is 2, a product 6, a square root 10, a logarithm 6.
_ELEMENTARY = {
    "exp": PerElement(1, 5, "Complex: e^a·(cos b + i·sin b), 3 functions and 2 products."),
    "exp2": PerElement(1, 7, "Complex: exp(z·ln 2), 2 products and 5."),
    "expm1": PerElement(1, 6, "Complex: exp(z) − 1, 5 and a difference of the real part."),
    "log": PerElement(1, 6, "Complex: ln|z| + i·atan2(b, a), 4 + 1 + 1."),
    "log2": PerElement(1, 8, "Complex: log(z)/ln 2, 6 and 2 products."),
    "log10": PerElement(1, 8, "Complex: log(z)/ln 10, 6 and 2 products."),
    "log1p": PerElement(1, 7, "Complex: log(z + 1), a sum of the real part and 6."),
    "sqrt": PerElement(
        1,
        10,
        "Complex: t = √((|z| + |a|)/2) and b/(2·t): |z| 4, |a|, a sum, a half, a root; 2·t, a "
        "division.",
    ),
    "rsqrt": PerElement(1, 16, "Complex: 1/√z, 10 and 6."),
    "sin": PerElement(1, 6, "Complex: sin a·cosh b + i·cos a·sinh b, 4 functions, 2 products."),
    "cos": PerElement(1, 7, "Complex: cos a·cosh b − i·sin a·sinh b, 4 functions, 2 products, −."),
    "tan": PerElement(
        1,
        9,
        "Complex: (sin 2a + i·sinh 2b)/(cos 2a + cosh 2b): 2 doublings, 4 functions, a sum, 2 "
        "divisions.",
    ),
    "sinh": PerElement(1, 6, "Complex: sinh a·cos b + i·cosh a·sin b, 4 functions, 2 products."),
    "cosh": PerElement(1, 6, "Complex: cosh a·cos b + i·sinh a·sin b, 4 functions, 2 products."),
    "tanh": PerElement(
        5,
        9,
        "(e^x − e^−x)/(e^x + e^−x), by the article: exp, exp^−1, sub, add, div. Complex: (sinh 2a "
        "+ i·sin 2b)/(cosh 2a + cos 2b): 2 doublings, 4 functions, a sum, 2 divisions.",
        article=True,
    ),
    "sigmoid": PerElement(
        4,
        14,
        "1/(1 + e^−x), by the article: negate, exp, add, div. Complex: 2 + 5 + 1 + a reciprocal 6.",
        article=True,
    ),
    "asin": PerElement(
        1, 27, "Complex: −i·log(i·z + √(1 − z²)): 6 + 2 + 10, a sum 2, a logarithm 6, a sign."
    ),
    "acos": PerElement(
        1, 27, "Complex: π/2 + i·log(i·z + √(1 − z²)): 26 as for asin, a difference."
    ),
    "atan": PerElement(
        1,
        19,
        "Complex: i/2·(log(1 − i·z) − log(1 + i·z)): 3 sums and signs, 2 logarithms 12, a "
        "difference 2, a half 2.",
    ),
    "asinh": PerElement(1, 25, "Complex: log(z + √(z² + 1)): 6 + 1 + 10, a sum 2, log 6."),
    "acosh": PerElement(1, 25, "Complex: log(z + √(z² − 1)): 6 + 1 + 10, a sum 2, log 6."),
    "atanh": PerElement(
        1,
        19,
        "Complex: ½·(log(1 + z) − log(1 − z)): 3 sums and signs, 2 logarithms 12, a difference 2, "
        "a half 2.",
    ),
    "atan2": PerElement(1, None, "One function."),
    "sinc": PerElement(3, 19, "sin(π·x)/(π·x): a product, a sine, a division; complex 2 + 6 + 11."),
    "logaddexp": PerElement(
        7,
        17,
        "max(x, y) + log1p(exp(−|x − y|)): a maximum, a difference, |·|, −, exp, log1p, a sum. "
        "Complex, x with the larger real part (1): x + log1p(exp(y − x)), 2 + 5 + 7 + 2.",
    ),
    "logaddexp2": PerElement(
        8, None, "max(x, y) + log2(1 + 2^−|x − y|): as logaddexp, with a sum in the logarithm."
    ),
    "xlogy": PerElement(2, None, "x·log(y): a logarithm and a product."),
    "special_xlog1py": PerElement(2, None, "x·log1p(y): a logarithm and a product."),
    "special_entr": PerElement(3, None, "−x·log(x): a sign, a logarithm, a product."),
    "special_spherical_bessel_j0": PerElement(2, None, "sin(x)/x: a sine and a division."),
}

_ONE_FUNCTION = (
    *("erf", "erfc", "erfinv", "special_erfcx", "special_ndtri", "special_log_ndtr"),
    *("lgamma", "digamma", "polygamma", "igamma", "igammac", "special_zeta"),
    *("_standard_gamma_grad", "_dirichlet_grad"),
    *("i0", "special_i0e", "special_i1", "special_i1e", "special_airy_ai"),
    *(f"special_bessel_{kind}" for kind in ("j0", "j1", "y0", "y1")),
    *(f"special_modified_bessel_{kind}" for kind in ("i0", "i1", "k0", "k1")),
    *(f"special_scaled_modified_bessel_{kind}" for kind in ("k0", "k1")),
    *(f"special_chebyshev_polynomial_{kind}" for kind in "tuvw"),
    *(f"special_shifted_chebyshev_polynomial_{kind}" for kind in "tuvw"),
    *("special_hermite_polynomial_h", "special_hermite_polynomial_he"),
    *("special_laguerre_polynomial_l", "special_legendre_polynomial_p"),
)

#: All of them, by their ATen names.
FUNCTIONS = _ELEMENTARY | {
    name: PerElement(1, None, "One special function.") for name in _ONE_FUNCTION
}

enter_table(FUNCTIONS, __name__)


@formula("aten::logit")
def logit(call: Call) -> Cost:
    """log(x/(1 − x)): a difference, a division, a logarithm; with eps 2 comparisons to clamp."""
    return per_element(call, 3 if call["eps"] is None else 5)


@formula("aten::mvlgamma")
def mvlgamma(call: Call) -> Cost:
    """The sum p·(p − 1)/4·log π + Σ lgamma(x − j/2): p differences, p functions, p sums."""
    return per_element(call, 3 * call["p"])
