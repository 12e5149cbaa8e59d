"""Embeddings: every addition of a row counted in loops over the indices."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from tests.formulas.counted import count, largest, mean, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
torch.manual_seed(0)
TABLE = torch.randn(10, 3, dtype=torch.float64)
INDICES = torch.tensor([1, 2, 3, 4, 0, 2])
OFFSETS = torch.tensor([0, 2, 2, 5])
# The last one is where the last bag ends.
WITH_END = torch.tensor([0, 2, 2, 6])


def bags(padding=None, *, last=False):
    """The indices of each bag; with `last` the last offset is an end and no beginning."""
    edges = WITH_END.tolist() if last else [*OFFSETS.tolist(), len(INDICES)]
    for start, end in itertools.pairwise(edges):
        yield [(i, INDICES[i].item()) for i in range(start, end) if INDICES[i].item() != padding]


def test_looking_rows_up_is_free():
    assert total(lambda: F.embedding(INDICES, TABLE)) == 0


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_is_reduced(mode, padding, last):
    reduce = {"sum": add_up, "mean": mean, "max": largest}[mode]

    def loops():
        result = []
        for bag in bags(padding, last=last):
            rows = [numbers(TABLE[index]) for _, index in bag]
            columns = list(zip(*rows, strict=True))
            result.append([reduce(column) for column in columns] if bag else [0.0] * 3)
        return result

    result, operations = count(loops)

    def layer():
        return F.embedding_bag(
            INDICES,
            TABLE,
            WITH_END if last else OFFSETS,
            mode=mode,
            padding_idx=padding,
            include_last_offset=last,
        )

    torch.testing.assert_close(layer(), values(result))
    assert total(layer) == operations


def test_weights_of_samples_multiply_rows():
    weights = torch.rand(6, dtype=torch.float64)

    def loops():
        result = []
        for bag in bags():
            rows = [[x * weights[i].item() for x in numbers(TABLE[j])] for i, j in bag]
            result.append(
                [add_up(column) for column in zip(*rows, strict=True)] if bag else [0.0] * 3
            )
        return result

    result, operations = count(loops)

    def layer():
        return F.embedding_bag(INDICES, TABLE, OFFSETS, mode="sum", per_sample_weights=weights)

    torch.testing.assert_close(layer(), values(result))
    assert total(layer) == operations


def backward_costs(**options):
    """What each backward operator of an embedding bag costs."""
    table = TABLE.clone().requires_grad_()
    out = F.embedding_bag(INDICES, table, OFFSETS, **options)
    gradient = torch.ones_like(out)
    return {
        name: cost.other.value
        for name, cost in costs(lambda: out.backward(gradient))
        if "embedding" in name
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "sum"}, 6 * 3),
        # Divided by the size of the bag, which is a product with its inverse.
        ({"mode": "mean"}, 2 * 6 * 3),
        ({"mode": "sum", "scale_grad_by_freq": True}, 2 * 6 * 3),
        ({"mode": "sum", "padding_idx": 2}, 4 * 3),
        # One row for each number of the three bags that are not empty.
        ({"mode": "max"}, 3 * 3),
        ({"mode": "sum", "sparse": True}, 0),
        ({"mode": "mean", "sparse": True}, 6 * 3),
    ],
)
def test_a_gradient_is_added_to_the_row_of_each_index(options, expected):
    assert backward_costs(**options) == {"aten::_embedding_bag_backward": expected}


def test_weights_of_samples_get_dot_products():
    weights = torch.rand(6, dtype=torch.float64, requires_grad=True)
    result = backward_costs(mode="sum", per_sample_weights=weights)
    assert result == {
        "aten::_embedding_bag_backward": 2 * 6 * 3,
        "aten::_embedding_bag_per_sample_weights_backward": 6 * (3 + 2),
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 6 * 3), ({"padding_idx": 2}, 4 * 3), ({"scale_grad_by_freq": True}, 2 * 6 * 3)],
)
def test_the_gradient_of_an_embedding(options, expected):
    table = TABLE.clone().requires_grad_()
    out = F.embedding(INDICES, table, **options)
    gradient = torch.ones_like(out)
    ((name, cost),) = costs(lambda: out.backward(gradient))
    assert name == "aten::embedding_dense_backward"
    assert cost.other.value == expected


def test_without_values_there_is_no_padding_and_no_empty_bag():
    meta = [tensor.to("meta") for tensor in (INDICES, TABLE, torch.tensor([0, 2]))]
    real = total(lambda: F.embedding_bag(INDICES, TABLE, torch.tensor([0, 2])))
    assert total(lambda: F.embedding_bag(*meta)) == real
    assert total(lambda: F.embedding_bag(*meta, mode="sum")) == (6 - 2) * 3


def test_nothing_to_look_up():
    empty = torch.zeros(0, dtype=torch.int64)
    assert total(lambda: F.embedding_bag(empty, TABLE, torch.tensor([0]))) == 0
    assert total(lambda: F.embedding(empty, TABLE)) == 0
