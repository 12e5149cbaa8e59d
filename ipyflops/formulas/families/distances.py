"""Distances between rows: cdist, pdist, their gradients.

The p-norm of a difference of length d takes, for each element, a subtraction, an absolute value
(for p = 2 a square), for a general p a power, and d − 1 sums; then the root. p = ∞ has comparisons
where the others have sums; p = 0 compares with zero. An absolute value is one operation.
"""

from __future__ import annotations

import math

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, broadcast_numel
from ipyflops.formulas.registry import formula

#: `cdist` goes by way of a matrix product if one side has more rows than this.
_FEW_ROWS = 25
_ALWAYS_PRODUCT = 1


@formula("aten::_cdist_forward")
def cdist_forward(call: Call) -> Cost:
    """b·m·n distances between rows of length d; with p = 2 and many rows a matrix product."""
    b, m, n, d = _sizes(call)
    p, mode = float(call["p"]), call["compute_mode"] or 0
    if p == 2 and (mode == _ALWAYS_PRODUCT or (mode == 0 and max(m, n) > _FEW_ROWS)):
        return _by_product(b, m, n, d)
    return Cost.of(other=f"b·m·n·({_norm(p)})" if d else "0", b=b, m=m, n=n, d=d)


@formula("aten::_euclidean_dist")
def euclidean_dist(call: Call) -> Cost:
    """√(|x|² + |y|² − 2·x·y) for all pairs of rows, as one matrix product of d + 2 columns."""
    return _by_product(*_sizes(call))


def _by_product(b: int, m: int, n: int, d: int) -> Cost:
    """Cost of distances by (−2·x, |x|², 1) @ (y, 1, |y|²)ᵀ.

    The squares and their sums: d + d − 1 for each of the m + n rows; −2·x: m·d; of each result, the
    comparison with zero and the root.
    """
    if d == 0:
        return Cost()
    return Cost.of(
        contraction="2·b·m·n·(d + 2)",
        other="b·(m + n)·(2·d − 1) + b·m·d + 2·b·m·n",
        b=b,
        m=m,
        n=n,
        d=d,
    )


@formula("aten::_cdist_backward", by_value=True)
def cdist_backward(call: Call) -> Cost:
    """The gradient of the rows of x1: for each, the sum over the n rows of x2."""
    b, m, n, d = _sizes(call)
    element, pair = _gradient(float(call["p"]))
    return Cost.of(other=f"b·m·n·({element}·d + {pair})", b=b, m=m, n=n, d=d)


@formula("aten::_pdist_forward")
def pdist_forward(call: Call) -> Cost:
    """The distances between the n·(n − 1)/2 pairs of rows of length d."""
    n, d = call["self"].shape
    return Cost.of(other=f"n·(n − 1)/2·({_norm(float(call['p']))})" if d else "0", n=n, d=d)


@formula("aten::_pdist_backward", by_value=True)
def pdist_backward(call: Call) -> Cost:
    """As for `cdist`, but what a pair gives is added to one row and subtracted from the other."""
    n, d = call["self"].shape
    element, pair = _gradient(float(call["p"]))
    element += 1 if element else 0
    return Cost.of(other=f"n·(n − 1)/2·({element}·d + {pair})", n=n, d=d)


def _sizes(call: Call) -> tuple[int, int, int, int]:
    """Batch, rows of x1, rows of x2, length of a row."""
    first, second = call["x1"].shape, call["x2"].shape
    b = broadcast_numel(first[:-2], second[:-2])
    return b, first[-2], second[-2], first[-1]


def _norm(p: float) -> str:
    """Operations of one distance of length d.

    Examples
    --------
    >>> _norm(1), _norm(2), _norm(3)
    ('3·d − 1', '3·d', '4·d')
    """
    if p in (0, 1, math.inf):
        return "3·d − 1"
    return "3·d" if p == 2 else "4·d"


def _gradient(p: float) -> tuple[int, int]:
    """Operations of the gradient of a distance D: for each element, and once for the pair.

    It matters whether p is below or above 2, so that the gradients are asked at every call.

    ====== ========================================= ===========================================
    p      an element's part of the gradient         operations, with the sum into the row
    ====== ========================================= ===========================================
    0      none                                      0
    1      g·sign(x)                                 difference, sign of 2, product, sum
    2      g·x/D                                     difference, product, division, sum
    < 2    sign(x)·|x|^(p−1)·g/D^(p−1)               difference, sign of 2, |x|, power, 2 products,
                                                     division, sum; power of D for the pair
    > 2    x·|x|^(p−2)·g/D^(p−1)                     difference, |x|, power, 2 products, division,
                                                     sum; power of D for the pair
    ∞      g·sign(x)·(|x| = D)                       difference, sign of 2, |x|, comparison,
                                                     2 products, sum
    ====== ========================================= ===========================================
    """
    if p == 0:
        return 0, 0
    if p == 1:
        return 5, 0
    if p == 2:
        return 4, 0
    if p == math.inf:
        return 8, 0
    return (9, 1) if p < 2 else (7, 1)
