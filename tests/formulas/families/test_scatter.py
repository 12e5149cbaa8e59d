"""Values combined with those at given places: one operation for each value that is combined."""

import pytest
import torch
import torch.nn.functional as F

from ipyflops.formulas import Call, lookup
from tests.formulas.counted import count, f, numbers, values
from tests.formulas.dispatch import costs, integer_ops, total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(4, 3, dtype=torch.float64)
SOURCE = torch.randn(5, 3, dtype=torch.float64)
ROWS = torch.tensor([0, 2, 2, 3, 0])
INDEX = ROWS[:, None].expand(5, 3)


def combined(step):
    """X with each row of the source combined into the row that its index names."""

    def loops():
        result = numbers(X)
        for i, row in enumerate(ROWS.tolist()):
            for j, value in enumerate(numbers(SOURCE[i])):
                result[row][j] = step(result[row][j], value)
        return result

    result, operations = count(loops)
    return values(result), operations


ADD = combined(lambda a, b: a + b)
CASES = [
    (lambda: X.scatter_add(0, INDEX, SOURCE), ADD),
    (lambda: X.scatter(0, INDEX, SOURCE, reduce="add"), ADD),
    (lambda: X.scatter(0, INDEX, SOURCE, reduce="multiply"), combined(lambda a, b: a * b)),
    (lambda: X.scatter_reduce(0, INDEX, SOURCE, "sum"), ADD),
    (lambda: X.scatter_reduce(0, INDEX, SOURCE, "amax"), combined(f.max)),
    (lambda: X.index_add(0, ROWS, SOURCE), ADD),
    (lambda: X.index_add(0, ROWS, SOURCE, alpha=2), combined(lambda a, b: a + b * 2)),
    (lambda: X.index_reduce(0, ROWS, SOURCE, "prod"), combined(lambda a, b: a * b)),
    (lambda: X.index_put((ROWS,), SOURCE, accumulate=True), ADD),
    (
        lambda: X.put(INDEX * 3 + torch.arange(3), SOURCE, accumulate=True),
        ADD,
    ),
]


@pytest.mark.filterwarnings("ignore:index_reduce", "ignore:The reduce argument")
@pytest.mark.parametrize(("operator", "expected"), CASES)
def test_each_value_is_combined_once(operator, expected):
    result, operations = expected
    torch.testing.assert_close(operator(), result)
    # The place of an element in a flat tensor is made of whole numbers.
    assert total(operator) == operations


def test_a_mean_also_counts_and_divides():
    def written_out():
        counts = torch.ones_like(X).scatter_add(0, INDEX, torch.ones_like(SOURCE))
        counts = counts.masked_fill(counts == 0, 1)
        return X.scatter_add(0, INDEX, SOURCE) / counts

    def whole():
        return X.scatter_reduce(0, INDEX, SOURCE, "mean")

    torch.testing.assert_close(whole(), written_out())
    assert total(whole) == total(written_out)


def test_writing_values_is_free():
    for operator in (
        lambda: X.scatter(0, INDEX, SOURCE),
        lambda: X.scatter(0, INDEX, 1.0),
        lambda: X.index_put((ROWS,), SOURCE),
        lambda: X.index_copy(0, torch.tensor([1]), SOURCE[:1]),
        lambda: X.index_fill(0, ROWS, 0.0),
        lambda: X.put(ROWS, SOURCE[:, 0]),
        lambda: X.gather(0, INDEX),
        lambda: X[ROWS],
    ):
        assert total(operator) == 0


def test_a_number_is_combined_as_a_tensor_is():
    assert total(lambda: X.scatter(0, INDEX, 2.0, reduce="multiply")) == 15


@pytest.mark.parametrize(
    ("indices", "shape"),
    [
        ((torch.tensor([0, 2]),), (2, 3)),
        ((None, torch.tensor([0, 2])), (4, 2)),
        ((torch.tensor([0, 2]), torch.tensor([1, 1])), (2,)),
        ((torch.tensor([[0], [2]]), torch.tensor([1, 2, 0])), (2, 3)),
        ((torch.tensor([True, False, True, True]),), (3, 3)),
        ((X > 0,), (int((X > 0).sum()),)),
    ],
)
@pytest.mark.parametrize("one_for_all", [True, False])
def test_accumulating_at_indices_adds_once_for_each_place(indices, shape, one_for_all):
    key = tuple(slice(None) if index is None else index for index in indices)
    assert X[key].shape == shape
    places = X[key].numel()
    source = torch.ones(() if one_for_all else shape, dtype=torch.float64)
    assert total(lambda: ops.index_put(X, indices, source, True)) == places
    assert total(lambda: ops._unsafe_index_put(X, indices, source, True)) == places


def test_the_gradient_of_indexing_accumulates():
    leaf = X.clone().requires_grad_()
    out = leaf[ROWS]
    gradient = torch.ones_like(out)
    assert [
        cost.other.value for name, cost in costs(lambda: out.backward(gradient)) if "index" in name
    ] == [15]


def test_a_mask_whose_values_cannot_be_read_is_told_by_what_is_put():
    x, mask = X.to("meta"), (X > 0).to("meta")
    source = torch.ones(4, device="meta", dtype=torch.float64)
    call = Call(ops.index_put.default, (x, [mask], source, True), {}, x)
    assert lookup(call.func)(call).other.value == 4


def test_masked_accumulation():
    def whole():
        return ops._unsafe_masked_index_put_accumulate(
            X, torch.tensor([[True], [False]]), [torch.tensor([0, 1])], SOURCE[:2]
        )

    assert total(whole) == 6


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_padding_copies_and_its_gradient_adds(dims, mode):
    x = torch.randn(1, 2, *[4] * dims, requires_grad=True)
    assert total(lambda: F.pad(x, [1, 2] * dims, mode=mode)) == 0
    out = F.pad(x, [1, 2] * dims, mode=mode)
    gradient = torch.ones_like(out)
    # Every element of the padded result gives its gradient to the one it is a copy of.
    assert total(lambda: out.backward(gradient)) == 2 * 7**dims


def test_whole_numbers_and_complex_ones():
    whole = torch.zeros(4, dtype=torch.int64)
    assert integer_ops(lambda: whole.index_add(0, ROWS, torch.ones(5, dtype=torch.int64))) == 5
    z = torch.complex(X, X)
    assert total(lambda: z.scatter_add(0, INDEX, torch.complex(SOURCE, SOURCE))) == 2 * 15
    assert total(lambda: z.index_add(0, ROWS, torch.complex(SOURCE, SOURCE), alpha=2)) == 8 * 15


def test_complex_products_at_given_places_by_hand():
    x, values = (torch.ones(4, dtype=torch.complex64) for _ in range(2))
    index = torch.tensor([0, 1, 1])
    # Three complex products of 6 operations, or three complex sums of 2.
    assert total(lambda: x.scatter(0, index, values, reduce="multiply")) == 3 * 6
    assert total(lambda: x.scatter(0, index, values, reduce="add")) == 3 * 2
