"""Values that are combined with those at given places: scatter, index and put.

Writing values to places moves data and is free; adding, multiplying and comparing them is one
operation for each value.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, broadcast_numel
from ipyflops.formulas.cost_expressions import linear, times
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values


@formula("aten::scatter_add")
def scatter_add(call: Call) -> Cost:
    """One addition for each index (complex 2)."""
    return Cost.of(other=times(2 if call.is_complex else 1), n=call["index"].numel())


@formula("aten::scatter")
def scatter(call: Call) -> Cost:
    """Nothing where values are only written; with ``reduce`` one sum or product for each index."""
    reduce = call.get("reduce")
    if reduce is None:
        return ZERO_COST
    complex_cost = 2 if reduce == "add" else 6
    return Cost.of(other=times(complex_cost if call.is_complex else 1), n=call["index"].numel())


def _reduce(call: Call, values: int) -> Cost:
    """Cost of combining n values with a result of s elements.

    A sum, a product, a comparison for each value. A mean adds each value (n), counts it (n), and
    then compares each count with zero and divides by it (2·s).
    """
    if call["reduce"] != "mean":
        return Cost.of(other="n", n=values)
    return Cost.of(other="2·n + 2·s", n=values, s=call["self"].numel())


@formula("aten::scatter_reduce")
def scatter_reduce(call: Call) -> Cost:
    """One operation for each index: see `_reduce`."""
    return _reduce(call, call["index"].numel())


@formula("aten::index_reduce")
def index_reduce(call: Call) -> Cost:
    """One operation for each value of the source: see `_reduce`."""
    return _reduce(call, call["source"].numel())


@formula("aten::index_add")
def index_add(call: Call) -> Cost:
    """One addition for each value of the source, and one product where alpha is not 1.

    Complex: 2 and 6.
    """
    scaled = call["alpha"] != 1
    each = 2 + 6 * scaled if call.is_complex else 1 + scaled
    return Cost.of(other=linear(n=each), n=call["source"].numel())


def _indexed(tensor: Tensor, indices: Any, values: Tensor) -> int:
    """How many elements a list of index tensors names.

    Index tensors of whole numbers are broadcast against each other; each dim without one is taken
    whole. A mask names as many elements as it has ones, in place of as many dims as it has: the
    values tell how many where they are not one value for all.
    """
    shapes: list[tuple[int, ...]] = []
    rest, dim = 1, 0
    for index in indices:
        if index is None:
            rest *= tensor.shape[dim]
            dim += 1
        elif index.dtype in (torch.bool, torch.uint8):
            if has_values(index):
                count = int(torch.count_nonzero(index))
            else:
                count = values.shape[0] if values.dim() else 1
            shapes.append((count,))
            dim += index.dim()
        else:
            shapes.append(tuple(index.shape))
            dim += 1
    return broadcast_numel(*shapes) * rest * math.prod(tensor.shape[dim:])


@formula(
    "aten::index_put",
    "aten::_index_put_impl",
    "aten::_unsafe_index_put",
    "aten::_unsafe_masked_index_put_accumulate",
    by_value=True,
)
def index_put(call: Call) -> Cost:
    """Nothing where values are only written; to accumulate, one addition for each place.

    With a mask beside the indices its values are first set to zero, which is free.
    """
    if not call.get("accumulate", True):
        return ZERO_COST
    n = _indexed(call["self"], call["indices"], call["values"])
    return Cost.of(other=times(2 if call.is_complex else 1), n=n)


@formula("aten::put")
def put(call: Call) -> Cost:
    """Nothing where values are only written; to accumulate, one addition for each index."""
    if not call["accumulate"]:
        return ZERO_COST
    return Cost.of(other=times(2 if call.is_complex else 1), n=call["index"].numel())


@formula(
    "aten::reflection_pad1d_backward",
    "aten::reflection_pad2d_backward",
    "aten::reflection_pad3d_backward",
    "aten::replication_pad1d_backward",
    "aten::replication_pad2d_backward",
    "aten::replication_pad3d_backward",
)
def padding_backward(call: Call) -> Cost:
    """Each gradient is added to the element that it was a copy of: one addition each."""
    n = next(call.inputs()).numel()
    return Cost.of(other=times(2 if call.is_complex else 1), n=n)
