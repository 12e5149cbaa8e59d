"""Matrix products: every one is a set of dot products.

A dot product of length k is k multiplications and k − 1 additions. Where an accumulator is filled
first (by a bias, or by zero) it is k multiply-accumulates, 2·k FLOPs: that is what BLAS runs and
what ``standard`` and ``contractions`` count; the article counts 2·k − 1. A complex
multiply-accumulate is 4 real multiplications and 4 real additions, 8 FLOPs.

The general product beta·C + alpha·A·B adds C as the first value of its accumulators, for nothing;
an alpha that is not 1 costs one multiplication for each output, and so does a beta that is neither
0 nor 1. A sparse operand costs what its stored values cost (`families.sparse_products`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipyflops.costs import Cost, evaluate
from ipyflops.formulas.call import Call, broadcast_numel
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.activation_costs import GELU, GELU_TANH, RELU
from ipyflops.formulas.families.sparse_products import sparse_product
from ipyflops.formulas.registry import RESULT, formula, structured_formula
from ipyflops.formulas.special_tensors import component_shapes, is_nested, is_sparse


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
    if call.is_complex:
        # k complex multiplications of 6 and k − 1 complex additions of 2.
        contraction, article = f"8·{outputs}·{length}", f"(8·{length} − 2)·{outputs}"
    else:
        contraction, article = f"2·{outputs}·{length}", f"(2·{length} − 1)·{outputs}"
    if evaluate(length, symbols) == 0:
        article = "0"  # no product has no sum either, not −1 of them
    return cost(symbols, contraction=contraction, other=other, article=article, note=note)


def scalings(call: Call, outputs: str) -> str:
    """Expression for the multiplications by alpha and beta, one each for every output."""
    alpha, beta = call.get("alpha", 1), call.get("beta", 1)
    count = int(alpha != 1) + int(beta not in (0, 1))
    if call.is_complex:
        count *= 6
    return times(count, outputs)


@formula("aten::mm", "aten::addmm", dtype_from=("mat1", "self"))
def mm(call: Call) -> Cost:
    """(m, k) @ (k, n): m·n dot products of length k, scaled by alpha and beta."""
    first, second = call.get("mat1", call.get("self")), call["mat2"]
    if is_sparse(first, second):
        return sparse_product(call, first, second, other=scalings(call, "m·n"))
    m, k = first.shape
    return product(
        call, outputs="m·n", length="k", other=scalings(call, "m·n"), m=m, n=second.shape[1], k=k
    )


@formula("aten::bmm", "aten::baddbmm", dtype_from=("batch1", "self"))
@structured_formula("nested", "aten::bmm")
def bmm(call: Call) -> Cost:
    """Of b matrices (m, k) @ (k, n): b·m·n dot products of length k, scaled by alpha and beta."""
    first, second = call.get("batch1", call.get("self")), call.get("batch2", call.get("mat2"))
    if is_nested(first, second):
        return nested_product(call, first, second)
    if is_sparse(first, second):
        return sparse_product(call, first, second, other=scalings(call, "b·m·n"))
    b, m, k = first.shape
    n = second.shape[2]
    other = scalings(call, "b·m·n")
    return product(call, outputs="b·m·n", length="k", other=other, b=b, m=m, n=n, k=k)


@formula("aten::addbmm", dtype_from="batch1")
def addbmm(call: Call) -> Cost:
    """beta·C + alpha·Σ A_i @ B_i: the b products share m·n outputs, so each is b·k long."""
    b, m, k = call["batch1"].shape
    n = call["batch2"].shape[2]
    other = scalings(call, "m·n")
    return product(call, outputs="m·n", length="b·k", other=other, b=b, m=m, n=n, k=k)


@formula("aten::mv", "aten::addmv", dtype_from=("mat", "self"))
def mv(call: Call) -> Cost:
    """(m, k) @ (k): m dot products of length k, scaled by alpha and beta."""
    matrix = call.get("mat", call.get("self"))
    if is_sparse(matrix):
        return sparse_product(call, matrix, call["vec"], other=scalings(call, "m"))
    m, k = matrix.shape
    return product(call, outputs="m", length="k", other=scalings(call, "m"), m=m, k=k)


@formula("aten::dot", "aten::vdot")
def dot(call: Call) -> Cost:
    """One dot product of length k; the conjugate of `vdot` is in the signs of the sums."""
    return product(call, outputs="1", length="k", k=call["self"].numel())


@formula("aten::addr", dtype_from=RESULT)
def addr(call: Call) -> Cost:
    """beta·C + alpha·x·yᵀ: (m, 1) @ (1, n), a dot product of length 1 for each of m·n outputs."""
    m, n = call["vec1"].numel(), call["vec2"].numel()
    return product(call, outputs="m·n", length="1", other=scalings(call, "m·n"), m=m, n=n)


@formula("aten::_addmm_activation", by_device=True, dtype_from="mat1")
def addmm_activation(call: Call) -> Cost:
    """An `addmm` whose m·n outputs go through a ReLU or, with `use_gelu`, a GELU.

    The GELU is the exact one on a CPU and its tanh approximation in cuBLAS.
    """
    m, k = call["mat1"].shape
    activation = RELU
    if call["use_gelu"]:
        activation = GELU_TANH if call["mat1"].is_cuda else GELU
    other = total(scalings(call, "m·n"), times(activation, "m·n"))
    n = call["mat2"].shape[1]
    return product(call, outputs="m·n", length="k", other=other, m=m, n=n, k=k)


@formula("aten::matmul")
@structured_formula("nested", "aten::matmul")
def matmul(call: Call) -> Cost:
    """The product of two tensors of any rank, where it arrives whole (inference mode, nested).

    The last two dims are matrices, the others are broadcast: b products (m, k) @ (k, n). A vector
    on the left is a row (m is 1), on the right a column (n is 1).
    """
    first, second = call["self"], call["other"]
    if is_nested(first, second):
        return nested_product(call, first, second)
    if is_sparse(first, second):
        return sparse_product(call, first, second)
    b, m, n, k = _matmul_sizes(first.shape, second.shape)
    return product(call, outputs="b·m·n", length="k", b=b, m=m, n=n, k=k)


@formula("aten::matmul_backward")
@structured_formula("nested", "aten::matmul_backward")
def matmul_backward(call: Call) -> Cost:
    """The gradients of A @ B that the mask asks for: grad @ Bᵀ and Aᵀ @ grad.

    Each has as many multiply-accumulates as the product itself: b·m·n·k.
    """
    wanted = sum(call["mask"])
    first, second = call["self"], call["other"]
    if is_nested(first, second):
        return nested_product(call, first, second, products=wanted)
    b, m, n, k = _matmul_sizes(first.shape, second.shape)
    return Cost.of(
        contraction=f"{2 * wanted * (4 if call.is_complex else 1)}·b·m·n·k", b=b, m=m, n=n, k=k
    )


def _matmul_sizes(
    first: torch.Size | tuple[int, ...], second: torch.Size | tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The sizes b, m, n, k of a matmul of tensors of these shapes."""
    b = broadcast_numel(first[:-2], second[:-2])
    m = first[-2] if len(first) > 1 else 1
    n = second[-1] if len(second) > 1 else 1
    return b, m, n, first[-1]


