"""Distances against loops over pairs of rows, counted number by number."""

import math

import pytest
import torch

from tests.formulas.counted import Number, f, larger, numbers, tally, total
from tests.formulas.counted import plain as values
from tests.formulas.plain import cost_of, plain

aten = torch.ops.aten
POWERS = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf]


def power(x, p):
    return f.pow(x, p)


def distance(x, y, p):
    """The p-norm of the difference of two rows of numbers."""
    differences = [a - b for a, b in zip(x, y, strict=True)]
    if p == 2:
        return f.sqrt(total([d * d for d in differences]))
    if p == 0:
        # A difference that is not zero counts one; the comparison is with the other row.
        return total([Number(float(d.value != 0)) for d in differences])
    sizes = [abs(d) for d in differences]
    if p == math.inf:
        largest = sizes[0]
        for size in sizes[1:]:
            largest = larger(largest, size)
        return largest
    if p == 1:
        return total(sizes)
    return power(total([power(size, p) for size in sizes]), 1 / p)


def extra_for_zero(pairs, d, p):
    """Of the 0-norm the comparison with zero, which the loop above does outside of the numbers."""
    return pairs * d if p == 0 else 0


@pytest.mark.parametrize("p", POWERS)
def test_cdist_is_a_loop_over_pairs(p):
    x, y = torch.rand(3, 4, dtype=torch.float64), torch.rand(5, 4, dtype=torch.float64)
    with tally() as count:
        result = [[distance(a, b, p) for b in numbers(y)] for a in numbers(x)]
    torch.testing.assert_close(
        torch.tensor(values(result), dtype=torch.float64), torch.cdist(x, y, p)
    )
    cost = cost_of(aten._cdist_forward.default, x, y, p, None)
    assert cost.contraction.value == 0
    assert cost.other.value == count.flops + extra_for_zero(15, 4, p)


@pytest.mark.parametrize("p", POWERS)
def test_pdist_is_a_loop_over_pairs(p):
    x = torch.rand(5, 4, dtype=torch.float64)
    rows = numbers(x)
    with tally() as count:
        result = [distance(rows[i], rows[j], p) for i in range(5) for j in range(i + 1, 5)]
    torch.testing.assert_close(torch.tensor(values(result), dtype=torch.float64), torch.pdist(x, p))
    cost = cost_of(aten._pdist_forward.default, x, p)
    assert cost.other.value == count.flops + extra_for_zero(10, 4, p)


@pytest.mark.parametrize("operator", [aten._cdist_forward.default, aten._euclidean_dist.default])
def test_distances_by_a_matrix_product(operator):
    x, y = torch.rand(2, 30, 4), torch.rand(2, 6, 4)

    def written_out():
        squares_x = x.pow(2).sum(-1, keepdim=True)
        squares_y = y.pow(2).sum(-1, keepdim=True)
        left = torch.cat([x * -2, squares_x, torch.ones_like(squares_x)], -1)
        right = torch.cat([y, torch.ones_like(squares_y), squares_y], -1)
        return (left @ right.mT).clamp_min_(0).sqrt_()

    torch.testing.assert_close(written_out(), torch.cdist(x, y))
    expected = plain(written_out)
    arguments = (2.0, None) if operator is aten._cdist_forward.default else ()
    cost = cost_of(operator, x, y, *arguments)
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("rows", [(3, 5), (1, 1), (0, 2)])
def test_the_gradient_of_cdist(p, rows):
    m, n = rows
    x, y = torch.rand(m, 4, dtype=torch.float64), torch.rand(n, 4, dtype=torch.float64)
    grad = torch.rand(m, n, dtype=torch.float64)
    distances = torch.cdist(x, y, p, compute_mode="donot_use_mm_for_euclid_dist")
    with tally() as count:
        result = [[Number(0.0) for _ in range(4)] for _ in range(m)]
        for i, a in enumerate(numbers(x)):
            for j, b in enumerate(numbers(y)):
                parts = gradient(a, b, Number(grad[i, j].item()), Number(distances[i, j].item()), p)
                result[i] = [r + part for r, part in zip(result[i], parts, strict=True)]
    expected = aten._cdist_backward(grad, x, y, p, distances)
    torch.testing.assert_close(
        torch.tensor(values(result), dtype=torch.float64).view(m, 4), expected
    )
    if p == 0:
        count.flops = 0  # the gradient is zero, and nothing is computed
    cost = cost_of(aten._cdist_backward.default, grad, x, y, p, distances)
    assert cost.other.value == count.flops


@pytest.mark.parametrize("p", POWERS)
def test_the_gradient_of_pdist(p):
    x = torch.rand(4, 3, dtype=torch.float64)
    distances, grad = torch.pdist(x, p), torch.rand(6, dtype=torch.float64)
    rows, k = numbers(x), 0
    with tally() as count:
        result = [[Number(0.0) for _ in range(3)] for _ in range(4)]
        for i in range(4):
            for j in range(i + 1, 4):
                scale, size = Number(grad[k].item()), Number(distances[k].item())
                parts = gradient(rows[i], rows[j], scale, size, p)
                result[i] = [r + part for r, part in zip(result[i], parts, strict=True)]
                result[j] = [r - part for r, part in zip(result[j], parts, strict=True)]
                k += 1
    torch.testing.assert_close(
        torch.tensor(values(result), dtype=torch.float64),
        aten._pdist_backward(grad, x, p, distances),
    )
    if p == 0:
        count.flops = 0
    cost = cost_of(aten._pdist_backward.default, grad, x, p, distances)
    assert cost.other.value == count.flops


def sign(x):
    """A number is compared with zero from both sides."""
    return Number(float(x > 0) - float(x < 0))


def gradient(x, y, grad, size, p):
    """What one pair adds to the gradient of the first row."""
    differences = [a - b for a, b in zip(x, y, strict=True)]
    if p == 0:
        return [Number(0.0)] * len(x)
    if p == 1:
        return [sign(d) * grad for d in differences]
    if p == 2:
        return [d * grad / size for d in differences]
    if p == math.inf:
        return [sign(d) * grad * Number(float(abs(d) >= size)) for d in differences]
    root = power(size, p - 1)
    if p < 2:
        return [sign(d) * power(abs(d), p - 1) * grad / root for d in differences]
    return [d * power(abs(d), p - 2) * grad / root for d in differences]


def test_nothing_to_measure():
    assert cost_of(aten._cdist_forward.default, torch.ones(3, 0), torch.ones(2, 0), 2.0, None) == (
        cost_of(aten._cdist_forward.default, torch.ones(3, 0), torch.ones(2, 0), 1.0, None)
    )
    cost = cost_of(aten._pdist_forward.default, torch.ones(3, 0), 2.0)
    assert cost.other.value == 0
