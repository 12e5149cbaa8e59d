"""Embeddings: looking rows up is free, adding rows up is not.

In the expressions d is the size of a row of the table. Indices that are padding, and bags that are
empty, are known by the values. Where these cannot be read (meta and fake tensors), the formulas
assume that there are none.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.registry import formula, mark_free
from ipyflops.formulas.special_tensors import has_values

#: The values of ATen's ``mode`` argument; 0 is a sum.
MEAN, MAX = 1, 2

mark_free("rows are looked up: data is moved", "aten::embedding")


def _real_indices(indices: Tensor, padding: int) -> int:
    """How many indices are not padding; a negative padding index means that there is none."""
    if padding < 0 or not has_values(indices):
        return indices.numel()
    return int((indices != padding).sum())


@formula("aten::embedding_dense_backward", by_value=True)
def embedding_dense_backward(call: Call) -> Cost:
    """The gradient of each index is added to its row; scaled by the index's frequency, 2·d."""
    gradient, indices = call["grad_output"], call["indices"]
    count = _real_indices(indices, call["padding_idx"])
    each = 2 if call["scale_grad_by_freq"] else 1
    return Cost.of(other=times(each, "indices·d"), indices=count, d=gradient.shape[-1])


def _bags(call: Call) -> tuple[int, int]:
    """How many indices are summed, and how many bags have any."""
    indices, offsets = call["indices"], call["offsets"]
    padding = call["padding_idx"]
    bags = offsets.numel() - bool(call["include_last_offset"])
    total = indices.numel()
    if bags <= 0 or total == 0:
        return 0, 0
    if not (has_values(indices) and has_values(offsets)):
        return total, min(bags, total)
    starts = offsets[:bags].to(indices.dtype)
    ends = starts.new_full((bags,), total)
    ends[:-1] = starts[1:]
    if call["include_last_offset"]:
        ends[-1] = offsets[-1]
    # Running counts of indices that are not padding, so that a bag's count is a difference.
    real = indices.new_zeros(total + 1)
    real[1:] = (indices != padding).cumsum(0) if padding >= 0 else indices.new_ones(total).cumsum(0)
    sizes = real[ends] - real[starts]
    return int(sizes.sum()), int((sizes > 0).sum())


@formula("aten::_embedding_bag", "aten::_embedding_bag_forward_only", by_value=True)
def embedding_bag(call: Call) -> Cost:
    """The rows of each bag are summed: indices − bags additions of d numbers.

    A mean divides each bag's sum, a maximum compares as often as a sum adds, and weights of the
    samples multiply each row.
    """
    indices, bags = _bags(call)
    if indices == 0:
        return ZERO_COST
    if call["mode"] == MEAN:
        each = "indices"
    elif call["per_sample_weights"] is not None:
        each = "(2·indices − bags)"
    else:
        each = "(indices − bags)"
    return Cost.of(other=f"{each}·d", indices=indices, bags=bags, d=call["weight"].shape[1])


@formula("aten::_embedding_bag_backward", "aten::_embedding_bag_dense_backward", by_value=True)
def embedding_bag_backward(call: Call) -> Cost:
    """A bag's gradient is added to the row of each of its indices: indices·d.

    It is scaled before, in one product, by the bag's size (a mean), the weight of the sample or the
    frequency of the index: 2·indices·d. The gradient of a maximum goes to one row for each number:
    bags·d. A sparse gradient is not added up, only scaled.
    """
    d = call["grad"].shape[-1]
    if call["mode"] == MAX:
        sizes = call["bag_size"]
        bags = int((sizes > 0).sum()) if has_values(sizes) else sizes.numel()
        return Cost.of(other="bags·d", bags=bags, d=d)
    indices = _real_indices(call["indices"], call["padding_idx"])
    scaled = (
        call["mode"] == MEAN
        or call["per_sample_weights"] is not None
        or bool(call["scale_grad_by_freq"])
    )
    added = not call.get("sparse", False)
    return Cost.of(other=times(scaled + added, "indices·d"), indices=indices, d=d)


@formula("aten::_embedding_bag_per_sample_weights_backward", by_value=True)
def embedding_bag_per_sample_weights_backward(call: Call) -> Cost:
    """For each index the dot product of its row and its bag's gradient: 2·d − 1."""
    indices = _real_indices(call["indices"], call["padding_idx"])
    d = call["weight"].shape[1]
    return Cost.of(other="indices·(2·d − 1)", indices=indices, d=d) if d else ZERO_COST
