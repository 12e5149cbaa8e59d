"""Norms of vectors, and what is scaled by them, by loops that count."""

import math

import pytest
import torch

from tests.formulas.counted import Complex, Number, choose, count, f, largest, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(3, 5, dtype=torch.float64)
Z = torch.complex(X, X.flip(0))


def norm(row, p):
    """The p-norm of real or complex numbers."""
    is_complex = isinstance(row[0], Complex)
    if p == 2:
        squares = [x.re * x.re + x.im * x.im if is_complex else x * x for x in row]
        return f.sqrt(add_up(squares))
    if p == 0:
        # A complex number takes two comparisons.
        counts = [(x.re != 0) + (x.im != 0) if is_complex else x != 0 for x in row]
        return add_up([Number(one) for one in counts])
    sizes = [abs(x) for x in row]
    if p == math.inf:
        return largest(sizes)
    if p == -math.inf:
        return minimum(sizes)
    if p == 1:
        return add_up(sizes)
    if p == 3:
        return f.pow(add_up([x * x * x for x in sizes]), 1 / 3)
    return f.pow(add_up([f.pow(x, p) for x in sizes]), 1 / p)


def minimum(row):
    first, *rest = row
    for value in rest:
        first = f.min(first, value)
    return first


ORDERS = [2, 1, 3, 1.5, 0, math.inf, -math.inf]


@pytest.mark.parametrize("x", [X, Z], ids=["real", "complex"])
@pytest.mark.parametrize("p", ORDERS)
def test_vector_norms(x, p):
    result, operations = count(lambda: [norm(row, p) for row in numbers(x)])
    if not (p == 0 and x.is_complex()):
        torch.testing.assert_close(torch.linalg.vector_norm(x, p, dim=1), values(result))
    assert total(lambda: torch.linalg.vector_norm(x, p, dim=1)) == operations


@pytest.mark.parametrize("p", [2, 1, 3])
def test_a_sum_of_powers_takes_no_root(p):
    def whole():
        return ops.linalg__powsum(X, p, [1])

    assert [name for name, _ in costs(whole)] == ["aten::linalg__powsum"]
    root = 0 if p == 1 else 3
    assert total(whole) == total(lambda: torch.linalg.vector_norm(X, p, dim=1)) - root


def test_a_norm_of_everything_is_one_row():
    flat, operations = count(lambda: norm(numbers(X.reshape(-1)), 2))
    torch.testing.assert_close(ops.norm.Scalar(X, 2), values(flat))
    assert total(lambda: ops.norm.Scalar(X, 2)) == operations
    assert total(lambda: ops.norm.ScalarOpt_dim(X, None, [1], False)) == total(
        lambda: torch.linalg.vector_norm(X, dim=1)
    )


@pytest.mark.parametrize("x", [X, Z], ids=["real", "complex"])
@pytest.mark.parametrize("p", [2, 1, math.inf])
def test_dist_is_the_norm_of_a_difference(x, p):
    y = x.flip(1)[:1]
    flat = lambda: (x - y).reshape(-1)  # noqa: E731
    expected = total(lambda: torch.linalg.vector_norm(flat(), p))
    torch.testing.assert_close(torch.dist(x, y, p), torch.linalg.vector_norm(flat(), p))
    assert total(lambda: torch.dist(x, y, p)) == expected


def test_renorm_shortens_what_is_too_long():
    limit = 1.5

    def loops():
        result = []
        for row in numbers(X):
            length = norm(row, 2)
            long = length > limit
            factor = choose(long, limit / (length + 1e-7), numbers(torch.ones(())))
            result.append([x * factor for x in row])
        return result

    result, operations = count(loops)
    torch.testing.assert_close(torch.renorm(X, 2, 0, limit), values(result))
    assert total(lambda: torch.renorm(X, 2, 0, limit)) == operations


def test_embedding_renorm_is_a_renorm_of_the_rows_looked_up():
    table, indices = X.clone(), torch.tensor([2, 0])
    expected = total(lambda: torch.renorm(X[:2], 2, 0, 0.1))
    torch.testing.assert_close(
        ops.embedding_renorm(table, indices, 0.1, 2.0)[[0, 2]],
        torch.renorm(X, 2, 0, 0.1)[[0, 2]],
    )
    assert total(lambda: ops.embedding_renorm_(table, indices, 0.1, 2.0)) == expected


def test_weight_norm_and_its_backward():
    g = torch.rand(3, 1, dtype=torch.float64) + 0.5

    def loops():
        result = []
        for row, length in zip(numbers(X), g, strict=True):
            factor = length.item() / norm(row, 2)
            result.append([x * factor for x in row])
        return result

    result, operations = count(loops)
    weight, norms = ops._weight_norm_interface(X, g, 0)
    torch.testing.assert_close(weight, values(result))
    assert total(lambda: ops._weight_norm_interface(X, g, 0)) == operations

    d = torch.randn_like(X)

    def backward():
        of_v, of_g = [], []
        for i, (row, slope) in enumerate(zip(numbers(X), numbers(d), strict=True)):
            size = numbers(norms.reshape(3)[i])
            dot = add_up([a * b for a, b in zip(row, slope, strict=True)])
            ratio = dot / (size * size)
            factor = g[i].item() / size
            of_v.append([factor * (b - a * ratio) for a, b in zip(row, slope, strict=True)])
            of_g.append([dot / size])
        return of_v, of_g

    (of_v, of_g), operations = count(backward)
    result = ops._weight_norm_interface_backward(d, X, g, norms, 0)
    torch.testing.assert_close(result[0], values(of_v))
    torch.testing.assert_close(result[1], values(of_g))
    assert total(lambda: ops._weight_norm_interface_backward(d, X, g, norms, 0)) == operations


def test_norms_of_nothing():
    assert total(lambda: torch.linalg.vector_norm(torch.zeros(0, 3), dim=0)) == 0
    assert total(lambda: torch.dist(torch.zeros(0), torch.zeros(0))) == 0


def test_complex_slices_are_shortened_by_hand():
    x = torch.randn(2, 3, dtype=torch.complex64)
    # Two norms of 3 elements: |x|² is 3 for each, 2 sums, a root. Then a comparison, a sum with eps
    # and a division for each norm, and each element times a real factor, 2 products.
    assert total(lambda: x.renorm(2, 0, 1.0)) == 2 * (3 * 3 + 2 + 1 + 3 + 3 * 2) == 42
