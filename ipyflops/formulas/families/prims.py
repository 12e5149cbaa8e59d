"""``prims::``, the operators that PyTorch's Python references are written in.

They reach the dispatcher when code calls a reference or a primitive itself. Each costs what the
ATen operator of its kind does.
"""

from __future__ import annotations

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.families.pointwise import POINTWISE
from ipyflops.formulas.families.ranges_and_windows import arange
from ipyflops.formulas.families.special_functions import FUNCTIONS
from ipyflops.formulas.per_element import PerElement, enter_table
from ipyflops.formulas.registry import formula, mark_free

_ATEN = POINTWISE | FUNCTIONS
_OTHER_NAMES = {
    "bessel_i0": "i0",
    "conj_physical": "_conj_physical",
    "bessel_i0e": "special_i0e",
    "bessel_i1": "special_i1",
    "bessel_i1e": "special_i1e",
    "bessel_j0": "special_bessel_j0",
    "bessel_j1": "special_bessel_j1",
    "erf_inv": "erfinv",
    "erfcx": "special_erfcx",
    "ndtri": "special_ndtri",
    "shift_left": "__lshift__",
    "shift_right_arithmetic": "__rshift__",
    "spherical_bessel_j0": "special_spherical_bessel_j0",
    "zeta": "special_zeta",
}
_SAME_NAMES = (
    *("abs", "neg", "mul", "reciprocal", "fmod", "remainder", "hypot", "gcd", "sign", "signbit"),
    *("ceil", "floor", "trunc", "frexp", "nextafter", "maximum", "minimum"),
    *("fmax", "fmin", "eq", "ne", "lt", "le", "gt", "ge"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh"),
    *("atanh", "atan2", "erf", "erfc", "lgamma", "digamma", "igamma", "igammac"),
)
_ALONE = {
    "add": PerElement(1, 2, "One sum."),
    "sub": PerElement(1, 2, "One difference."),
    "div": PerElement(1, 11, "One division; complex: 6 products, 3 sums, 2 divisions."),
    "pow": PerElement(1, 17, "One power; complex: exp(y·log x), 5 + 6 + 6."),
    "cbrt": PerElement(1, None, "One root."),
    "round": PerElement(1, None, "One rounding."),
    "isfinite": PerElement(1, 2, "One comparison, of each part."),
}

enter_table(
    {name: _ATEN[name] for name in _SAME_NAMES}
    | {name: _ATEN[aten] for name, aten in _OTHER_NAMES.items()}
    | _ALONE,
    __name__,
    namespace="prims",
)

formula("prims::iota")(arange)

#: Multiples of n elements and of m results, real and complex; see `families.reductions`.
_REDUCTIONS = {
    "prims::sum": ({"n": 1, "m": -1}, {"n": 2, "m": -2}),
    "prims::prod": ({"n": 1, "m": -1}, {"n": 6, "m": -6}),
    "prims::var": ({"n": 4}, {"n": 8}),
}


@formula("prims::sum", "prims::prod", "prims::amax", "prims::amin", "prims::xor_sum", "prims::var")
def reduction(call: Call) -> Cost:
    """Steps n − m (a complex sum 2, a complex product 6); a variance 4·n, complex 8·n."""
    n, m = call["inp"].numel(), first_output(call).numel()
    if n == 0:
        return ZERO_COST
    costs = _REDUCTIONS.get(call.operator, _REDUCTIONS["prims::sum"])
    return Cost.of(other=linear(**costs[call.is_complex]), n=n, m=m)


mark_free(
    "elements are copied, put in another order or together, or chosen",
    "prims::as_strided_scatter",
    "prims::cat",
    "prims::clone",
    "prims::collapse",
    "prims::convert_element_type",
    "prims::copy_strided",
    "prims::copy_to",
    "prims::device_put",
    "prims::imag",
    "prims::item",
    "prims::real",
    "prims::reshape",
    "prims::rev",
    "prims::where",
)
mark_free(
    "the same elements under another shape, memory that is not filled, or a property",
    "prims::_make_token",
    "prims::_sink_tokens",
    "prims::as_strided",
    "prims::broadcast_in_dim",
    "prims::collapse_view",
    "prims::conj",
    "prims::empty",
    "prims::empty_permuted",
    "prims::empty_strided",
    "prims::maximum_value",
    "prims::minimum_value",
    "prims::resize",
    "prims::split_dim",
    "prims::squeeze",
    "prims::transpose",
    "prims::view_of",
    "prims::view_of_dtype",
    moves_data=False,
)
mark_free(
    "memory is filled with values that are known",
    "prims::fill",
    "prims::full",
    "prims::full_like",
    "prims::scalar_tensor",
)
mark_free("random numbers are drawn", "prims::normal", "prims::uniform")

# Operators that exist once torch's compiler back end has been loaded.


@formula("prims::fma")
def fma(call: Call) -> Cost:
    """A product and a sum for each element, a·b + c."""
    return Cost.of(other="2·n", n=first_output(call).numel())


# PyTorch 2.6 calls the two with 2d in their names.
@formula("prims::_low_memory_max_pool_with_offsets", "prims::_low_memory_max_pool2d_with_offsets")
def max_pool_with_offsets(call: Call) -> Cost:
    """As every max pool: one for each result, which is the article's count."""
    n = first_output(call).numel()
    return Cost.of(other="n", article="n", n=n)


@formula("prims::prepare_softmax_online")
def prepare_softmax(call: Call) -> Cost:
    """The sum of the exponentials of each row: exp n, sums n − rows; as in softmax no shift."""
    return Cost.of(other="2·n − rows", n=call["a"].numel(), rows=first_output(call).numel())


mark_free(
    "random numbers are drawn, or their seeds kept",
    "prims::inductor_lookup_seed",
    "prims::inductor_rand_eager_offset",
    "prims::inductor_rand_eager_offsets",
    "prims::inductor_randint",
    "prims::inductor_random",
    "prims::inductor_seed",
    "prims::inductor_seeds",
)
mark_free(
    "elements are moved, converted or addressed",
    "prims::_low_memory_max_pool_offsets_to_indices",
    "prims::_low_memory_max_pool2d_offsets_to_indices",  # PyTorch 2.6
    "prims::_unsafe_index_put_",
    "prims::inductor_cvt_e8m0_rceil",
    "prims::inductor_force_stride_order",
)
