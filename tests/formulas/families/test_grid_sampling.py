"""Grid sampling against loops that give PyTorch's own result with numbers that count."""

import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.formulas.counted import Number, f, larger, numbers, plain, smaller, tally, value_of
from tests.formulas.counted import total as total_of
from tests.formulas.dispatch import total

CUBIC = -0.75


def into_pixels(x: Number, size: int, align: bool) -> Number:
    return (x + 1) / 2 * (size - 1) if align else ((x + 1) * size - 1) / 2


def remainder(x: Number, y: float) -> Number:
    return x - f.trunc(x / y) * y


def padded(x: Number, size: int, padding: str, align: bool) -> Number:
    if padding == "reflection":
        low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
        distance = abs(x - low)
        rest = remainder(distance, span)
        times = f.floor(distance / span)
        x = rest + low if value_of(times) % 2 == 0 else (span + low) - rest
    if padding in ("border", "reflection"):
        x = larger(smaller(x, float(size - 1)), 0.0)
    return x


def read(channel: Any, *position: int) -> Number:
    for index in position:
        if not 0 <= index < len(channel):
            return Number(0.0)
        channel = channel[index]
    return channel  # type: ignore[no-any-return]


def cubic_weights(t: Number) -> list[Number]:
    near, far = CUBIC + 2, CUBIC + 3

    def inner(x: Number) -> Number:
        return (near * x - far) * x * x + 1

    def outer(x: Number) -> Number:
        return ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC

    rest = 1 - t
    return [outer(t + 1), inner(t), inner(rest), outer(rest + 1)]


def linear_point(image: Any, coordinates: list[Number]) -> list[Number]:
    """The interpolated value of every channel at one point of any number of dims."""
    floors = [f.floor(x) for x in coordinates]
    upper = [x - low for x, low in zip(coordinates, floors, strict=True)]
    lower = [1 - weight for weight in upper]
    weights = [lower[0], upper[0]]
    for low, high in zip(lower[1:], upper[1:], strict=True):
        weights = [weight * side for weight in weights for side in (low, high)]
    corners = list(itertools.product((0, 1), repeat=len(floors)))
    start = [int(value_of(low)) for low in floors]
    return [
        total_of(
            [
                read(channel, *(s + c for s, c in zip(start, corner, strict=True))) * weight
                for corner, weight in zip(corners, weights, strict=True)
            ]
        )
        for channel in image
    ]


def cubic_point(image: Any, y: Number, x: Number, padding: str, align: bool) -> list[Number]:
    height, width = len(image[0]), len(image[0][0])
    y_floor, x_floor = f.floor(y), f.floor(x)
    y_weights, x_weights = cubic_weights(y - y_floor), cubic_weights(x - x_floor)

    def places(start: Number, size: int) -> list[int]:
        first = int(value_of(start)) - 1
        return [
            int(value_of(padded(Number(float(first + i)), size, padding, align))) for i in range(4)
        ]

    rows, columns = places(y_floor, height), places(x_floor, width)
    return [
        total_of(
            [
                total_of([read(channel, r, c) * w for c, w in zip(columns, x_weights, strict=True)])
                * weight
                for r, weight in zip(rows, y_weights, strict=True)
            ]
        )
        for channel in image
    ]


def sample(image: Any, point: list[Number], mode: str, padding: str, align: bool) -> list[Number]:
    sizes: list[int] = []
    level = image[0]
    for _ in point:
        sizes.append(len(level))
        level = level[0]
    # The grid holds x first, the image is indexed by y (or z) first.
    places = [into_pixels(x, size, align) for x, size in zip(point[::-1], sizes, strict=True)]
    if mode == "bicubic":
        return cubic_point(image, places[0], places[1], padding, align)
    places = [padded(x, size, padding, align) for x, size in zip(places, sizes, strict=True)]
    if mode == "nearest":
        start = [int(value_of(f.round(x))) for x in places]
        return [read(channel, *start) for channel in image]
    return linear_point(image, places)


def points_of(grid: Any, dims: int) -> list[list[Number]]:
    for _ in range(dims - 1):
        grid = [point for row in grid for point in row]
    return grid  # type: ignore[no-any-return]


CASES = [
    *itertools.product(
        (2,), ("bilinear", "nearest", "bicubic"), ("zeros", "border"), (True, False)
    ),
    *itertools.product((3,), ("bilinear", "nearest"), ("zeros", "border"), (True, False)),
]


@pytest.mark.parametrize(("dims", "mode", "padding", "align"), CASES)
def test_sampling_is_what_the_loop_takes(dims: int, mode: str, padding: str, align: bool) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 3, *(4, 5, 3)[:dims], dtype=torch.float64)
    grid = torch.rand(1, *(2, 3, 2)[:dims], dims, dtype=torch.float64) * 2.6 - 1.3
    pixels, points = numbers(image[0]), points_of(numbers(grid[0]), dims)
    with tally() as count:
        sampled = [sample(pixels, point, mode, padding, align) for point in points]

    def run() -> Tensor:
        return F.grid_sample(image, grid, mode, padding, align_corners=align)

    expected = run()[0].flatten(1).T
    torch.testing.assert_close(torch.tensor(plain(sampled), dtype=torch.float64), expected)
    assert total(run) == count.flops
    assert total(lambda: F.grid_sample(image.float(), grid.float(), mode, padding, align)) > 0


