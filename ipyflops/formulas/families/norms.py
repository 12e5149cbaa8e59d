"""Normalization layers: statistics, then (x − mean)·invstd·weight + bias for every element.

In the expressions n is the number of elements, c the channels of a batch norm, m the rows that a
layer or group norm takes its statistics over. By the article's principle a mean is n operations
(additions and one division), a variance 4·n: the mean, x − mean, its square, their mean. Then
invstd = 1/√(variance + eps) is 2 for each mean, and each element takes x − mean, ·invstd, ·weight
and + bias.

The article names batch norm: 4·n in training, nothing in evaluation. The backward operators are in
`families.norm_gradients`.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import linear
from ipyflops.formulas.registry import formula

#: Moving averages, for each channel: (1 − momentum)·old + momentum·new for the mean and for the
#: variance (3 + 3), and the factor that makes the variance unbiased.
RUNNING_STATISTICS = 7


def affine(call: Call) -> int:
    """Operations on each element for the scale and the shift that are given: 0, 1 or 2."""
    return (call["weight"] is not None) + (call["bias"] is not None)


def channels(tensor: Tensor) -> int:
    """The size of dim 1, which a batch norm keeps."""
    return tensor.shape[1] if tensor.dim() > 1 else 1


def _batch_norm(call: Call, *, training: bool, update: bool) -> Cost:
    """Cost of a batch norm.

    In training the statistics (4·n for the variance, 2 for each invstd), 2·n to normalize, up to
    2·n for the scale and the shift, and the running statistics where they are kept. In evaluation
    the layer is 4·n by the article's count of its formula (2·n without scale and shift): what is
    done once per channel is left out there.
    """
    tensor = call["input"]
    n, c = tensor.numel(), channels(tensor)
    if n == 0:
        return ZERO_COST
    each = 2 + affine(call)
    if not training:
        return Cost.of(other=linear(n=each), article="0", n=n)
    per_channel = 2 + (RUNNING_STATISTICS if update else 0)
    return Cost.of(
        other=f"4·n + {linear(n=each, c=per_channel)}",
        article="4·n",
        note="4·n and 2·c are the statistics of the batch",
        n=n,
        c=c,
    )


@formula(
    "aten::native_batch_norm",
    "aten::cudnn_batch_norm",
    "aten::miopen_batch_norm",
    "aten::_native_batch_norm_legit",
    "aten::_native_batch_norm_legit_functional",
    dtype_from="input",
)
def batch_norm(call: Call) -> Cost:
    """Batch norm that an argument switches between training and evaluation: `_batch_norm`."""
    return _batch_norm(call, training=call["training"], update=call.get("running_mean") is not None)


@formula(
    "aten::_batch_norm_with_update", "aten::_batch_norm_with_update_functional", dtype_from="input"
)
def batch_norm_with_update(call: Call) -> Cost:
    """Batch norm in training that keeps running statistics: `_batch_norm`."""
    return _batch_norm(call, training=True, update=True)


@formula(
    "aten::_batch_norm_no_update", "aten::_native_batch_norm_legit_no_training", dtype_from="input"
)
def batch_norm_no_update(call: Call) -> Cost:
    """Batch norm in evaluation: `_batch_norm`."""
    return _batch_norm(call, training=False, update=False)


@formula("aten::batch_norm_stats", dtype_from="input")
def batch_norm_stats(call: Call) -> Cost:
    """Mean and invstd of each channel: 4·n, and a sum and a root for each."""
    tensor = call["input"]
    if tensor.numel() == 0:
        return ZERO_COST
    return Cost.of(other="4·n + 2·c", n=tensor.numel(), c=channels(tensor))


@formula("aten::batch_norm_update_stats", dtype_from="input")
def batch_norm_update_stats(call: Call) -> Cost:
    """Mean and variance of each channel, 4·n, and the running statistics where they are kept."""
    tensor = call["input"]
    if tensor.numel() == 0:
        return ZERO_COST
    update = RUNNING_STATISTICS if call["running_mean"] is not None else 0
    return Cost.of(other=linear(n=4, c=update), n=tensor.numel(), c=channels(tensor))


@formula("aten::batch_norm_elemt", dtype_from="input")
def batch_norm_elemt(call: Call) -> Cost:
    """(x − mean)·invstd·weight + bias with statistics that are at hand."""
    return Cost.of(other=linear(n=2 + affine(call)), n=call["input"].numel())


@formula(
    "aten::batch_norm_gather_stats", "aten::batch_norm_gather_stats_with_counts", dtype_from="mean"
)
def batch_norm_gather_stats(call: Call) -> Cost:
    """Statistics of w workers merged, channel by channel.

    For each worker (1/invstd)² − eps, times its count (4); the new count and its inverse (2); the
    sum of squares grows by (mean − other)²·n·count/total (2 + 3) and by the worker's own (2 sums);
    the mean becomes (n/total)·mean + (count/total)·other (5): 18. Then 1/√(sum/n + eps), 3, and the
    running statistics.
    """
    workers, c = call["mean"].shape
    update = RUNNING_STATISTICS if call["running_mean"] is not None else 0
    return Cost.of(other=f"18·w·c + {linear(c=3 + update)}", w=workers, c=c)


def _rows(call: Call, m: int, *, mean: bool = True) -> Cost:
    """Cost of a norm over m rows: see the module; without a mean n for it and n for x − mean less.

    The square of x and its mean are 2·n, the mean and x − mean (needed once for the variance and
    once for the result) 3·n.
    """
    n = first_output(call).numel()
    if n == 0:
        return ZERO_COST
    statistics, normalize = (4, 2) if mean else (2, 1)
    scale_and_shift = (call["weight"] is not None) + (call.get("bias") is not None)
    return Cost.of(
        other=f"{statistics}·n + 2·m + {linear(n=normalize + scale_and_shift)}",
        note=f"{statistics}·n and 2·m are the statistics of the m rows",
        n=n,
        m=m,
    )


@formula("aten::native_layer_norm", dtype_from="input")
def layer_norm(call: Call) -> Cost:
    """A row is what `normalized_shape` spans: statistics 4·n + 2·m, 2·n, weight and bias."""
    n, size = call["input"].numel(), math.prod(call["normalized_shape"])
    return _rows(call, n // size if size else 0)


@formula("aten::_fused_rms_norm", dtype_from="input")
def rms_norm(call: Call) -> Cost:
    """x·weight/√(mean(x²) + eps): 2·n + 2·m for the statistics, n to normalize, n for weight."""
    n, size = call["input"].numel(), math.prod(call["normalized_shape"])
    return _rows(call, n // size if size else 0, mean=False)


@formula("aten::native_group_norm", dtype_from="input")
def group_norm(call: Call) -> Cost:
    """A row is one group of one sample: statistics 4·n + 2·m, 2·n, weight and bias."""
    return _rows(call, call["N"] * call["group"])
