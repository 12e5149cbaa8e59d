"""Operators of torchvision on regions of images, by their names: it need not be installed.

Regions are sampled as in `families.grid_sampling`: at each point the coordinates and the
weights of 4 neighbours are found once for all channels, then each channel adds up its neighbours.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values

#: Overlap of two boxes: its corners 4, its sides 2, not below zero 2, its area 1, the union 2,
#: their quotient 1, compared with the threshold 1.
_OVERLAP = 13
#: x = start + p·bin + (i + ½)·bin/samples is 6, and so is y; 4 distances and 4 products of them.
_POINT = 2 * 6 + 4 + 4


@formula("torchvision::nms")
def suppress_overlapping(call: Call) -> Cost:
    """Boxes are sorted by score, their areas found (3), and every pair is compared for its overlap.

    Kernels for CPUs leave out the pairs of boxes that are suppressed already.
    """
    n = call["dets"].shape[0]
    sorting = "round(n·log2(n))" if n else "0"
    note = "all pairs; a kernel for CPUs leaves out boxes that are suppressed already"
    return cost(
        {"n": n}, other=total(sorting, "3·n", f"{_OVERLAP}·n·(n − 1)/2") if n else "0", note=note
    )


def _samples(call: Call) -> int:
    """How many points of each bin are sampled, added up over the regions."""
    rois: Tensor = call["rois"]
    ratio = call["sampling_ratio"]
    if ratio > 0 or not has_values(rois):
        return int(rois.shape[0] * max(ratio, 1) ** 2)
    # As many as a bin is pixels wide and high.
    scale = call["spatial_scale"]
    sides = ((rois[:, 3:5] - rois[:, 1:3]).double() * scale).tolist()
    return sum(
        math.ceil(max(height, 1e-9) / call["pooled_height"])
        * math.ceil(max(width, 1e-9) / call["pooled_width"])
        for width, height in sides
    )


def _align(call: Call, pooled: Tensor, channel: int, output: int) -> Cost:
    """Sampling with so many operations at a point for each channel, and on each output."""
    bins = pooled.shape[-2] * pooled.shape[-1]
    sizes = {"P": _samples(call) * bins, "C": pooled.shape[1], "n": pooled.numel()}
    return cost(
        sizes,
        other=total(f"{_POINT}·P + {channel}·P·C", times(output, "n")),
        note="P points are sampled for each of C channels",
    )


@formula("torchvision::roi_align", "torchvision::ps_roi_align", by_value=True)
def roi_align(call: Call) -> Cost:
    """A point's 4 weighted neighbours are added up (8 for each channel); the mean divides (1)."""
    return _align(call, first_output(call), channel=8, output=1)


@formula("torchvision::_roi_align_backward", "torchvision::_ps_roi_align_backward", by_value=True)
def roi_align_backward(call: Call) -> Cost:
    """A point gives each of its 4 neighbours g·weight/samples, and it is added: 3 each."""
    return _align(call, call["grad"], channel=12, output=0)


def _pixels(call: Call, pooled: Tensor, one_more: int) -> int:
    """Pixels in all bins of all regions; without values one for each bin."""
    rois: Tensor = call["rois"]
    rows, columns = pooled.shape[-2:]
    if not has_values(rois):
        return rois.shape[0] * rows * columns
    pixels = 0
    for left, top, right, bottom in (rois[:, 1:5].double() * call["spatial_scale"]).tolist():
        pixels += _spans(top, bottom, rows, one_more) * _spans(left, right, columns, one_more)
    return pixels


def _spans(start: float, end: float, bins: int, one_more: int) -> int:
    """Lengths of all bins along one side of a region, in pixels; neighbours share one at times."""
    side = max(round(end) - round(start) + one_more, 1) / bins
    return sum(math.ceil((i + 1) * side) - math.floor(i * side) for i in range(bins))


@formula("torchvision::roi_pool", by_value=True)
def roi_pool(call: Call) -> Cost:
    """The largest of each bin: every pixel is compared with the largest so far."""
    out = first_output(call)
    sizes = {"pixels": _pixels(call, out, 1), "C": out.shape[1]}
    return cost(sizes, other="pixels·C", note="pixels: of all bins of all regions")


@formula("torchvision::_roi_pool_backward")
def roi_pool_backward(call: Call) -> Cost:
    """Every gradient is added to the pixel that was the largest."""
    return Cost.of(other="n", n=call["grad"].numel())


@formula("torchvision::ps_roi_pool", "torchvision::_ps_roi_pool_backward", by_value=True)
def position_sensitive_pool(call: Call) -> Cost:
    """The mean of each bin: its pixels are added up, then divided; backward the other way round."""
    pooled: Tensor = call["grad"] if "grad" in call else first_output(call)
    sizes = {"pixels": _pixels(call, pooled, 0), "C": pooled.shape[1], "n": pooled.numel()}
    return cost(sizes, other="pixels·C + n", note="pixels: of all bins of all regions")


def _deformed(call: Call, out: Tensor) -> dict[str, int]:
    """The sizes of a deformable convolution."""
    weight: Tensor = call["weight"]
    taps = weight.shape[2] * weight.shape[3]
    pixels = out.shape[0] * out.shape[2] * out.shape[3]
    return {
        "P": pixels * taps * call["offset_groups"],
        "columns": pixels * taps * call["input"].shape[1],
        "outputs": out.numel(),
        "taps": weight[0].numel(),
        "out": out.shape[1],
    }


_DEFORMED = "P displaced points; columns: the values sampled there; taps: the weights of one filter"


@formula("torchvision::deform_conv2d")
def deform_conv2d(call: Call) -> Cost:
    """A convolution over sampled values.

    A point is displaced (2), its floors, distances and their products are found (10); a value is
    the sum of 4 weighted neighbours (7), times a mask if there is one.
    """
    sampled = 7 + bool(call["use_mask"])
    return cost(
        _deformed(call, first_output(call)),
        contraction="2·outputs·taps",
        other=f"12·P + {sampled}·columns",
        note=_DEFORMED,
    )


@formula("torchvision::_deform_conv2d_backward")
def deform_conv2d_backward(call: Call) -> Cost:
    """Two products, for the columns and for the weight; the columns are sampled again.

    Each value of the columns then gives its 4 neighbours a part (8), and the two displacements
    theirs: ((b − a)·s + (d − c)·t)·g, added (14). With a mask those parts are multiplied with it
    (2), and it is given value·g, added (2). The bias is given the sum of the gradients.
    """
    masked = bool(call["use_mask"])
    each = 7 + masked + 8 + 14 + 4 * masked
    return cost(
        _deformed(call, call["grad"]),
        contraction="4·outputs·taps",
        other=f"12·P + {each}·columns + outputs − out",
        note=_DEFORMED,
    )
