"""Norms of vectors, and what scales tensors by them: (Σ |x|^p)^(1/p).

In the expressions n is the number of elements, m the number of norms taken over them.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, broadcast_numel, first_output
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.families.pointwise import power_cost
from ipyflops.formulas.registry import formula


def norm_coefficients(order: object, *, complex: bool, root: bool = True) -> tuple[int, int]:
    """How many times n, and how many times m, norms of that order cost.

    =========  ====================================================================
    order      operations
    =========  ====================================================================
    2          squares n (complex |x|² 3·n), sums n − m, roots m
    1          absolute values n (complex 4·n), sums n − m
    ∞, −∞      absolute values n (complex 4·n), comparisons n − m
    0          comparisons with zero n (complex 2·n), sums n − m
    p          absolute values n, powers n (x³ is 2 products), sums n − m, roots m
    =========  ====================================================================

    Parameters
    ----------
    order : number or None
        p; None is 2.
    complex : bool
        Whether the elements are complex.
    root : bool
        Whether the p-th root of the sum is taken.

    Examples
    --------
    >>> norm_coefficients(2, complex=False), norm_coefficients(1, complex=False)
    ((2, 0), (2, -1))
    """
    p = float(order) if isinstance(order, (int, float)) else 2.0
    if p == 2:
        return (4 if complex else 2), root - 1
    if p == 0:
        return (3 if complex else 2), -1
    magnitude = 4 if complex else 1
    if p == 1 or math.isinf(p):
        return magnitude + 1, -1
    return magnitude + power_cost(p) + 1, root - 1


def _norm(call: Call, tensor: Tensor, order: object, *, root: bool = True) -> Cost:
    n, m = tensor.numel(), first_output(call).numel()
    if n == 0:
        return ZERO_COST
    per_element, per_norm = norm_coefficients(order, complex=tensor.is_complex(), root=root)
    return Cost.of(other=linear(n=per_element, m=per_norm), n=n, m=m)


@formula("aten::linalg_vector_norm")
def linalg_vector_norm(call: Call) -> Cost:
    """Norms of the order `ord`: see `norm_coefficients`."""
    return _norm(call, call["self"], call["ord"])


@formula("aten::linalg__powsum")
def powsum(call: Call) -> Cost:
    """Σ |x|^p without the root: see `norm_coefficients`."""
    return _norm(call, call["self"], call["ord"], root=False)


@formula("aten::norm", "aten::native_norm")
def norm(call: Call) -> Cost:
    """Norms of the order p, 2 where none is given: see `norm_coefficients`."""
    return _norm(call, call["self"], call["p"])


@formula("aten::dist")
def dist(call: Call) -> Cost:
    """‖self − other‖: n differences (complex 2·n), then one norm."""
    n = broadcast_numel(call["self"].shape, call["other"].shape)
    if n == 0:
        return ZERO_COST
    per_element, per_norm = norm_coefficients(call["p"], complex=call.is_complex)
    difference = 2 if call.is_complex else 1
    return Cost.of(other=linear(n=difference + per_element, m=per_norm), n=n, m=1)


@formula("aten::renorm")
def renorm(call: Call) -> Cost:
    """Slices along `dim` that are longer than maxnorm are shortened.

    The norm of each of m slices; each is compared with maxnorm and gives maxnorm/(norm + eps) (3);
    each element is multiplied by that or by 1 (complex: 2, the factor is real).
    """
    tensor = call["self"]
    n, m = tensor.numel(), tensor.shape[call["dim"]]
    if n == 0:
        return ZERO_COST
    per_element, per_norm = norm_coefficients(call["p"], complex=tensor.is_complex())
    scale = 2 if tensor.is_complex() else 1
    return Cost.of(other=linear(n=per_element + scale, m=per_norm + 3), n=n, m=m)


@formula("aten::embedding_renorm")
def embedding_renorm(call: Call) -> Cost:
    """As `renorm`, for the m rows that are looked up, n elements together.

    A row that is looked up twice is done once, and one that is short enough is left alone. Only the
    values before the operator ran would tell, and it has changed them. All rows are counted as if
    they were different and too long.
    """
    m = call["indices"].numel()
    n = m * math.prod(call["self"].shape[1:])
    if n == 0:
        return ZERO_COST
    per_element, per_norm = norm_coefficients(call["norm_type"], complex=False)
    return Cost.of(
        other=linear(n=per_element + 1, m=per_norm + 3),
        note="every row that is looked up is counted as different from the others and too long",
        n=n,
        m=m,
    )


@formula("aten::_weight_norm_interface", dtype_from="v")
def weight_norm(call: Call) -> Cost:
    """v·(g/‖v‖), a norm for each of m slices: 2·n for the norms, m divisions, n products."""
    n, m = call["v"].numel(), call["g"].numel()
    return Cost.of(other="3·n + m", n=n, m=m) if n else ZERO_COST


@formula("aten::_weight_norm_interface_backward", dtype_from="saved_v")
def weight_norm_backward(call: Call) -> Cost:
    """For v: (g/‖v‖)·(d − v·(Σ v·d)/‖v‖²), for g: (Σ v·d)/‖v‖; d is the gradient of the weight.

    For each element v·d, its sum, v·(…), the difference, the product with g/‖v‖: 5·n − m. For each
    of m slices ‖v‖², two divisions by ‖v‖ and one by ‖v‖²: 4·m.
    """
    n, m = call["saved_v"].numel(), call["saved_g"].numel()
    return Cost.of(other="5·n + 3·m", n=n, m=m) if n else ZERO_COST
