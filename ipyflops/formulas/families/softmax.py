"""Softmax and its kind.

By the article a softmax takes exp of every feature, one addition less than features for the sum,
and one division each: rows·(3·features − 1). The shift by the row's maximum, which kernels make so
that exp cannot overflow, is not in its formula, so that no formula of this family counts it.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.registry import formula


def _rows(
    tensor: Tensor, dim: int | None, other: str, article: str | None = None, integer: str = "0"
) -> Cost:
    """Cost of rows of features along `dim`; nothing where there are no elements."""
    features = tensor.shape[-1 if dim is None else dim] if tensor.dim() else 1
    if tensor.numel() == 0:
        return ZERO_COST
    return Cost.of(
        other=other,
        article=article,
        integer=integer,
        rows=tensor.numel() // features,
        features=features,
    )


_SOFTMAX = "rows·(3·features − 1)"


@formula("aten::_softmax", "aten::_masked_softmax", "aten::softmax.int_out")
def softmax(call: Call) -> Cost:
    """exp, sum and division over the features of each row: 3·features − 1.

    A mask takes elements out by their values; it is counted as if it took none.
    """
    return _rows(call["self"], call["dim"], _SOFTMAX, article=_SOFTMAX)


@formula("aten::_safe_softmax")
def safe_softmax(call: Call) -> Cost:
    """A softmax that gives zeros for rows that are all −∞.

    On numbers a softmax, 3·features − 1, and a comparison of each element with −∞; on truth values
    features − 1 to see whether all of a row are.
    """
    return _rows(
        call["self"],
        call["dim"],
        f"{_SOFTMAX} + rows·features",
        article=_SOFTMAX,
        integer="rows·(features − 1)",
    )


@formula("aten::_log_softmax", "aten::log_softmax.int_out")
def log_softmax(call: Call) -> Cost:
    """Difference x − log(Σ exp(x)): exp, sums, one logarithm, a difference: 3·features a row."""
    return _rows(call["self"], call["dim"], "rows·3·features")


@formula("aten::_softmax_backward_data", "aten::_masked_softmax_backward")
def softmax_backward(call: Call) -> Cost:
    """Gradient y·(g − Σ g·y): a product, a sum (one less), a difference and a product each."""
    return _rows(call["output"], call["dim"], "rows·(4·features − 1)")


@formula("aten::_log_softmax_backward_data")
def log_softmax_backward(call: Call) -> Cost:
    """Gradient g − exp(y)·Σ g: a sum (one less), exp, a product and a difference each."""
    return _rows(call["output"], call["dim"], "rows·(4·features − 1)")


@formula("aten::logsumexp")
def logsumexp(call: Call) -> Cost:
    """log(Σ exp(x)) for each of m rows: exp n, sums n − m, logarithms m: 2·n.

    Complex: an exponential 5, a sum 2, a logarithm 6.
    """
    n = call["self"].numel()
    if n == 0:
        return ZERO_COST
    if not call.is_complex:
        return Cost.of(other="2·n", n=n)
    m = math.prod(out.numel() for out in call.outputs())
    return Cost.of(other=linear(n=7, m=4), n=n, m=m)