@pytest.mark.parametrize("align", [True, False])
def test_reflection_costs_what_the_definition_takes(align: bool) -> None:
    """Every coordinate is in the first interval, where the loop goes the way that is counted."""
    image = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    grid = torch.rand(1, 3, 3, 2, dtype=torch.float64) * 1.2 - 0.6
    pixels, points = numbers(image[0]), points_of(numbers(grid[0]), 2)
    with tally() as count:
        sampled = [sample(pixels, point, "bilinear", "reflection", align) for point in points]

    def run() -> Tensor:
        return F.grid_sample(image, grid, "bilinear", "reflection", align_corners=align)

    torch.testing.assert_close(
        torch.tensor(plain(sampled), dtype=torch.float64), run()[0].flatten(1).T
    )
    assert total(run) == count.flops


def backward_loop(image: Any, grid: Any, gradient: Any) -> tuple[Any, list[list[Number]]]:
    """Gradients of bilinear sampling with zeros outside and aligned corners."""
    height, width = len(image[0]), len(image[0][0])
    to_image = [[[Number(0.0)] * width for _ in range(height)] for _ in image]
    to_grid = []
    for point, gs in zip(grid, gradient, strict=True):
        x, y = into_pixels(point[0], width, True), into_pixels(point[1], height, True)
        left, top = f.floor(x), f.floor(y)
        w, n = x - left, y - top
        e, s = 1 - w, 1 - n
        weights = {(0, 0): s * e, (0, 1): s * w, (1, 0): n * e, (1, 1): n * w}
        r, c = int(value_of(top)), int(value_of(left))
        gx, gy = Number(0.0), Number(0.0)
        for channel, to_channel, g in zip(image, to_image, gs, strict=True):
            for (i, j), weight in weights.items():
                to_channel[r + i][c + j] = to_channel[r + i][c + j] + weight * g
            a, b = channel[r][c], channel[r][c + 1]
            d, h = channel[r + 1][c], channel[r + 1][c + 1]
            gx = gx + ((b - a) * s + (h - d) * n) * g
            gy = gy + ((d - a) * e + (h - b) * w) * g
        to_grid.append([gx * ((width - 1) / 2), gy * ((height - 1) / 2)])
    return to_image, to_grid


def test_backward_is_what_the_loop_takes() -> None:
    image = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 2, 3, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    gradient = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    arguments = (
        numbers(image[0].detach()),
        points_of(numbers(grid[0].detach()), 2),
        numbers(gradient[0].flatten(1).T),
    )
    with tally() as count:
        to_image, to_grid = backward_loop(*arguments)
    sampled = F.grid_sample(image, grid, align_corners=True)

    def run(*inputs: Tensor) -> Any:
        return torch.autograd.grad(sampled, inputs, gradient, retain_graph=True)

    image_gradient, grid_gradient = run(image, grid)
    torch.testing.assert_close(
        torch.tensor(plain(to_image), dtype=torch.float64), image_gradient[0]
    )
    torch.testing.assert_close(
        torch.tensor(plain(to_grid), dtype=torch.float64), grid_gradient[0].flatten(0, 1)
    )
    assert total(lambda: run(image, grid)) == count.flops
    # Without the gradient of the image its 4 products and sums are not there.
    without = F.grid_sample(image.detach(), grid, align_corners=True)
    counted = total(lambda: torch.autograd.grad(without, grid, gradient))
    assert counted == count.flops - 2 * 4 * 3 * 6


def slopes_loop(t: Number) -> list[Number]:
    """Derivatives of the 4 cubic weights."""
    a = CUBIC
    x = [-1 - t, -t, 1 - t, 2 - t]
    return [
        (-3 * a * x[0] - 10 * a) * x[0] - 8 * a,
        (-3 * (a + 2) * x[1] - 2 * (a + 3)) * x[1],
        (3 * (a + 2) * x[2] - 2 * (a + 3)) * x[2],
        (3 * a * x[3] - 10 * a) * x[3] + 8 * a,
    ]


