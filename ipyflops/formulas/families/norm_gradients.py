"""Backward operators of the normalization layers, each as its derivative is written out.

With x̂ = (x − mean)·invstd, y = x̂·w + b and dy the gradient of y, over the rows:

- dw = Σ dy·x̂, db = Σ dy
- dx = invstd·(g − (Σ g + x̂·Σ g·x̂)/length), where g = dy·w

Sums and products that two of the gradients share are counted once, and nothing is counted for a
gradient that is not asked for. In the expressions n is the number of elements, c the channels of a
batch norm, r the size of the weight w of a layer or group norm.
"""

from __future__ import annotations

import math

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.families.norms import channels
from ipyflops.formulas.registry import formula


def _batch_norm_backward(call: Call, *, training: bool, wanted: tuple[bool, bool, bool]) -> Cost:
    """Cost of the backward of a batch norm.

    w and invstd are the same for a whole channel, so the sums are of dy and of dy·(x − mean) and
    the factors are put together once per channel.

    - Σ dy, for db and in training for dx: n − c.
    - x − mean, times dy, summed, for dw and in training for dx: 3·n − c; dw = that·invstd: c.
    - invstd = 1/√(running variance + eps) in evaluation, for dx and dw: 2·c.
    - dx in training: k = Σ dy·(x − mean)·invstd²/length (3·c), a = Σ dy/length (c), invstd·w (c
      if there is a w), then (dy − (x − mean)·k − a)·(invstd·w): 4·n.
    - dx in evaluation: dy·(invstd·w): n, and c if there is a w.
    """
    input_wanted, weight_wanted, bias_wanted = wanted
    n, c = call["input"].numel(), channels(call["input"])
    if n == 0:
        return ZERO_COST
    per_element = per_channel = 0
    if bias_wanted or (input_wanted and training):
        per_element, per_channel = per_element + 1, per_channel - 1
    if weight_wanted or (input_wanted and training):
        per_element, per_channel = per_element + 3, per_channel - 1
    if weight_wanted:
        per_channel += 1
    if not training and (input_wanted or weight_wanted):
        per_channel += 2
    if input_wanted:
        per_element += 4 if training else 1
        per_channel += (4 if training else 0) + (call["weight"] is not None)
    return Cost.of(other=linear(n=per_element, c=per_channel), n=n, c=c)


@formula("aten::native_batch_norm_backward", dtype_from="input")
def native_batch_norm_backward(call: Call) -> Cost:
    """Training or evaluation, as `train` says: `_batch_norm_backward`."""
    return _batch_norm_backward(call, training=call["train"], wanted=tuple(call["output_mask"]))


@formula("aten::batch_norm_backward", dtype_from="input")
def batch_norm_backward(call: Call) -> Cost:
    """Training or evaluation, as `update` says: `_batch_norm_backward`."""
    return _batch_norm_backward(call, training=call["update"], wanted=tuple(call["output_mask"]))


@formula("aten::cudnn_batch_norm_backward", "aten::miopen_batch_norm_backward", dtype_from="input")
def vendor_batch_norm_backward(call: Call) -> Cost:
    """In training, all three gradients: `_batch_norm_backward`."""
    return _batch_norm_backward(call, training=True, wanted=(True, True, True))


@formula("aten::batch_norm_backward_reduce", dtype_from="input")
def batch_norm_backward_reduce(call: Call) -> Cost:
    """Σ dy and Σ dy·(x − mean) for each channel: n − c, 3·n − c; dw is the second times invstd."""
    n, c = call["input"].numel(), channels(call["input"])
    if n == 0:
        return ZERO_COST
    return Cost.of(other=linear(n=4, c=bool(call["weight_g"]) - 2), n=n, c=c)


@formula("aten::batch_norm_backward_elemt", dtype_from="input")
def batch_norm_backward_elemt(call: Call) -> Cost:
    """Gradient dx = (dy − a − (x − mean)·k)·(invstd·w) from sums that are at hand: 5·n.

    Once per channel a = Σ dy/length, k = Σ dy·(x − mean)/length·invstd² (4 with the square), and
    invstd·w if there is a w.
    """
    n, c = call["input"].numel(), channels(call["input"])
    if n == 0:
        return ZERO_COST
    return Cost.of(other=linear(n=5, c=4 + (call["weight"] is not None)), n=n, c=c)


def _rows_backward(
    call: Call, r: int, wanted: tuple[bool, bool, bool], *, mean: bool = True
) -> Cost:
    """Cost of the backward of a norm over rows with a weight of r elements.

    - x̂ for dx and dw: 2·n; without a mean n.
    - dw: n products, n − r sums. db: n − r sums.
    - dx: g = dy·w (n if there is a w). k = Σ g·x̂/length: n products, n sums and divisions.
      a = Σ g/length: n. Then invstd·(g − a − x̂·k): 4·n. Without a mean, a falls away: 2·n less.
    """
    input_wanted, weight_wanted, bias_wanted = wanted
    n = call["input"].numel()
    if n == 0:
        return ZERO_COST
    per_element = per_weight = 0
    if input_wanted or weight_wanted:
        per_element += 2 if mean else 1
    if weight_wanted:
        per_element, per_weight = per_element + 2, per_weight - 1
    if bias_wanted:
        per_element, per_weight = per_element + 1, per_weight - 1
    if input_wanted:
        per_element += (call["weight"] is not None) + (7 if mean else 5)
    return Cost.of(other=linear(n=per_element, r=per_weight), n=n, r=r)


@formula("aten::native_layer_norm_backward", dtype_from="input")
def native_layer_norm_backward(call: Call) -> Cost:
    """Rows that `normalized_shape` spans: `_rows_backward`."""
    return _rows_backward(call, math.prod(call["normalized_shape"]), tuple(call["output_mask"]))


@formula("aten::_fused_rms_norm_backward", dtype_from="input")
def fused_rms_norm_backward(call: Call) -> Cost:
    """Rows that `normalized_shape` spans, without a mean: `_rows_backward`."""
    wanted = (*call["output_mask"], False)
    return _rows_backward(call, math.prod(call["normalized_shape"]), wanted, mean=False)


@formula("aten::native_group_norm_backward", dtype_from="input")
def native_group_norm_backward(call: Call) -> Cost:
    """Rows of one group in one sample, weight and bias for each channel: `_rows_backward`."""
    return _rows_backward(call, call["C"], tuple(call["output_mask"]))
