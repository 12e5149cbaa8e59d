"""Products with sparse matrices against loops over the values that are stored."""

import pytest
import torch

from tests.formulas.counted import Number, tally
from tests.formulas.plain import cost_of

aten = torch.ops.aten
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CS:UserWarning")


def sparse(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    keep = torch.rand(rows, columns, generator=generator) < 0.4
    return torch.where(keep, torch.rand(rows, columns, generator=generator) + 1.0, 0.0)


def loop(a, b):
    """FLOPs of a @ b where only values that are not zero are multiplied."""
    with tally() as count:
        for row in a.tolist():
            accumulators = [Number(0.0) for _ in range(b.shape[1])]
            for x, line in zip(row, b.tolist(), strict=True):
                for j, y in enumerate(line):
                    if x and y:
                        accumulators[j] = accumulators[j] + Number(x) * y
    return count.flops


LAYOUTS = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sparse_matrix_times_a_dense_one(layout):
    a, b = sparse(6, 5, 1), torch.rand(5, 4) + 1.0
    assert cost_of(aten.mm.default, a.to_sparse(layout=layout), b).contraction.value == loop(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dense_matrix_times_a_sparse_one(layout):
    a, b = torch.rand(6, 5) + 1.0, sparse(5, 4, 2)
    s = b.to_sparse(layout=layout)
    assert cost_of(aten.mm.default, a, s, out=a @ b).contraction.value == loop(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_sparse_matrices(layout):
    a, b = sparse(6, 5, 3), sparse(5, 4, 4)
    operands = a.to_sparse(layout=layout), b.to_sparse(layout=layout)
    assert cost_of(aten.mm.default, *operands, out=a @ b).contraction.value == loop(a, b)


def test_matrix_times_vector_batches_and_scalings():
    a, b, c = sparse(6, 5, 5), torch.rand(5, 4) + 1.0, torch.rand(6, 4)
    s = a.to_sparse()
    assert cost_of(aten.mv.default, s, b[:, 0]).contraction.value == loop(a, b[:, :1])
    batch = torch.stack([a, sparse(6, 5, 6)])
    expected = sum(loop(matrix, b) for matrix in batch)
    both = torch.stack([b, b])
    assert cost_of(aten.bmm.default, batch.to_sparse(), both).contraction.value == expected
    scaled = cost_of(aten.addmm.default, c, s, b, alpha=2, beta=3)
    assert scaled.contraction.value == loop(a, b)
    assert scaled.other.value == 2 * c.numel()


def test_without_values_all_of_them_are_counted():
    a, b = torch.ones(6, 5).to_sparse(), torch.ones(5, 4)
    meta = a.to("meta"), b.to("meta")
    cost = cost_of(aten.mm.default, *meta, out=torch.empty(6, 4, device="meta"))
    assert cost.contraction.value == loop(torch.ones(6, 5), b)
