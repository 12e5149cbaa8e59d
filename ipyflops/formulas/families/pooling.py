"""Pooling, forward and backward.

The article counts a max pool as one operation for each result and an average pool as window + 1 for
each result, the window being the product of the kernel's sides; both conventions follow it.
Adaptive and fractional pools are pools whose windows differ in size, and are counted alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.registry import formula, mark_free


@formula(
    "aten::max_pool1d",
    "aten::max_pool2d_with_indices",
    "aten::max_pool3d_with_indices",
    "aten::mkldnn_max_pool2d",
    "aten::mkldnn_max_pool3d",
    "aten::adaptive_max_pool2d",
    "aten::adaptive_max_pool3d",
    "aten::fractional_max_pool2d",
    "aten::fractional_max_pool3d",
)
def max_pool(call: Call) -> Cost:
    """One operation, a maximum, for each result, as the article has it."""
    return Cost.of(other="n", article="n", n=first_output(call).numel())


@formula(
    "aten::max_pool2d_backward",
    "aten::max_pool2d_with_indices_backward",
    "aten::max_pool3d_with_indices_backward",
    "aten::mkldnn_max_pool2d_backward",
    "aten::mkldnn_max_pool3d_backward",
    "aten::adaptive_max_pool2d_backward",
    "aten::adaptive_max_pool3d_backward",
    "aten::fractional_max_pool2d_backward",
    "aten::fractional_max_pool3d_backward",
)
def max_pool_backward(call: Call) -> Cost:
    """Each gradient is added to the one input that was the maximum; windows may overlap."""
    return Cost.of(other="n", n=call["grad_output"].numel())


mark_free(
    "values are put back at the places that they were taken from",
    "aten::max_unpool2d",
    "aten::max_unpool3d",
)


def _window(call: Call, dims: int) -> int:
    """The product of the sides of a kernel; one number stands for all sides."""
    sides: int | Sequence[int] = call["kernel_size"]
    if isinstance(sides, int):
        sides = [sides]
    return math.prod([*sides] * dims if len(sides) == 1 else sides)


def _dims(call: Call) -> int:
    """1, 2 or 3: it is in the operator's name; most 1d pools reach the dispatcher as 2d ones."""
    return 3 if "3d" in call.operator else 1 if "1d" in call.operator else 2


@formula("aten::avg_pool1d.out", "aten::avg_pool2d", "aten::avg_pool3d")
def avg_pool(call: Call) -> Cost:
    """For each result window + 1; padding that is in a window counts as the article counts it."""
    return Cost.of(
        other="(window + 1)·n",
        article="(window + 1)·n",
        window=_window(call, _dims(call)),
        n=first_output(call).numel(),
    )


@formula("aten::avg_pool2d_backward", "aten::avg_pool3d_backward")
def avg_pool_backward(call: Call) -> Cost:
    """Each gradient is divided once and added to every input of its window."""
    return Cost.of(
        other="(window + 1)·n",
        window=_window(call, _dims(call)),
        n=call["grad_output"].numel(),
    )


def adaptive_windows(size: int, outputs: int) -> int:
    """The sizes of the windows that an adaptive pool cuts a side into, added up.

    Window i reaches from ⌊i·size/outputs⌋ to ⌈(i + 1)·size/outputs⌉; neighbours may overlap.

    Examples
    --------
    >>> adaptive_windows(6, 3), adaptive_windows(5, 3)
    (6, 7)
    """
    return sum(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))


def _adaptive(inputs: tuple[int, ...], outputs: tuple[int, ...], dims: int) -> Cost:
    """For each result window + 1, added up over windows that differ.

    A window is a product of one window for each side, so the sum over all of them is the product
    of the sums for each side.
    """
    sides = zip(inputs[-dims:], outputs[-dims:], strict=True)
    return Cost.of(
        other="planes·windows + n",
        note="windows: the sizes of a plane's windows added up",
        planes=math.prod(outputs[:-dims]),
        windows=math.prod(adaptive_windows(size, count) for size, count in sides),
        n=math.prod(outputs),
    )


@formula(
    "aten::_adaptive_avg_pool2d",
    "aten::_adaptive_avg_pool3d",
    "aten::mkldnn_adaptive_avg_pool2d",
    "aten::adaptive_avg_pool1d.out",
    "aten::adaptive_avg_pool2d.out",
    "aten::adaptive_avg_pool3d.out",
)
def adaptive_avg_pool(call: Call) -> Cost:
    """Σ (window + 1): see `_adaptive`."""
    return _adaptive(call["self"].shape, first_output(call).shape, _dims(call))


@formula(
    "aten::_adaptive_avg_pool2d_backward",
    "aten::_adaptive_avg_pool3d_backward",
    "aten::adaptive_avg_pool3d_backward",
    "aten::mkldnn_adaptive_avg_pool2d_backward",
)
def adaptive_avg_pool_backward(call: Call) -> Cost:
    """Each gradient is divided once and added to every input of its window: see `_adaptive`."""
    return _adaptive(call["self"].shape, call["grad_output"].shape, _dims(call))
