"""Nested (strided) tensors, whose parts differ in shape, where the parts have to be looked at.

Pointwise operators count the elements of all parts, and the formulas of products and norms know
nested tensors. The operators here need the size of each part along one dim. They cost what they
cost on each part by itself, as a batch of one. A call on a jagged tensor is decomposed into calls
on plain ones before it is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, tensors
from ipyflops.formulas.cost_sums import add_up
from ipyflops.formulas.registry import Formula, lookup, mark_free, structured_formula
from ipyflops.formulas.special_tensors import component_shapes


def _part(value: Any, shapes: Sequence[tuple[int, ...]], index: int) -> Any:
    """A stand-in for one part of a nested tensor; anything else as it is."""
    if isinstance(value, Tensor) and value.is_nested:
        return torch.empty((1, *shapes[index]), dtype=value.dtype, device="meta")
    if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
        return type(value)(_part(item, shapes, index) for item in value)
    return value


@structured_formula(
    "nested",
    "aten::_softmax",
    "aten::_log_softmax",
    "aten::_safe_softmax",
    "aten::_softmax_backward_data",
    "aten::_log_softmax_backward_data",
)
def part_by_part(call: Call) -> Cost:
    """The operator on every part, a batch of one, added up; all tensors have the same parts."""
    verdict = lookup(call.func)
    nested = next(tensor for tensor in tensors(call.out) if tensor.is_nested)
    if not isinstance(verdict, Formula):
        return ZERO_COST
    shapes = component_shapes(nested)
    return add_up(
        [
            verdict(
                Call(
                    call.func,
                    [_part(value, shapes, index) for value in call.args],
                    {name: _part(value, shapes, index) for name, value in call.kwargs.items()},
                    _part(call.out, shapes, index),
                )
            )
            for index in range(len(shapes))
        ]
    )


mark_free(
    "bookkeeping of a nested tensor: sizes, offsets, lengths",
    "aten::_nested_compute_contiguous_strides_offsets",
    "aten::_nested_get_jagged_dummy",
    "aten::_nested_get_lengths",
    "aten::_nested_get_max_seqlen",
    "aten::_nested_get_min_seqlen",
    "aten::_nested_get_offsets",
    "aten::_nested_get_ragged_idx",
    "aten::_nested_tensor_size",
    "aten::_nested_tensor_storage_offsets",
    "aten::_nested_tensor_strides",
    moves_data=False,
)
mark_free(
    "sequences are padded, or taken out of their padding",
    "aten::_nested_from_padded",
    "aten::_nested_from_padded_and_nested_example",
    "aten::_nested_from_padded_tensor",
    "aten::_nested_tensor_from_mask",
    "aten::_nested_tensor_from_mask_left_aligned",
    "aten::_nested_tensor_from_tensor_list",
    "aten::to_padded_tensor",
    "aten::_jagged_to_padded_dense_forward",
    "aten::_padded_dense_to_jagged_forward",
)
