"""Matrix products: every one is a set of dot products.

A dot product of length k is k multiplications and k − 1 additions. Where an accumulator is filled
first (by a bias, or by zero) it is k multiply-accumulates, 2·k FLOPs: that is what BLAS runs and
what ``standard`` and ``contractions`` count; the article counts 2·k − 1. A complex
multiply-accumulate is 4 real multiplications and 4 real additions, 8 FLOPs.
"""

from __future__ import annotations

from ipyflops.cost import Cost
from ipyflops.formulas.call import Call, first_output, numel
from ipyflops.formulas.registry import formula


def product(
    call: Call, *, outputs: str, length: str, other: str = "0", note: str = "", **symbols: int
) -> Cost:
    """Cost of `outputs` dot products of `length`, real or complex as the call is.

    Parameters
    ----------
    call : Call
        Tells whether the arithmetic is complex.
    outputs, length : str
        Expressions: how many dot products, and how long each is.
    other : str
        Expression for FLOPs beside the products.
    note : str
        A remark for the reader.
    **symbols : int
        Values of the symbols.
    """
    dot = f"2·{length} − 1"
    if call.is_complex:
        # k complex multiplications of 6 and k − 1 complex additions of 2.
        return Cost.of(
            contraction=f"8·{outputs}·{length}",
            other=other,
            article=f"(8·{length} − 2)·{outputs}",
            note=note,
            **symbols,
        )
    return Cost.of(
        contraction=f"2·{outputs}·{length}",
        other=other,
        article=f"({dot})·{outputs}",
        note=note,
        **symbols,
    )


@formula("aten::mm")
def mm(call: Call) -> Cost:
    """(m, k) @ (k, n): m·n dot products of length k."""
    m, k = call["self"].shape
    return product(call, outputs="m·n", length="k", m=m, n=call["mat2"].shape[1], k=k)
