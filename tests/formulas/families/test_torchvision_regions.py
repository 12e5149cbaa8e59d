"""Operators of torchvision, by its own schemas: torchvision itself is not installed."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.costs.conventions import flops
from ipyflops.formulas import Call, Formula, Unknown, lookup
from tests.formulas import schemas
from tests.formulas.counted import Number, dot, f, larger, numbers, plain, smaller, tally
from tests.formulas.counted import total as total_of


def cost_of(name: str, *arguments: Any, out: Any) -> Cost:
    """What the formula says, by the schema of each release of torchvision; all say the same."""
    costs = set()
    for func in schemas.released(f"torchvision::{name}").values():
        verdict = lookup(func)
        assert isinstance(verdict, Formula)
        costs.add(verdict(Call(func, arguments, {}, out)))
    (cost,) = costs
    return cost


def standard(name: str, *arguments: Any, out: Any) -> int:
    return flops(cost_of(name, *arguments, out=out), "standard")


def test_suppression_compares_all_pairs() -> None:
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 7], [9, 0, 10, 1], [0, 9, 1, 10]])
    kept = []
    rows = numbers(boxes)
    with tally() as count:
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in rows]
        for i, a in enumerate(rows):
            kept.append(i)
            for j in range(i + 1, len(rows)):
                b = rows[j]
                left, top = larger(a[0], b[0].value), larger(a[1], b[1].value)
                right, bottom = smaller(a[2], b[2].value), smaller(a[3], b[3].value)
                width, height = larger(right - left, 0.0), larger(bottom - top, 0.0)
                common = width * height
                assert common / (areas[i] + areas[j] - common) <= 0.5
    sorting = 4 * 2
    out = torch.tensor(kept)
    assert standard("nms", boxes, torch.rand(4), 0.5, out=out) == count.flops + sorting
    assert standard("nms", boxes[:0], torch.rand(0), 0.5, out=out[:0]) == 0


def bilinear(image: list[Any], y: Number, x: Number) -> list[Number]:
    """Each channel at a point; finding the neighbours is not arithmetic of floating point."""
    top, left = math.floor(y.value), math.floor(x.value)
    n, w = y - float(top), x - float(left)
    s, e = 1 - n, 1 - w
    weights = [s * e, s * w, n * e, n * w]
    return [
        dot(
            [channel[r][c] for r in (top, top + 1) for c in (left, left + 1)],
            weights,
        )
        for channel in image
    ]


@pytest.mark.parametrize(("name", "ratio"), [("roi_align", 2), ("roi_align", -1)])
def test_sampling_of_regions(name: str, ratio: int) -> None:
    image = torch.randn(1, 3, 12, 12)
    rois = torch.tensor([[0.0, 1, 1, 7, 4], [0, 2, 3, 6, 9]])
    rows, columns = 2, 3
    pixels = numbers(image[0])
    points = 0
    with tally() as count:
        for _, x1, y1, x2, y2 in numbers(rois):
            height, width = (y2.value - y1.value) / rows, (x2.value - x1.value) / columns
            ny = ratio if ratio > 0 else math.ceil(height)
            nx = ratio if ratio > 0 else math.ceil(width)
            for p in range(rows):
                for q in range(columns):
                    sums = [Number(0.0)] * 3
                    for i in range(ny):
                        for j in range(nx):
                            points += 1
                            y = (
                                y1
                                + Number(float(p)) * height
                                + (Number(float(i)) + 0.5) * height / ny
                            )
                            x = (
                                x1
                                + Number(float(q)) * width
                                + (Number(float(j)) + 0.5) * width / nx
                            )
                            sampled = bilinear(pixels, y, x)
                            sums = [a + b for a, b in zip(sums, sampled, strict=True)]
                    [total / float(nx * ny) for total in sums]
    out = torch.empty(2, 3, rows, columns)
    arguments = (image, rois, 1.0, rows, columns, ratio, False)
    assert standard(name, *arguments, out=out) == count.flops
    backward = ("_roi_align_backward", out, rois, 1.0, rows, columns, 1, 3, 12, 12, ratio, False)
    gradient = standard(*backward, out=image)
    # 4 products with the weight, 4 divisions, 4 sums in the place of 4 products and 4 sums.
    assert gradient == count.flops - out.numel() + 4 * points * 3


def test_pooling_of_regions() -> None:
    rois = torch.tensor([[0.0, 0, 0, 5, 3]])
    image, out = torch.randn(1, 2, 8, 8), torch.empty(1, 2, 2, 2)
    with tally() as count:
        for channel in numbers(image[0]):
            for rows, columns in (
                (r, c) for r in (range(2), range(2, 4)) for c in (range(3), range(3, 6))
            ):
                largest = Number(-math.inf)
                for r in rows:
                    for c in columns:
                        largest = larger(channel[r][c], largest.value)
    assert standard("roi_pool", image, rois, 1.0, 2, 2, out=(out, out)) == count.flops
    indices = torch.zeros(1, 2, 2, 2)
    pooled = ("_roi_pool_backward", out, rois, indices, 1.0, 2, 2, 1, 2, 8, 8)
    assert standard(*pooled, out=image) == out.numel()


def test_position_sensitive_pooling() -> None:
    """Each bin has a channel of its own and is a mean; bins of 2.5 pixels share one."""
    rois = torch.tensor([[0.0, 0, 0, 5, 4]])
    image, out = torch.randn(1, 4, 8, 8), torch.empty(1, 1, 2, 2)
    channels = numbers(image[0])
    with tally() as count:
        for i, rows in enumerate((range(2), range(2, 4))):
            for j, columns in enumerate((range(3), range(2, 5))):
                mean = Number(0.0)
                for r in rows:
                    for c in columns:
                        mean = mean + channels[2 * i + j][r][c]
                mean / 6.0
    assert standard("ps_roi_pool", image, rois, 1.0, 2, 2, out=(out, out)) == count.flops


@pytest.mark.parametrize("masked", [False, True])
def test_a_deformable_convolution(masked: bool) -> None:
    image = torch.randn(1, 2, 6, 6, dtype=torch.float64)
    weight = torch.randn(3, 2, 2, 2, dtype=torch.float64)
    offset = torch.zeros(1, 8, 4, 4, dtype=torch.float64)
    pixels, filters = numbers(image[0]), numbers(weight.flatten(1))
    result = [[] for _ in range(3)]
    with tally() as sampling, tally() as everything:
        sampled = []
        for i in range(4):
            for j in range(4):
                column: list[list[Number]] = [[], []]
                for a in range(2):
                    for b in range(2):
                        y, x = Number(float(i + a)) + 0.0, Number(float(j + b)) + 0.0
                        f.floor(y), f.floor(x)
                        for channel, value in enumerate(bilinear(pixels, y, x)):
                            column[channel].append(value * 1.0 if masked else value)
                sampled.append(column[0] + column[1])
    with tally() as products:
        for column in sampled:
            for channel, one in enumerate(filters):
                accumulator = Number(0.0)
                for value, tap in zip(column, one, strict=True):
                    accumulator = accumulator + value * tap
                result[channel].append(accumulator)
    expected = F.conv2d(image, weight)[0, :, :4, :4]
    torch.testing.assert_close(
        torch.tensor(plain(result), dtype=torch.float64), expected.flatten(1)
    )
    geometry = (1, 1, 0, 0, 1, 1, 1, 1, masked)
    out = torch.empty(1, 3, 4, 4)
    arguments: tuple[Tensor, ...] = (image, weight, offset, offset[:, :4], torch.zeros(3))
    cost = cost_of("deform_conv2d", *arguments, *geometry, out=out)
    assert flops(cost, "contractions") == products.flops
    assert cost.other.value == sampling.flops == everything.flops
    backward = cost_of("_deform_conv2d_backward", out, *arguments, *geometry, out=arguments)
    assert flops(backward, "contractions") == 2 * products.flops
    assert backward.other.value > cost.other.value
    with tally() as bias:
        for _ in range(3):
            total_of([Number(1.0)] * 16)
    columns = 16 * 4 * 2
    to_neighbours_and_offsets = (8 + 14 + 4 * masked) * columns
    assert backward.other.value == cost.other.value + to_neighbours_and_offsets + bias.flops


def test_a_deformable_convolution_of_groups() -> None:
    """8 channels in 2 groups, 16 outputs of 3×3 taps on 6×6 pixels: 2·(16·36)·(4·9) = 41,472."""
    image, weight = torch.empty(1, 8, 6, 6), torch.empty(16, 4, 3, 3)
    offset, mask = torch.empty(1, 2 * 9, 6, 6), torch.empty(1, 0, 1, 1)
    geometry = (1, 1, 1, 1, 1, 1, 2, 1, False)
    arguments = (image, weight, offset, mask, torch.empty(16), *geometry)
    cost = cost_of("deform_conv2d", *arguments, out=torch.empty(1, 16, 6, 6))
    assert flops(cost, "contractions") == 41_472


def test_position_sensitive_sampling_samples_as_often() -> None:
    image, pooled = torch.randn(1, 3, 12, 12), torch.empty(2, 3, 2, 3)
    rois = torch.tensor([[0.0, 1, 1, 7, 4], [0, 2, 3, 6, 9]])
    region = (1.0, 2, 3, 2)
    plain_regions = standard("roi_align", image, rois, *region, False, out=pooled)
    indices = torch.zeros(2, 3, 2, 3)
    assert standard("ps_roi_align", image, rois, *region, out=(pooled, indices)) == plain_regions
    shape = (1, 3, 12, 12)
    gradients = [
        standard("_roi_align_backward", pooled, rois, *region[:3], *shape, 2, False, out=image),
        standard("_ps_roi_align_backward", pooled, rois, indices, *region, *shape, out=image),
    ]
    assert gradients[0] == gradients[1] > 0
    forward = standard("ps_roi_pool", image, rois, *region[:3], out=(pooled, indices))
    backward = ("_ps_roi_pool_backward", pooled, rois, indices, *region[:3], *shape)
    assert standard(*backward, out=image) == forward


def test_every_operator_of_torchvision_that_computes_has_a_verdict() -> None:
    unknown = set()
    for schema in schemas.RELEASED["torchvision"]["0.29.1"]:
        func = schemas.Released(schema)
        if isinstance(lookup(func), Unknown):
            unknown.add(str(func._schema.name))
    # They are named as unknown where they run; the first computes nothing.
    names = ("_cuda_version", "box_iou_rotated", "qnms", "qroi_align")
    assert unknown == {f"torchvision::{name}" for name in names}