def test_cubic_backward_is_weights_slopes_and_16_neighbours() -> None:
    image = torch.randn(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 1, 3, 2, dtype=torch.float64) * 0.6 - 0.3).requires_grad_()
    sampled = F.grid_sample(image, grid, "bicubic", align_corners=True)
    gradient = torch.randn_like(sampled)
    pixels, points = numbers(image[0].detach()), numbers(grid[0, 0].detach())
    gs = numbers(gradient[0, :, 0].T)
    to_image = [[[Number(0.0)] * 7 for _ in range(6)] for _ in range(2)]
    to_grid = []
    with tally() as count:
        for point, g_channels in zip(points, gs, strict=True):
            x, y = into_pixels(point[0], 7, True), into_pixels(point[1], 6, True)
            left, top = f.floor(x), f.floor(y)
            tx, ty = x - left, y - top
            wx, wy, dx, dy = cubic_weights(tx), cubic_weights(ty), slopes_loop(tx), slopes_loop(ty)
            r, c = int(value_of(top)) - 1, int(value_of(left)) - 1
            gx, gy = Number(0.0), Number(0.0)
            for channel, to_channel, g in zip(pixels, to_image, g_channels, strict=True):
                for i, j in itertools.product(range(4), range(4)):
                    place = to_channel[r + i]
                    place[c + j] = place[c + j] + wx[j] * wy[i] * g
                    value = channel[r + i][c + j]
                    gx = gx - value * dx[j] * wy[i] * g
                    gy = gy - value * dy[i] * wx[j] * g
            to_grid.append([gx * 3.0, gy * 2.5])

    def run() -> Any:
        return torch.autograd.grad(sampled, (image, grid), gradient, retain_graph=True)

    expected = run()
    torch.testing.assert_close(torch.tensor(plain(to_image), dtype=torch.float64), expected[0][0])
    torch.testing.assert_close(torch.tensor(plain(to_grid), dtype=torch.float64), expected[1][0, 0])
    assert total(run) == count.flops


def test_nearest_backward_adds_what_was_copied() -> None:
    image = torch.randn(2, 3, 4, 5, requires_grad=True)
    grid = torch.rand(2, 3, 3, 2)
    sampled = F.grid_sample(image, grid, "nearest", align_corners=True)
    forward = total(lambda: F.grid_sample(image, grid, "nearest", align_corners=True))
    backward = total(lambda: torch.autograd.grad(sampled, image, sampled.detach()))
    assert backward == forward + sampled.numel()


def test_trilinear_backward_is_the_loop_over_corners() -> None:
    image = torch.randn(1, 2, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 1, 1, 3, 3, dtype=torch.float64) * 1.4 - 0.7).requires_grad_()
    sampled = F.grid_sample(image, grid, align_corners=True)
    gradient = torch.randn_like(sampled)
    pixels, points = numbers(image[0].detach()), numbers(grid[0, 0, 0].detach())
    gs = numbers(gradient[0, :, 0, 0].T)
    to_image = [[[[Number(0.0)] * 4 for _ in range(4)] for _ in range(4)] for _ in range(2)]
    to_grid = []
    with tally() as count:
        for point, g_channels in zip(points, gs, strict=True):
            places = [into_pixels(x, 4, True) for x in point[::-1]]
            floors = [f.floor(x) for x in places]
            upper = [x - low for x, low in zip(places, floors, strict=True)]
            sides = [(1 - weight, weight) for weight in upper]
            pairs = {(i, j): sides[0][i] * sides[1][j] for i in (0, 1) for j in (0, 1)}
            weights = {(i, j, k): pairs[i, j] * sides[2][k] for i, j in pairs for k in (0, 1)}
            start = [int(value_of(low)) for low in floors]
            slopes = [Number(0.0)] * 3
            for channel, to_channel, g in zip(pixels, to_image, g_channels, strict=True):
                for corner, weight in weights.items():
                    z, y, x = (s + c for s, c in zip(start, corner, strict=True))
                    to_channel[z][y][x] = to_channel[z][y][x] + weight * g
                    for axis in range(3):
                        one, two = (sides[a][corner[a]] for a in range(3) if a != axis)
                        part = channel[z][y][x] * one * two * g
                        add = slopes[axis] + part if corner[axis] else slopes[axis] - part
                        slopes[axis] = add
            to_grid.append([slope * 1.5 for slope in slopes[::-1]])

    def run() -> Any:
        return torch.autograd.grad(sampled, (image, grid), gradient, retain_graph=True)

    expected = run()
    torch.testing.assert_close(torch.tensor(plain(to_image), dtype=torch.float64), expected[0][0])
    torch.testing.assert_close(
        torch.tensor(plain(to_grid), dtype=torch.float64), expected[1][0, 0, 0]
    )
    assert total(run) == count.flops


@pytest.mark.parametrize("sizes", [(2, 1, 3, 4), (2, 1, 2, 3, 4)])
@pytest.mark.parametrize("align", [True, False])
def test_an_affine_grid_is_a_product(sizes: tuple[int, ...], align: bool) -> None:
    dims = len(sizes) - 2
    theta = torch.randn(2, dims, dims + 1)
    points = math.prod(sizes[2:])
    base = torch.ones(2, points, dims + 1)
    transposed = theta.transpose(1, 2)
    product = total(lambda: base @ transposed, "contractions")

    def run() -> Tensor:
        return F.affine_grid(theta, list(sizes), align_corners=align)

    assert total(run, "contractions") == product
    assert total(run) == product + (0 if align else 2 * sum(sizes[2:]))
