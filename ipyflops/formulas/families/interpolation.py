"""Interpolation to another size, and patches of images: `interpolate`, `unfold`, `fold`.

The weights belong to an axis, not to an element: they are computed once for each row and column and
are left out, being of lower order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.registry import formula, mark_free

_NEAREST = ("upsample_nearest{}d", "_upsample_nearest_exact{}d")
mark_free(
    "copies the nearest element",
    *(f"aten::{name.format(dims)}" for name in _NEAREST for dims in (1, 2, 3)),
)


@formula(*(f"aten::{name.format(dims)}_backward" for name in _NEAREST for dims in (1, 2, 3)))
def nearest_backward(call: Call) -> Cost:
    """Every element of the gradient is added to that of the element it was copied from."""
    return Cost.of(other="n", n=call["grad_output"].numel())


@formula("aten::upsample_linear1d", "aten::upsample_bilinear2d", "aten::upsample_trilinear3d")
def linear(call: Call) -> Cost:
    """w·a + (1 − w)·b between two elements is 3; between 4 it is 3 of these, between 8 it is 7."""
    out = first_output(call)
    each = {3: "3·n", 4: "9·n", 5: "21·n"}[out.ndim]
    return Cost.of(other=each, n=out.numel())


@formula(
    "aten::upsample_linear1d_backward",
    "aten::upsample_bilinear2d_backward",
    "aten::upsample_trilinear3d_backward",
)
def linear_backward(call: Call) -> Cost:
    """Each of 2, 4 or 8 neighbours is given g times 1, 2 or 3 weights, and added up."""
    gradient: Tensor = call["grad_output"]
    each = {3: "4·n", 4: "12·n", 5: "32·n"}[gradient.ndim]
    return Cost.of(other=each, n=gradient.numel())


@formula("aten::upsample_bicubic2d")
def bicubic(call: Call) -> Cost:
    """The weighted sum of 4 elements (7) in each of 4 rows, and that of the 4 rows: 35."""
    return Cost.of(other="35·n", n=first_output(call).numel())


@formula("aten::upsample_bicubic2d_backward")
def bicubic_backward(call: Call) -> Cost:
    """Each of 16 neighbours is given g times two weights, and added up: 3."""
    return Cost.of(other="48·n", n=call["grad_output"].numel())


def _taps(inputs: int, outputs: int, width: int, align_corners: bool, factor: float | None) -> int:
    """How many elements all outputs along an axis are weighted sums of, with antialiasing.

    The filter is `width` inputs wide, and as much wider as the image shrinks; at the borders it is
    cut off.
    """
    if align_corners:
        scale = (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    else:
        scale = 1 / factor if factor else inputs / outputs
    reach = width / 2 * max(scale, 1.0)
    taps = 0
    for position in range(outputs):
        centre = scale * (position + 0.5)
        first = max(int(centre - reach + 0.5), 0)
        taps += max(min(int(centre + reach + 0.5), inputs) - first, 0)
    return taps


_WIDTHS = {"bilinear": 2, "bicubic": 4, "lanczos": 6}


def _antialiased(call: Call, small: Sequence[int], large: Sequence[int]) -> tuple[int, int]:
    """The taps of a row and of a column, from the sizes of the input and of the output."""
    width = next(width for name, width in _WIDTHS.items() if name in call.operator)
    align = bool(call["align_corners"])
    factors = call.get("scale_factors") or (call.get("scales_h"), call.get("scales_w"))
    rows, columns = (
        _taps(inputs, outputs, width, align, factor)
        for inputs, outputs, factor in zip(small[-2:], large[-2:], factors, strict=True)
    )
    return columns, rows


@formula(
    "aten::_upsample_bilinear2d_aa",
    "aten::_upsample_bicubic2d_aa",
    "aten::_upsample_lanczos2d_aa",
    by_number=True,
)
def antialiased(call: Call) -> Cost:
    """Along the rows first, of every row of the input; then along the columns.

    An output that is the weighted sum of t elements takes 2·t − 1. How many there are is summed up
    over the W outputs of a row and over the H outputs of a column.
    """
    image: Tensor = call.args[0]
    out = first_output(call)
    row, column = _antialiased(call, image.shape, out.shape)
    height, width = out.shape[-2:]
    return Cost.of(
        other="N·(h·(2·row − W) + W·(2·column − H))",
        note="N images and channels, h input rows; row, column: the elements that go into all "
        "outputs of a row, and of a column",
        N=math.prod(out.shape[:-2]),
        h=image.shape[-2],
        H=height,
        W=width,
        row=row,
        column=column,
    )


@formula(
    "aten::_upsample_bilinear2d_aa_backward",
    "aten::_upsample_bicubic2d_aa_backward",
    "aten::_upsample_lanczos2d_aa_backward",
    by_number=True,
)
def antialiased_backward(call: Call) -> Cost:
    """Every element that went into an output is given g times two weights, and added up: 3."""
    gradient: Tensor = call["grad_output"]
    row, column = _antialiased(call, call["input_size"], gradient.shape)
    return Cost.of(
        other="3·N·row·column",
        note="N images and channels; row, column: the elements that went into all outputs of a "
        "row, and of a column",
        N=math.prod(gradient.shape[:-2]),
        row=row,
        column=column,
    )


mark_free("copies patches of an image into columns", "aten::im2col")


@formula("aten::col2im")
def fold(call: Call) -> Cost:
    """Every element of the columns is added to its pixel."""
    return Cost.of(other="2·n" if call.is_complex else "n", n=call["self"].numel())


@formula("aten::unfold_backward")
def unfold_backward(call: Call) -> Cost:
    """Every element of the windows is added to the element it is a view of."""
    return Cost.of(other="2·n" if call.is_complex else "n", n=call["grad_in"].numel())
