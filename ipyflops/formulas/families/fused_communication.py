"""Matrix products that PyTorch's symmetric memory fuses with communication (``symm_mem::``).

Only the product is arithmetic of this process. Its first factor may be gathered from all ranks, so
its rows are those of the result; or the result may be scattered, and its rows are those of A here.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs.cost import Cost
from ipyflops.formulas.call import Call, tensors
from ipyflops.formulas.registry import formula


def _scalings(scale_a: Tensor | None, scale_b: Tensor | None) -> str:
    """One factor for each result where both scales are single numbers, else two."""
    if scale_a is None or scale_b is None:
        return "0"
    return "m·n" if scale_a.numel() == scale_b.numel() == 1 else "2·m·n"


@formula("symm_mem::_async_input_mm")
def async_input_mm(call: Call) -> Cost:
    """(m, k) @ (k, n), begun with the rows that are there."""
    m, k = call["a"].shape
    return Cost.of(contraction="2·m·n·k", m=m, n=call["b"].shape[1], k=k)


@formula("symm_mem::fused_matmul_reduce_scatter", "symm_mem::fused_scaled_matmul_reduce_scatter")
def matmul_reduce_scatter(call: Call) -> Cost:
    """The whole product A @ B of this rank, which keeps a part of the sum over the ranks."""
    a, n = call["A"], call["B"].shape[1]
    k = a.shape[-1]
    return Cost.of(
        contraction="2·m·n·k",
        other=_scalings(call.get("A_scale"), call.get("B_scale")),
        m=a.numel() // k if k else 0,
        n=n,
        k=k,
    )


@formula("symm_mem::fused_all_gather_matmul", "symm_mem::fused_all_gather_scaled_matmul")
def all_gather_matmul(call: Call) -> Cost:
    """The gathered A with each of the matrices B: m rows, n columns of all of them together."""
    k = call["A"].shape[-1]
    results = list(tensors(call.out[1]))
    n = sum(matrix.shape[1] for matrix in call["Bs"])
    scales = call.get("B_scales")
    return Cost.of(
        contraction="2·m·n·k",
        other=_scalings(call.get("A_scale"), scales[0] if scales else None),
        m=results[0].numel() // results[0].shape[-1] if results and n else 0,
        n=n,
        k=k,
    )
