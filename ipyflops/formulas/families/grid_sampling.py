"""Sampling at points of a grid: `grid_sample`, `affine_grid`, and their backward operators.

At each point of the grid the coordinates are brought into pixels and the weights of the neighbours
are found, once for all channels; then each channel adds up its weighted neighbours.

===============  ==========================================================================
of a coordinate  operations
===============  ==========================================================================
into pixels      ((x + 1)·size − 1)/2: 4; with align_corners (x + 1)/2·(size − 1): 3
border           2 comparisons
reflection       distance from the edge 2, remainder 4, how often reflected 2, back 1, then border 2
===============  ==========================================================================

Cubic weights are 4 polynomials in each direction, 25 operations: ((A + 2)·x − (A + 3))·x·x + 1 (5)
at x and 1 − x, and ((A·x − 5·A)·x + 8·A)·x − 4·A (6) one step further out on each side.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost
from ipyflops.formulas.registry import formula

_ZEROS, _BORDER, _REFLECTION = 0, 1, 2
_LINEAR, _NEAREST, _CUBIC = 0, 1, 2
_PADDING = {_ZEROS: 0, _BORDER: 2, _REFLECTION: 11}
_CUBIC_WEIGHTS, _CUBIC_SLOPES = 25, 18


def _point(call: Call, dims: int) -> int:
    """Operations at one point of the grid before any channel is read."""
    mode = call.get("interpolation_mode", _LINEAR)
    into_pixels = 3 if call.get("align_corners", True) else 4
    padding = _PADDING[call.get("padding_mode", _ZEROS)]
    if mode == _NEAREST:
        return dims * (into_pixels + padding + 1)
    if mode == _CUBIC:
        # The 4 columns and 4 rows are padded rather than the point itself.
        return 2 * (into_pixels + 2 + _CUBIC_WEIGHTS + 4 * padding)
    # Floors, distances to both neighbours, and their products: 4 of two, or 4 and then 8 of three.
    products = 4 if dims == 2 else 12
    return dims * (into_pixels + padding + 1 + 2) + products


def _sizes(call: Call) -> tuple[int, dict[str, int]]:
    """How many dims are sampled; points of the grid and channels as symbols."""
    grid: Tensor = call["grid"]
    values: Tensor = call["input"] if "input" in call else call["self"]
    return grid.shape[-1], {"P": math.prod(grid.shape[:-1]), "C": values.shape[1]}


@formula(
    "aten::grid_sampler_2d",
    "aten::grid_sampler_3d",
    "aten::_grid_sampler_2d_cpu_fallback",
    "aten::cudnn_grid_sampler",
)
def grid_sampler(call: Call) -> Cost:
    """P points: coordinates and weights, see above; then for each of C channels the weighted sum.

    - linear: 2 floors, 4 distances, 4 products of them; a sum of 4 products, 7 for each channel.
      In 3 dims: 3 floors, 6 distances, 12 products; a sum of 8 products, 15.
    - nearest: one rounding of each coordinate; a channel is copied.
    - cubic: a floor and a difference in each direction, 2 times 25 for the weights; 5 sums of 4
      products, 35 for each channel.
    """
    dims, sizes = _sizes(call)
    mode = call.get("interpolation_mode", _LINEAR)
    channel = {_LINEAR: 7 if dims == 2 else 15, _NEAREST: 0, _CUBIC: 35}[mode]
    expression = f"{_point(call, dims)}·P" + (f" + {channel}·P·C" if channel else "")
    return cost(sizes, other=expression, note="P points of the grid, C channels at each")


@formula(
    "aten::grid_sampler_2d_backward",
    "aten::grid_sampler_3d_backward",
    "aten::_grid_sampler_2d_cpu_fallback_backward",
    "aten::cudnn_grid_sampler_backward",
)
def grid_sampler_backward(call: Call) -> Cost:
    """Weights again, as forward; then each channel gives to its neighbours and to the grid.

    ========  ==========================  ======================================================
    mode      to each input neighbour     to the grid
    ========  ==========================  ======================================================
    linear    weight·g, added: 2 of 4     2 dims: ((b − a)·s + (d − c)·t)·g, added: 7 of each
              (3 dims: of 8)              coordinate; 3 dims: each of 8 neighbours times two
                                          distances and g, added: 4 of each coordinate
    nearest   g, added: 1                 nothing
    cubic     wx·wy·g, added: 3 of 16     each of 16 neighbours times slope, weight and g, added:
                                          4 of each coordinate; 18 for the slopes of a direction
    ========  ==========================  ======================================================

    At the end each coordinate's gradient is scaled back from pixels. The input's gradient is left
    out where nobody asks for it; the grid's is always computed.
    """
    dims, sizes = _sizes(call)
    mode = call.get("interpolation_mode", _LINEAR)
    to_input = bool(call["output_mask"][0]) if "output_mask" in call else True
    point = _point(call, dims)
    if mode == _NEAREST:
        channel = int(to_input)
    elif mode == _CUBIC:
        point += 2 * _CUBIC_SLOPES + 2
        channel = 16 * (3 * to_input + 2 * 4)
    elif dims == 2:
        point += 2
        channel = 4 * 2 * to_input + 2 * 7
    else:
        point += 3
        channel = 8 * 2 * to_input + 3 * 8 * 4
    expression = f"{point}·P" + (f" + {channel}·P·C" if channel else "")
    return cost(sizes, other=expression, note="P points of the grid, C channels at each")


@formula("aten::affine_grid_generator", "aten::cudnn_affine_grid_generator")
def affine_grid(call: Call) -> Cost:
    """Each point is theta times (x, y, 1), or (x, y, z, 1): d dot products of length d + 1.

    Without align_corners the coordinates of every axis are first scaled by (size − 1)/size.
    """
    grid = first_output(call)
    d = grid.shape[-1]
    axes = sum(grid.shape[1:-1])
    shrunk = not call.get("align_corners", True)
    return Cost.of(
        contraction="2·P·d·(d + 1)",
        other="2·s" if shrunk else "0",
        note="P points of d coordinates; s: the sizes of the axes together",
        P=math.prod(grid.shape[:-1]),
        d=d,
        s=axes,
    )


@formula("aten::cudnn_affine_grid_generator_backward")
def affine_grid_backward(call: Call) -> Cost:
    """Theta's gradient: for each of d·(d + 1) numbers the sum over all points of a product."""
    gradient: Tensor = call["grad"]
    d = gradient.shape[-1]
    return Cost.of(contraction="2·P·d·(d + 1)", P=math.prod(gradient.shape[:-1]), d=d)
