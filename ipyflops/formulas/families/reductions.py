"""Sums, extremes and moments of many elements, and the same along the way (cumulative).

In the expressions n is the number of elements and m the number of results, so that each result is
made of n/m elements. One result of r elements takes r − 1 steps: n − m for all of them. A reduction
over no elements does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.registry import formula


def _reduce(call: Call, real: Mapping[str, int], complex: Mapping[str, int] | None = None) -> Cost:
    """Cost of a reduction, as multiples of n and m."""
    n, m = call["self"].numel(), first_output(call).numel()
    if n == 0:
        return ZERO_COST
    coefficients = complex if complex is not None and call.is_complex else real
    return Cost.of(other=linear(**coefficients), n=n, m=m)


@formula("aten::sum")
def sum_(call: Call) -> Cost:
    """Additions, n − m; complex ones are 2."""
    return _reduce(call, {"n": 1, "m": -1}, {"n": 2, "m": -2})


@formula("aten::nansum")
def nansum(call: Call) -> Cost:
    """A test for NaN each, n, and additions, n − m; complex both twice."""
    return _reduce(call, {"n": 2, "m": -1}, {"n": 4, "m": -2})


@formula("aten::prod")
def prod(call: Call) -> Cost:
    """Products, n − m; complex ones are 6."""
    return _reduce(call, {"n": 1, "m": -1}, {"n": 6, "m": -6})


@formula("aten::mean")
def mean(call: Call) -> Cost:
    """Additions, n − m, and divisions, m: n; complex 2·n."""
    return _reduce(call, {"n": 1}, {"n": 2})


@formula(
    "aten::max",
    "aten::min",
    "aten::amax",
    "aten::amin",
    "aten::argmax",
    "aten::argmin",
    "aten::all",
    "aten::any",
    "aten::_is_all_true",
    "aten::_is_any_true",
)
def extreme(call: Call) -> Cost:
    """Comparisons, n − m; complex truth values are 2 to compare."""
    return _reduce(call, {"n": 1, "m": -1}, {"n": 2, "m": -2})


@formula("aten::aminmax", "aten::_aminmax")
def aminmax(call: Call) -> Cost:
    """Comparisons with the least and with the greatest so far: 2·(n − m)."""
    return _reduce(call, {"n": 2, "m": -2})


@formula("aten::var", "aten::var_mean")
def var(call: Call) -> Cost:
    """Σ (x − mean)²/(r − correction): the mean n, a difference n, a square n, their mean n.

    Complex: the mean 2·n, a difference 2·n, |x|² 3·n, their mean, which is real, n.
    """
    return _reduce(call, {"n": 4}, {"n": 8})


@formula("aten::std", "aten::std_mean")
def std(call: Call) -> Cost:
    """The variance, 4·n (complex 8·n), and m roots."""
    return _reduce(call, {"n": 4, "m": 1}, {"n": 8, "m": 1})


@formula("aten::count_nonzero")
def count_nonzero(call: Call) -> Cost:
    """A comparison with zero each (complex 2), and a count of whole numbers, n − m."""
    n, m = call["self"].numel(), first_output(call).numel()
    if n == 0:
        return ZERO_COST
    return Cost.of(other=linear(n=2 if call.is_complex else 1), integer="n − m", n=n, m=m)


@formula("aten::nonzero", "aten::nonzero_static")
def nonzero(call: Call) -> Cost:
    """A comparison with zero each; complex 2. Writing the places down is free."""
    return Cost.of(other=linear(n=2 if call.is_complex else 1), n=call["self"].numel())


@formula("aten::trace")
def trace(call: Call) -> Cost:
    """The sum of the diagonal: its length less one; complex additions are 2."""
    n = min(call["self"].shape)
    if n == 0:
        return ZERO_COST
    return Cost.of(other="2·(n − 1)" if call.is_complex else "n − 1", n=n)


@formula("aten::hash_tensor")
def hash_tensor(call: Call) -> Cost:
    """The bits of the elements, as whole numbers, by exclusive or: n − m."""
    n, m = call["self"].numel(), first_output(call).numel()
    return Cost.of(integer="n − m", n=n, m=m) if n else ZERO_COST


def _cumulative(call: Call, real: int, complex: int | None = None) -> Cost:
    """So many operations for every element but the first of each of m rows."""
    tensor = call["self"]
    n = tensor.numel()
    if n == 0:
        return ZERO_COST
    length = tensor.shape[call["dim"]] if tensor.dim() else 1
    steps = complex if complex is not None and call.is_complex else real
    return Cost.of(other=linear(n=steps, m=-steps), n=n, m=n // length)


@formula("aten::cumsum")
def cumsum(call: Call) -> Cost:
    """One addition for each element but the first of a row; complex 2."""
    return _cumulative(call, 1, 2)


@formula("aten::cumprod")
def cumprod(call: Call) -> Cost:
    """One product for each element but the first of a row; complex 6."""
    return _cumulative(call, 1, 6)


@formula("aten::cummax", "aten::cummin", "aten::_cummax_helper", "aten::_cummin_helper")
def cummax(call: Call) -> Cost:
    """One comparison for each element but the first of a row."""
    return _cumulative(call, 1)


@formula("aten::logcumsumexp", "aten::_logcumsumexp")
def logcumsumexp(call: Call) -> Cost:
    """One logaddexp for each element but the first of a row: 7, complex 17."""
    return _cumulative(call, 7, 17)


@formula("aten::segment_reduce")
def segment_reduce(call: Call) -> Cost:
    """Each element is combined with its segment, which begins with an initial value: n.

    A mean divides each of m results once.
    """
    n, m = call["data"].numel(), first_output(call).numel()
    per_result = 1 if call["reduce"] == "mean" else 0
    return Cost.of(other=linear(n=1, m=per_result if n else 0), n=n, m=m)


@formula("aten::_segment_reduce_backward")
def segment_reduce_backward(call: Call) -> Cost:
    """The gradient of each of m results reaches the n elements of its segment.

    - sum: it is copied.
    - mean: divided by the length first, m.
    - min, max: elements are compared with the result, n, and share the gradient, m divisions.
    - prod: times the result, m, over the element, n.
    """
    n, m = call["data"].numel(), call["grad"].numel()
    reduce = call["reduce"]
    per_element = 0 if reduce in ("sum", "mean") else 1
    per_result = 0 if reduce == "sum" else 1
    return Cost.of(other=linear(n=per_element, m=per_result if n else 0), n=n, m=m)
