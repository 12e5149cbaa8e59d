"""Interpolation in all modes, folding and unfolding, against loops with numbers that count."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.formulas.counted import Number, dot, numbers, plain, tally
from tests.formulas.dispatch import costs, total
from tests.formulas.families.test_grid_sampling import cubic_weights

Weights = list[tuple[int, list[float]]]


def linear_axis(inputs: int, outputs: int) -> Weights:
    """The first neighbour of every output and the weights of two, corners aligned."""
    result = []
    for position in range(outputs):
        place = position * (inputs - 1) / (outputs - 1)
        start = min(int(place), inputs - 2)
        result.append((start, [1 - (place - start), place - start]))
    return result


def cubic_axis(inputs: int, outputs: int) -> Weights:
    result = []
    for position in range(outputs):
        place = position * (inputs - 1) / (outputs - 1)
        start = min(int(place), inputs - 1)
        result.append((start - 1, [w.value for w in cubic_weights(Number(place - start))]))
    return result


def antialiased_axis(
    inputs: int, outputs: int, kernel: Callable[[float], float], reach: float
) -> Weights:
    """A filter that is as much wider as the image shrinks, cut off at the borders."""
    scale = inputs / outputs
    stretch = max(scale, 1.0)
    result = []
    for position in range(outputs):
        centre = scale * (position + 0.5)
        first = max(int(centre - reach * stretch + 0.5), 0)
        last = min(int(centre + reach * stretch + 0.5), inputs)
        weights = [kernel((i - centre + 0.5) / stretch) for i in range(first, last)]
        result.append((first, [weight / sum(weights) for weight in weights]))
    return result


def along_last(rows: Any, axis: Weights) -> Any:
    """Each output is the weighted sum of its neighbours; beyond the border it is the border."""
    return [
        [
            dot(
                [row[min(max(start + i, 0), len(row) - 1)] for i in range(len(weights))],
                [Number(weight) for weight in weights],
            )
            for start, weights in axis
        ]
        for row in rows
    ]


def transpose(rows: Any) -> Any:
    return [list(column) for column in zip(*rows, strict=True)]


def interpolate_loop(image: Tensor, axes: list[Weights]) -> tuple[list[Any], int]:
    """Interpolate the planes of (channels, height, width) along their rows, then their columns."""
    planes = numbers(image)
    with tally() as count:
        result = [
            transpose(along_last(transpose(along_last(plane, axes[1])), axes[0]))
            for plane in planes
        ]
    return result, count.flops


def test_linear_in_one_dim() -> None:
    signal = torch.randn(1, 3, 6, dtype=torch.float64)
    rows = numbers(signal[0])
    with tally() as count:
        result = along_last(rows, linear_axis(6, 9))

    def run() -> Tensor:
        return F.interpolate(signal, size=9, mode="linear", align_corners=True)

    torch.testing.assert_close(torch.tensor(plain(result), dtype=torch.float64), run()[0])
    assert total(run) == count.flops


@pytest.mark.parametrize(("mode", "axis"), [("bilinear", linear_axis), ("bicubic", cubic_axis)])
def test_two_dims_element_by_element(mode: str, axis: Callable[[int, int], Weights]) -> None:
    """The kernels interpolate the neighbouring rows of every output element on its own."""
    image = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    planes, rows, columns = numbers(image[0]), axis(5, 8), axis(6, 7)
    with tally() as count:
        result = []
        for plane in planes:
            lines = []
            for (top, y_weights), (left, x_weights) in itertools.product(rows, columns):
                inner = [
                    along_last([plane[min(max(top + i, 0), 4)]], [(left, x_weights)])[0][0]
                    for i in range(len(y_weights))
                ]
                lines.append(dot(inner, [Number(weight) for weight in y_weights]))
            result.append(lines)

    def run() -> Tensor:
        return F.interpolate(image, size=(8, 7), mode=mode, align_corners=True)

    torch.testing.assert_close(
        torch.tensor(plain(result), dtype=torch.float64), run()[0].flatten(1)
    )
    assert total(run) == count.flops


def test_three_dims_element_by_element() -> None:
    volume = torch.randn(1, 1, 3, 3, 3, dtype=torch.float64)
    axis = linear_axis(3, 4)
    values = numbers(volume[0, 0])
    with tally() as count:
        result = []
        for (z, wz), (y, wy), (x, wx) in itertools.product(axis, axis, axis):
            planes = []
            for i in range(2):
                lines = [
                    dot(values[z + i][y + j][x : x + 2], [Number(w) for w in wx]) for j in range(2)
                ]
                planes.append(dot(lines, [Number(w) for w in wy]))
            result.append(dot(planes, [Number(w) for w in wz]))

    def run() -> Tensor:
        return F.interpolate(volume, size=4, mode="trilinear", align_corners=True)

    torch.testing.assert_close(torch.tensor(plain(result), dtype=torch.float64), run().flatten())
    assert total(run) == count.flops


def triangle(x: float) -> float:
    return max(1 - abs(x), 0.0)


def keys(x: float) -> float:
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


@pytest.mark.parametrize(
    ("mode", "kernel", "reach"), [("bilinear", triangle, 1.0), ("bicubic", keys, 2.0)]
)
@pytest.mark.parametrize("size", [(3, 4), (9, 12), (3, 12)])
def test_antialiased(
    mode: str, kernel: Callable[[float], float], reach: float, size: tuple[int, int]
) -> None:
    image = torch.randn(1, 2, 7, 9, dtype=torch.float64)
    axes = [
        antialiased_axis(inputs, outputs, kernel, reach)
        for inputs, outputs in zip((7, 9), size, strict=True)
    ]
    result, flops = interpolate_loop(image[0], axes)

    def run() -> Tensor:
        return F.interpolate(image, size=size, mode=mode, antialias=True)

    torch.testing.assert_close(torch.tensor(plain(result), dtype=torch.float64), run()[0])
    assert total(run) == flops


def scatter_back(gradient: Tensor, axes: list[Weights], shape: tuple[int, ...]) -> tuple[Any, int]:
    """Give every output's gradient to its neighbours, times the weights of all axes."""
    plane = numbers(gradient)
    rows, columns = axes
    result = [[Number(0.0)] * shape[1] for _ in range(shape[0])]
    with tally() as count:
        for (i, (top, wy)), (j, (left, wx)) in itertools.product(
            enumerate(rows), enumerate(columns)
        ):
            for (a, y), (b, x) in itertools.product(enumerate(wy), enumerate(wx)):
                r = min(max(top + a, 0), shape[0] - 1)
                c = min(max(left + b, 0), shape[1] - 1)
                result[r][c] = result[r][c] + plane[i][j] * y * x
    return result, count.flops


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "bilinear aa", "bicubic aa"])
def test_backward_gives_to_every_neighbour(mode: str) -> None:
    name, _, antialias = mode.partition(" ")
    if antialias:
        kernel, reach = (triangle, 1.0) if name == "bilinear" else (keys, 2.0)
        axes = [antialiased_axis(7, 3, kernel, reach), antialiased_axis(9, 4, kernel, reach)]
    else:
        axis = linear_axis if name == "bilinear" else cubic_axis
        axes = [axis(7, 3), axis(9, 4)]
    image = torch.randn(1, 1, 7, 9, dtype=torch.float64, requires_grad=True)
    out = F.interpolate(
        image,
        size=(3, 4),
        mode=name,
        align_corners=None if antialias else True,
        antialias=bool(antialias),
    )
    gradient = torch.randn_like(out)
    result, flops = scatter_back(gradient[0, 0], axes, (7, 9))

    def run() -> Any:
        return torch.autograd.grad(out, image, gradient, retain_graph=True)

    torch.testing.assert_close(torch.tensor(plain(result), dtype=torch.float64), run()[0][0, 0])
    assert total(run) == flops