def nested_product(
    call: Call, first: torch.Tensor, second: torch.Tensor, products: int = 1
) -> Cost:
    """Products of the matrices of nested tensors, which differ in size: their sum.

    Parameters
    ----------
    call : Call
        The call.
    first, second : Tensor
        The operands; one may be a plain tensor, whose slices or whole is used for each.
    products : int
        How many products of these sizes there are.
    """
    macs = outputs = 0
    lefts, rights = _paired(first, second)
    for left, right in zip(lefts, rights, strict=True):
        b, m, n, k = _matmul_sizes(left, right)
        macs += b * m * n * k
        outputs += b * m * n
    mac, article = (8, "8·macs − 2·outputs") if call.is_complex else (2, "2·macs − outputs")
    return Cost.of(
        contraction=f"{mac * products}·macs",
        article=article if products == 1 and macs else None,
        note="macs is the sum of m·n·k over the matrices of the nested tensors, outputs of m·n",
        macs=macs,
        outputs=outputs,
    )


def _paired(first: Tensor, second: Tensor) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """The shapes of the operands of every product; a plain matrix takes part in each."""
    lefts, rights = component_shapes(first), component_shapes(second)
    if not first.is_nested and first.dim() <= 2:
        lefts = [tuple(first.shape)] * len(rights)
    if not second.is_nested and second.dim() <= 2:
        rights = [tuple(second.shape)] * len(lefts)
    return lefts, rights
