"""Softmax and its kind by loops that count; the article's formula for any dim and rank."""

import pytest
import torch

from ipyflops.costs.conventions import flops
from tests.formulas.counted import count, f, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, integer_ops, total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(3, 5, dtype=torch.float64)
G = torch.randn(3, 5, dtype=torch.float64)


def softmax(row):
    exponentials = [f.exp(x) for x in row]
    whole = add_up(exponentials)
    return [e / whole for e in exponentials]


def log_softmax(row):
    whole = f.log(add_up([f.exp(x) for x in row]))
    return [x - whole for x in row]


def softmax_backward(g, y):
    dot = add_up([a * b for a, b in zip(g, y, strict=True)])
    return [b * (a - dot) for a, b in zip(g, y, strict=True)]


def log_softmax_backward(g, y):
    whole = add_up(g)
    return [a - f.exp(b) * whole for a, b in zip(g, y, strict=True)]


@pytest.mark.parametrize(
    ("operator", "rows"),
    [
        (torch.softmax, softmax),
        (torch.log_softmax, log_softmax),
        (torch.logsumexp, lambda row: f.log(add_up([f.exp(x) for x in row]))),
        (
            lambda x, dim: torch.nn.functional.softmin(x, dim),
            lambda row: softmax([-x for x in row]),
        ),
    ],
)
def test_forward(operator, rows):
    result, operations = count(lambda: [rows(row) for row in numbers(X)])
    torch.testing.assert_close(operator(X, 1), values(result))
    assert total(lambda: operator(X, 1)) == operations


@pytest.mark.parametrize(
    ("operator", "forward", "rows"),
    [
        (ops._softmax_backward_data, torch.softmax, softmax_backward),
        (ops._log_softmax_backward_data, torch.log_softmax, log_softmax_backward),
    ],
)
def test_backward(operator, forward, rows):
    y = forward(X, 1)
    result, operations = count(
        lambda: [rows(*pair) for pair in zip(numbers(G), numbers(y), strict=True)]
    )
    torch.testing.assert_close(operator(G, y, 1, X.dtype), values(result))
    assert total(lambda: operator(G, y, 1, X.dtype)) == operations


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(
    ("shape", "dim"), [((5,), 0), ((4, 5), 1), ((4, 5), 0), ((2, 3, 4), 1), ((2, 3, 4, 5), -1)]
)
def test_the_article_counts_three_for_each_feature_less_one_for_each_row(shape, dim, batch):
    x = torch.randn(batch, *shape)
    dim = dim + 1 if dim >= 0 else dim
    features = x.shape[dim]
    rows = x.numel() // features
    ((_, cost),) = costs(lambda: torch.softmax(x, dim))
    assert flops(cost, "article") == flops(cost, "standard") == rows * (3 * features - 1)


def test_a_single_number_is_a_row_of_one_feature():
    assert total(lambda: torch.softmax(torch.tensor(2.0), 0)) == 2
    assert total(lambda: torch.log_softmax(torch.tensor(2.0), 0)) == 3


def test_rows_of_nothing():
    for shape in ((0, 5), (5, 0)):
        x = torch.zeros(shape)
        assert total(lambda x=x: torch.softmax(x, 1)) == 0
        assert total(lambda x=x: torch.log_softmax(x, 1)) == 0
        assert total(lambda x=x: torch.logsumexp(x, 1)) == 0


def test_a_safe_softmax_also_looks_for_rows_of_minus_infinity():
    def written_out():
        masked = (-torch.inf == X).all(dim=1, keepdim=True)
        return torch.where(masked, 0.0, torch.softmax(X, 1))

    torch.testing.assert_close(ops._safe_softmax(X, 1), written_out())
    assert total(lambda: ops._safe_softmax(X, 1)) == total(written_out)
    assert integer_ops(lambda: ops._safe_softmax(X, 1)) == integer_ops(written_out)


def test_a_masked_softmax_counts_as_if_nothing_were_masked():
    mask = X > 0
    assert total(lambda: ops._masked_softmax(X, mask, 1, 2)) == total(lambda: torch.softmax(X, 1))
    y = torch.softmax(X, 1)
    assert total(lambda: ops._masked_softmax_backward(G, y, mask, 1)) == total(
        lambda: ops._softmax_backward_data(G, y, 1, X.dtype)
    )


def test_a_complex_logsumexp():
    z = torch.complex(X, G)

    def written_out():
        return torch.log(torch.exp(z).sum(1))

    torch.testing.assert_close(torch.logsumexp(z, 1), written_out())
    assert total(lambda: torch.logsumexp(z, 1)) == total(written_out)


def test_log_softmax_is_x_minus_logsumexp():
    def written_out():
        return X - torch.logsumexp(X, 1, keepdim=True)

    torch.testing.assert_close(torch.log_softmax(X, 1), written_out())
    assert total(lambda: torch.log_softmax(X, 1)) == total(written_out)
