"""Reductions and cumulative operators by loops that count."""

import pytest
import torch

from tests.formulas.counted import Complex, Number, count, f, largest, mean, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, integer_ops, total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(3, 5, dtype=torch.float64)
Z = torch.complex(X, X.flip(0))


def product(row):
    first, *rest = row
    for value in rest:
        first = first * value
    return first


def variance(row):
    if isinstance(row[0], Complex):
        whole = add_up(row)
        average = Complex(whole.re / len(row), whole.im / len(row))
        differences = [x - average for x in row]
        squares = [d.re * d.re + d.im * d.im for d in differences]
    else:
        average = mean(row)
        squares = [(d := x - average) * d for x in row]
    # Divided by the length, as the correction is a matter of one number.
    return add_up(squares) / len(row)


def complex_mean(row):
    whole = add_up(row)
    return Complex(whole.re / len(row), whole.im / len(row))


def cumulative(step, row):
    result = [row[0]]
    for value in row[1:]:
        result.append(step(result[-1], value))
    return result


def logaddexp(x, y):
    return f.max(x, y) + f.log1p(f.exp(-abs(x - y)))


REDUCTIONS = [
    (lambda x: x.sum(1), add_up, X),
    (lambda x: x.sum(1), add_up, Z),
    (lambda x: x.prod(1), product, X),
    (lambda x: x.prod(1), product, Z),
    (lambda x: x.mean(1), mean, X),
    (lambda x: x.mean(1), complex_mean, Z),
    (lambda x: x.amax(1), largest, X),
    (lambda x: x.max(1).values, largest, X),
    (lambda x: x.var(1, correction=0), variance, X),
    (lambda x: x.var(1, correction=0), variance, Z),
    (lambda x: x.std(1, correction=0), lambda row: f.sqrt(variance(row)), X),
    (lambda x: torch.var_mean(x, 1, correction=0)[0], variance, X),
    (
        lambda x: x.nansum(1),
        lambda row: add_up([x if x == x else Number(0) for x in row]),
        X,
    ),
    (lambda x: x.cumsum(1), lambda row: cumulative(lambda a, b: a + b, row), X),
    (lambda x: x.cumsum(1), lambda row: cumulative(lambda a, b: a + b, row), Z),
    (lambda x: x.cumprod(1), lambda row: cumulative(lambda a, b: a * b, row), X),
    (lambda x: x.cumprod(1), lambda row: cumulative(lambda a, b: a * b, row), Z),
    (lambda x: x.cummax(1).values, lambda row: cumulative(f.max, row), X),
    (lambda x: x.cummin(1).values, lambda row: cumulative(f.min, row), X),
    (lambda x: x.logcumsumexp(1), lambda row: cumulative(logaddexp, row), X),
]


@pytest.mark.parametrize(("operator", "row", "x"), REDUCTIONS)
def test_a_reduction_along_rows(operator, row, x):
    result, operations = count(lambda: [row(line) for line in numbers(x)])
    torch.testing.assert_close(operator(x), values(result))
    assert total(lambda: operator(x)) == operations
    # The same rows of a longer batch, and along another dim.
    assert total(lambda: operator(torch.cat([x, x]))) == 2 * operations


@pytest.mark.parametrize(
    "operator",
    [
        torch.sum,
        torch.mean,
        torch.prod,
        torch.amax,
        torch.max,
        torch.argmin,
        torch.var,
        torch.std,
        torch.nansum,
        torch.aminmax,
        torch.all,
    ],
)
def test_everything_is_one_row(operator):
    flat = X.reshape(1, -1)
    along = {"dim": 1}
    assert total(lambda: operator(X)) == total(lambda: operator(flat, **along))


def test_several_dims_are_one():
    x = torch.randn(2, 3, 4)
    assert total(lambda: x.sum((1, 2))) == 2 * 11
    assert total(lambda: x.sum((0, 2), keepdim=True)) == 3 * 7
    assert total(lambda: x.mean((0, 1))) == 24


def test_extremes_compare_once_for_each_element_but_the_first():
    assert total(lambda: X.argmax(1)) == 3 * 4
    assert total(lambda: torch.aminmax(X, dim=1)) == 2 * 3 * 4
    assert total(lambda: X.any(1)) == 3 * 4
    assert integer_ops(lambda: (X > 0).all(1)) == 3 * 4


def test_nonzero_elements_are_found_by_comparisons():
    assert total(lambda: torch.count_nonzero(X, 1)) == 15
    assert integer_ops(lambda: torch.count_nonzero(X, 1)) == 3 * 4
    assert total(lambda: torch.nonzero(X)) == 15
    assert total(lambda: torch.nonzero(Z)) == 30


def test_a_trace_adds_the_diagonal():
    result, operations = count(lambda: add_up([numbers(X[i, i]) for i in range(3)]))
    torch.testing.assert_close(torch.trace(X), values(result))
    assert total(lambda: torch.trace(X)) == operations
    assert total(lambda: torch.trace(Z)) == 2 * operations


def test_a_complex_logcumsumexp_is_a_chain_of_logaddexp():
    x = Z[0]

    def chain():
        result = x[0]
        for value in x[1:]:
            result = torch.logaddexp(result, value)
        return result

    torch.testing.assert_close(torch.logcumsumexp(x, 0)[-1], chain())
    assert total(lambda: torch.logcumsumexp(x, 0)) == total(chain)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
def test_segments(reduce):
    data = torch.randn(6, 2, requires_grad=True)
    lengths = torch.tensor([2, 4])

    def forward():
        return torch.segment_reduce(data, reduce, lengths=lengths, axis=0, initial=1)

    # Every element is combined with what its segment has, beginning with the initial value.
    divisions = 2 * 2 if reduce == "mean" else 0
    assert total(forward) == 12 + divisions
    out = forward()
    backward = {"sum": 0, "mean": 4, "max": 12 + 4, "min": 12 + 4, "prod": 12 + 4}
    gradient = torch.ones_like(out)
    assert total(lambda: out.backward(gradient)) == backward[reduce]


def test_whole_numbers_are_counted_apart():
    whole = torch.arange(15).reshape(3, 5)
    assert total(lambda: whole.sum(1)) == 0
    assert integer_ops(lambda: whole.sum(1)) == 3 * 4
    assert integer_ops(lambda: ops.hash_tensor(whole, [1])) == 3 * 4
    assert integer_ops(lambda: ops.hash_tensor(X, [1])) == 3 * 4


def test_reductions_of_nothing_and_of_one():
    empty = torch.zeros(3, 0)
    for operator in (torch.sum, torch.mean, torch.prod, torch.nansum, torch.cumsum):
        assert total(lambda operator=operator: operator(empty, 1)) == 0
    one = torch.tensor(2.0)
    assert total(lambda: one.sum()) == total(lambda: one.max()) == 0
    assert total(lambda: one.cumsum(0)) == 0
    assert total(lambda: one.mean()) == 1


def test_meta_tensors_cost_the_same():
    for operator in (torch.sum, torch.var, lambda x: x.max(1), lambda x: x.cumsum(0)):
        assert total(lambda operator=operator: operator(X)) == total(
            lambda operator=operator: operator(X.to("meta"))
        )


def test_helpers_without_a_result_count_their_input():
    values_, indices = torch.empty_like(X), torch.empty(3, 5, dtype=torch.int64)
    ((name, cost),) = costs(lambda: ops._cummax_helper(X, values_, indices, 1))
    assert name == "aten::_cummax_helper"
    assert cost.other.value == 3 * 4
