"""Matrix products of numbers of few bits.

What the operands are multiplied by on the way, so that the result is in the units of the original
numbers, is counted beside the products: scales by output where the kernel puts them into its
epilogue, by weight where weights are unpacked before they are multiplied.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.activation_costs import fused
from ipyflops.formulas.families.linear_layers import linear_cost, rows
from ipyflops.formulas.families.products import product, scalings
from ipyflops.formulas.registry import formula


@formula("aten::_int_mm", dtype_from="self")
def int_mm(call: Call) -> Cost:
    """(m, k) @ (k, n) of int8 into int32: integer operations, 2·m·n·k of them."""
    m, k = call["self"].shape
    return product(call, outputs="m·n", length="k", m=m, n=call["mat2"].shape[1], k=k)


@formula("aten::_scaled_mm", dtype_from="self")
def scaled_mm(call: Call) -> Cost:
    """(scale_a ∘ A) @ (scale_b ∘ B) of float8, with the scales where the kernel applies them.

    One scale for a whole operand: both are one factor of the result, m·n products. A scale for each
    row of A and column of B: two factors, 2·m·n. A scale for each block along k: every block's part
    of the sum has its two factors and is added to the others. `scale_result` is a factor more.
    """
    m, k = call["self"].shape
    n = call["mat2"].shape[1]
    blocks = _blocks(call["scale_a"], m, k)
    each = _scalings(call["scale_a"], call["scale_b"])
    rescaled = "m·n" if call.get("scale_result") is not None else "0"
    return _scaled(call, each, blocks, rescaled, m=m, n=n, k=k)


@formula("aten::_scaled_mm_v2", dtype_from="self")
def scaled_mm_v2(call: Call) -> Cost:
    """As `_scaled_mm`; of several scales for an operand the finest is the first."""
    m, k = call["self"].shape
    scale_a, scale_b = call["scale_a"][0], call["scale_b"][0]
    n = call["mat2"].shape[1]
    return _scaled(call, _scalings(scale_a, scale_b), _blocks(scale_a, m, k), "0", m=m, n=n, k=k)


@formula("aten::_scaled_addmm", dtype_from="mat1")
def scaled_addmm(call: Call) -> Cost:
    """As `_scaled_mm_v2`, added to a matrix; both scaled by alpha and beta as in `addmm`."""
    m, k = call["mat1"].shape
    scale_a, scale_b = call["scale_a"][0], call["scale_b"][0]
    n = call["mat2"].shape[1]
    added = scalings(call, "m·n")
    return _scaled(call, _scalings(scale_a, scale_b), _blocks(scale_a, m, k), added, m=m, n=n, k=k)


def _scalings(scale_a: Tensor, scale_b: Tensor) -> int:
    """How many factors a (part of a) result has: one where both scales are single numbers."""
    return 1 if scale_a.numel() == scale_b.numel() == 1 else 2


def _blocks(scale: Tensor, m: int, k: int) -> int:
    """Into how many blocks k is split, by the number of scales for each of the m rows."""
    if scale.numel() <= max(m, 1) or k == 0:
        return 1
    return min(math.ceil(scale.numel() / m), k)


def _scaled(call: Call, each: int, blocks: int, rescaled: str, m: int, n: int, k: int) -> Cost:
    if blocks == 1:
        other = total(times(each, "m·n"), rescaled)
        return product(call, outputs="m·n", length="k", other=other, m=m, n=n, k=k)
    other = total("2·m·n·blocks", "m·n·(blocks − 1)", rescaled)
    note = "blocks: the parts of k that have a scale of their own"
    return product(
        call, outputs="m·n", length="k", other=other, note=note, m=m, n=n, k=k, blocks=blocks
    )


@formula("aten::_weight_int8pack_mm", dtype_from="self")
def weight_int8pack_mm(call: Call) -> Cost:
    """A product x @ Wᵀ with int8 weights (n, k); each of the m·n outputs is scaled once."""
    m, k = call["self"].shape
    n = call["mat2"].shape[0]
    return product(call, outputs="m·n", length="k", other="m·n", m=m, n=n, k=k)


@formula(
    "aten::_weight_int4pack_mm",
    "aten::_weight_int4pack_mm_for_cpu",
    "aten::_weight_int4pack_mm_with_scales_and_zeros",
    "quantized::int4mm_packed_weight_cpu",
    dtype_from=("self", 0),
)
def weight_int4pack_mm(call: Call) -> Cost:
    """A product x @ Wᵀ with int4 weights, each of which is first unpacked to q·scale + zero."""
    m, k = call["self"].shape
    n = first_output(call).shape[1]
    return product(call, outputs="m·n", length="k", other="2·n·k", m=m, n=n, k=k)


@formula("aten::_mixed_dtypes_linear", dtype_from="input")
def mixed_dtypes_linear(call: Call) -> Cost:
    """A linear layer with integer weights: each of the `in`·`out` weights is scaled once."""
    outputs = first_output(call).shape[-1]
    other = total("in·out", times(fused(call["activation"]), "N·out"))
    return linear_cost(call, call["input"], outputs, other)


@formula("aten::_dyn_quant_matmul_4bit", dtype_from=torch.int8)
def dyn_quant_matmul_4bit(call: Call) -> Cost:
    """A linear layer of int4 weights on rows that are made int8 as they come.

    The products of a row with a block of weights are integer: 2·N·in·out operations. In floating
    point: a row's minimum and maximum (2·in), its elements scaled and rounded (2·in), and for each
    output and block of weights a scale and a sum.
    """
    inputs, outputs = call["in_features"], call["out_features"]
    blocks = math.ceil(inputs / max(min(call["block_size"], inputs), 1))
    return cost(
        {"N": rows(call["inp"]), "in": inputs, "out": outputs, "blocks": blocks},
        other="4·N·in + 2·N·out·blocks",
        integer_contraction="2·N·in·out",
        note="blocks: the parts of a row of weights that have a scale of their own",
    )
