"""Matrices of which two of four neighbours are zero (2:4): half of the products are made.

A matrix of m×k is stored as m×k/2 values and where they belong. In the expressions `kept` is the
number of values that are kept in a row, half of what the dense matrix has.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.families.activation_costs import fused
from ipyflops.formulas.families.products import product, scalings
from ipyflops.formulas.registry import formula, mark_free

_NOTE = "kept: values that are kept in a row, two of four"


@formula(
    "aten::_sparse_semi_structured_mm", "aten::_sparse_semi_structured_addmm", dtype_from="mat1"
)
def product_of_half(call: Call) -> Cost:
    """m·n dot products over the values that are kept, scaled by alpha and beta."""
    m, kept = call["mat1"].shape
    n = call["mat2"].shape[1]
    other = scalings(call, "m·n")
    return product(call, outputs="m·n", length="kept", other=other, note=_NOTE, m=m, n=n, kept=kept)


@formula("aten::_sparse_semi_structured_linear", dtype_from="input")
def linear_of_half(call: Call) -> Cost:
    """A linear layer whose weight keeps so many values for each output, and its activation."""
    outputs, kept = first_output(call).numel(), call["weight"].shape[1]
    other = times(fused(call["activation"]), "n")
    return product(call, outputs="n", length="kept", other=other, note=_NOTE, n=outputs, kept=kept)


@formula("aten::_cslt_sparse_mm", dtype_from="dense_B")
def library_product(call: Call) -> Cost:
    """A @ B with half of A by cuSPARSELt: each output scaled by an alpha, if there is one."""
    kept, n = call["dense_B"].shape[0] // 2, call["dense_B"].shape[1]
    m = first_output(call).numel() // max(n, 1)
    scaled = "m·n" if call["alpha"] is not None else "0"
    return product(
        call, outputs="m·n", length="kept", other=scaled, note=_NOTE, m=m, n=n, kept=kept
    )


@formula("aten::_cslt_sparse_mm_search", dtype_from="dense_B")
def library_search(call: Call) -> Cost:
    """The product once: how often the library tries it to find its fastest way is not known.

    The m rows of A follow from its packed size: kept·m values of 16 (8) bits and 2 bits for each.
    """
    packed: Tensor = call["compressed_A"]
    kept, n = call["dense_B"].shape[0] // 2, call["dense_B"].shape[1]
    bits = 8 * packed.element_size()
    m = packed.numel() * bits // ((bits + 2) * kept) if kept else 0
    note = f"{_NOTE}; counted once, however often the library tries"
    return product(call, outputs="m·n", length="kept", note=note, m=m, n=n, kept=kept)


@formula("aten::_sparse_semi_structured_tile")
def choose_in_tiles(call: Call) -> Cost:
    """The 16 values of each 4×4 tile are sorted by size, log2(16) comparisons each."""
    return Cost.of(other="4·n", note="comparisons", n=call["input"].numel())


mark_free(
    "packs the values that are kept, or packs weights for a kernel",
    "aten::_cslt_compress",
    "aten::_to_sparse_semi_structured",
    "aten::_sparse_semi_structured_apply",
    "aten::_sparse_semi_structured_apply_dense",
    "aten::_convert_weight_to_int4pack",
    "aten::_convert_weight_to_int4pack_for_cpu",
    "aten::_dyn_quant_pack_4bit_weight",
)
