"""Dropout where it reaches the dispatcher whole.

In training the input is multiplied by a mask and by the scale that makes up for it: 2 for each
element. The random numbers are free. The article takes dropout as nothing. On CPU a dropout layer
is a bernoulli_, a div_ and a mul; its scope tells that they belong to one (see
`ipyflops.costs.conventions.within_layer`).
"""

from __future__ import annotations

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.registry import formula, mark_free


@formula("aten::native_dropout")
def native_dropout(call: Call) -> Cost:
    """x·mask·scale in training, which is also what None means; in evaluation a copy."""
    if call["train"] is False:
        return ZERO_COST
    return Cost.of(other="2·n", article="0", n=first_output(call).numel())


@formula("aten::_fused_dropout", "aten::_masked_scale", "aten::native_dropout_backward")
def masked_scale(call: Call) -> Cost:
    """Two products, x·mask·scale."""
    return Cost.of(other="2·n", article="0", n=first_output(call).numel())


mark_free("random numbers are drawn", "aten::_fill_mem_eff_dropout_mask")
mark_free(
    "the state of a random number generator",
    "aten::_cudnn_init_dropout_state",
    moves_data=False,
)
mark_free("copies: dropout does nothing to quantized tensors", "quantized::dropout")