def test_backward_in_one_and_three_dims() -> None:
    """In one dim a neighbour takes a product and a sum; in three 3 products and a sum."""
    for mode, dims, each in (("linear", 1, 2 * 2), ("trilinear", 3, 8 * 4)):
        image = torch.randn(2, 3, *(4,) * dims, requires_grad=True)
        out = F.interpolate(image, scale_factor=2.0, mode=mode)
        counted = total(lambda image=image, out=out: torch.autograd.grad(out.sum(), image))
        assert counted - (out.numel() - 1) == each * out.numel()


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_nearest_copies_and_adds_back(mode: str, dims: int) -> None:
    image = torch.randn(2, 3, *(4,) * dims, requires_grad=True)
    assert costs(lambda: F.interpolate(image, scale_factor=2.0, mode=mode)) == []
    out = F.interpolate(image, scale_factor=2.0, mode=mode)
    gradient = torch.ones_like(out)
    assert total(lambda: torch.autograd.grad(out, image, gradient)) == out.numel()


def test_lanczos() -> None:
    """A filter 6 inputs wide: 3 on each side where nothing is cut off."""
    image = torch.randn(1, 1, 1, 24, dtype=torch.float64)
    upsample = torch.ops.aten._upsample_lanczos2d_aa
    counted = total(lambda: upsample(image, [1, 12], False))
    taps = sum(
        min(int(2 * (i + 0.5) + 6.5), 24) - max(int(2 * (i + 0.5) - 5.5), 0) for i in range(12)
    )
    assert counted == (2 * taps - 12) + 12 * (2 * 1 - 1)


def test_unfolding_copies_and_folding_adds() -> None:
    image = torch.randn(2, 3, 6, 6)
    assert costs(lambda: F.unfold(image, 3)) == []
    columns = F.unfold(image, 3)
    with tally() as count:
        sums = [Number(0.0)] * 36
        patches = numbers(columns[0])
        for row, patch in enumerate(patches[:9]):
            for place, value in enumerate(patch):
                pixel = (place // 4 + row // 3) * 6 + place % 4 + row % 3
                sums[pixel] = sums[pixel] + value
    torch.testing.assert_close(
        torch.tensor(plain(sums)), F.fold(columns, (6, 6), 3)[0, 0].flatten()
    )
    # One channel of one image was folded by the loop.
    assert total(lambda: F.fold(columns, (6, 6), 3)) == 6 * count.flops


def test_windows_add_back_where_they_overlap() -> None:
    signal = torch.randn(10, requires_grad=True)
    windows = signal.unfold(0, 4, 2)
    gradient = torch.ones_like(windows)
    assert total(lambda: torch.autograd.grad(windows, signal, gradient)) == windows.numel()
