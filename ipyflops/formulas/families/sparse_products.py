"""Matrix products of which an operand is sparse: only stored values are multiplied.

A stored value of A in A @ B meets one row of B: n multiply-accumulates for n columns. Where both
are sparse it meets the stored values of that row alone (Gustavson's algorithm, ACM TOMS 4(3),
1978), so that the count depends on where the values are. An explicit zero is a stored value: it is
multiplied. The article names no sparse product.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost
from ipyflops.formulas.special_tensors import has_values, is_sparse, stored
from ipyflops.torch_private import stored_indices


def sparse_product(call: Call, first: Tensor, second: Tensor, other: str = "0") -> Cost:
    """Cost of first @ second, matrices or batches of them, of which one is sparse or both are.

    Parameters
    ----------
    call : Call
        Tells whether the arithmetic is complex.
    first, second : Tensor
        The operands: (…, m, k) @ (…, k, n), or (m, k) @ (k).
    other : str
        Expression for FLOPs beside the product, in the symbols b, m and n.
    """
    mac = 8 if call.is_complex else 2
    n = second.shape[-1] if second.dim() > 1 else 1
    m, b = first.shape[-2], first.shape[0] if first.dim() > 2 else 1
    sizes = {"b": b, "m": m, "n": n}
    if is_sparse(first) and is_sparse(second):
        return cost(
            {"pairs": _pairs(first, second), **sizes},
            contraction=f"{mac}·pairs",
            other=other,
            note="pairs: every stored value of the left matrix with those of the row that it meets",
        )
    if is_sparse(first):
        expression, nnz = f"{mac}·nnz·n", stored(first)
    else:
        expression, nnz = f"{mac}·nnz·m", stored(second)
    return cost(
        {"nnz": nnz, **sizes}, contraction=expression, other=other, note="nnz: the stored values"
    )


def _pairs(first: Tensor, second: Tensor) -> int:
    """How many stored values of two matrices (m, k) and (k, n) meet.

    As many as, for every index in k, the values of that column of the first times those of that
    row of the second.
    """
    if not (has_values(first) and has_values(second)):
        return first.shape[0] * first.shape[1] * second.shape[1]
    k = first.shape[1]
    columns = torch.bincount(_indices(first, 1), minlength=k)
    rows = torch.bincount(_indices(second, 0), minlength=k)
    return int(columns @ rows)


def _indices(matrix: Tensor, dim: int) -> Tensor:
    """The index along a dim of every stored value of a sparse matrix, with repetitions."""
    if matrix.layout is torch.sparse_coo:
        return stored_indices(matrix)[dim]
    return stored_indices(torch.Tensor.to_sparse(matrix.detach()))[dim]
