"""Sparse tensors of all layouts against loops over their stored values, forward and backward."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ipyflops.costs import Cost
from ipyflops.costs.conventions import flops
from ipyflops.formulas import Call, Formula, lookup
from tests.formulas.counted import Number, f, numbers, plain, tally
from tests.formulas.counted import total as total_of
from tests.formulas.dispatch import costs, integer_ops, total

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse (CSR|CSC|BSR|BSC) tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled"),
    pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated"),
]

DENSE = torch.tensor([[1.0, 0, 2, 0], [0, 3, 0, 0], [0, 0, 0, 0], [5, 6, 0, 7]])
# A zero that is stored, at (2, 1), is put in afterwards.
INDICES = torch.cat((DENSE.nonzero().T, torch.tensor([[2], [1]])), 1)
NNZ = 7
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    COO = torch.sparse_coo_tensor(INDICES, DENSE[tuple(INDICES)], (4, 4)).coalesce()
    LAYOUTS: dict[str, Tensor] = {
        "coo": COO,
        "csr": COO.to_sparse_csr(),
        "csc": COO.to_sparse_csc(),
        "bsr": DENSE.to_sparse_bsr((2, 2)),
    }
OTHER = torch.randn(4, 3)


def triples(tensor: Tensor) -> list[tuple[int, int, Number]]:
    """Row, column and value of everything that a matrix stores."""
    if tensor.layout is torch.sparse_bsr:
        tensor = tensor.to_sparse()  # blocks keep their zeros
    tensor = tensor if tensor.layout is torch.sparse_coo else tensor.to_sparse()
    rows, columns = tensor._indices().tolist()
    return list(zip(rows, columns, numbers(tensor._values()), strict=True))


def product_loop(a: Tensor, b: list[list[Number]]) -> list[list[Number]]:
    result = [[Number(0.0)] * len(b[0]) for _ in range(a.shape[0])]
    for row, column, value in triples(a):
        for j, x in enumerate(b[column]):
            result[row][j] = result[row][j] + value * x
    return result


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_product_costs_what_is_stored(layout: str) -> None:
    a = LAYOUTS[layout]
    with tally() as count:
        result = product_loop(a, numbers(OTHER))
    torch.testing.assert_close(torch.tensor(plain(result)), a @ OTHER)
    vector = OTHER[:, 0].contiguous()
    bias = torch.randn(4, 3)
    assert total(lambda: a @ OTHER) == count.flops
    assert total(lambda: a @ OTHER, "contractions") == count.flops
    assert total(lambda: torch.addmm(bias, a, OTHER)) == count.flops
    assert total(lambda: torch.addmm(bias, a, OTHER, alpha=2, beta=3)) == count.flops + 2 * 12
    if layout != "csc":
        assert total(lambda: a @ vector) == count.flops // 3
        assert total(lambda: torch.mv(a, vector)) == count.flops // 3
    if layout in ("coo", "csr"):
        left = torch.randn(3, 4)
        assert total(lambda: left @ a) == count.flops
        assert total(lambda: torch.sparse.mm(a, OTHER)) == count.flops
    complex_a, complex_other = a.to(torch.complex64), OTHER.to(torch.complex64)
    if layout != "bsr":
        assert total(lambda: complex_a @ complex_other) == 4 * count.flops


def test_stored_blocks_count_with_their_zeros() -> None:
    bsr = LAYOUTS["bsr"]
    assert bsr.values().numel() == 16
    assert total(lambda: bsr @ OTHER) == 2 * 16 * 3


def test_products_of_two_sparse_matrices() -> None:
    second = torch.tensor([[0, 1.0], [2, 3], [0, 0], [0, 4]]).to_sparse()
    rows: dict[int, list[tuple[int, Number]]] = {}
    for row, column, value in triples(second):
        rows.setdefault(row, []).append((column, value))
    with tally() as count:
        result = [[Number(0.0)] * 2 for _ in range(4)]
        for row, column, value in triples(COO):
            for j, x in rows.get(column, []):
                result[row][j] = result[row][j] + value * x
    torch.testing.assert_close(torch.tensor(plain(result)), (COO @ second).to_dense())
    assert total(lambda: COO @ second) == count.flops
    assert total(lambda: torch.sparse.mm(COO, second)) == count.flops
    csr, second_csr = COO.to_sparse_csr(), second.to_sparse_csr()
    assert total(lambda: csr @ second_csr) == count.flops


def test_batches_and_other_products() -> None:
    batch = torch.stack((DENSE, 2 * DENSE)).to_sparse()
    dense = torch.randn(2, 4, 3)
    assert total(lambda: torch.bmm(batch, dense)) == 2 * 12 * 3
    csr = COO.to_sparse_csr()
    first, second = torch.randn(4, 5), torch.randn(5, 4)
    sampled = torch.sparse.sampled_addmm
    assert total(lambda: sampled(csr, first, second)) == 2 * NNZ * 5
    assert total(lambda: sampled(csr, first, second, alpha=2, beta=0)) == 2 * NNZ * 5 + NNZ
    assert total(lambda: torch.hspmm(COO, OTHER)) == 2 * NNZ * 3
    accumulator = torch.randn(4, 3).to_sparse()
    assert total(lambda: torch.sspaddmm(accumulator, COO, OTHER)) == 2 * NNZ * 3
    layer = torch.nn.functional.linear
    x = torch.randn(2, 4)
    assert total(lambda: layer(x, csr)) == 2 * 2 * NNZ


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_products_with_another_reduction(reduce: str) -> None:
    csr = COO.to_sparse_csr().requires_grad_()
    other = OTHER.clone().requires_grad_()
    counts = torch.tensor([2.0, 1.0, 1.0, 3.0])
    with tally() as count:
        rows: list[list[list[Number]]] = [[[] for _ in range(3)] for _ in range(4)]
        for row, column, value in triples(COO):
            for j, x in enumerate(numbers(OTHER[column])):
                rows[row][j].append(value * x)
        for row, length in zip(rows, counts.tolist(), strict=True):
            for j, products in enumerate(row):
                # An accumulator is filled first, as in every product.
                result = Number(0.0 if reduce in ("sum", "mean") else products[0].value)
                for product in products:
                    if reduce in ("sum", "mean"):
                        result = result + product
                    elif (product > result) if reduce == "amax" else (product < result):
                        result = product
                row[j] = [result / length if reduce == "mean" else result]
    run = torch.sparse.mm
    out = run(csr, other, reduce)
    torch.testing.assert_close(torch.tensor(plain(rows)).squeeze(-1), out.detach())
    assert total(lambda: run(csr, other, reduce)) == count.flops
    gradient = torch.randn_like(out)
    backward = total(lambda: torch.autograd.grad(out, (csr, other), gradient))
    if reduce in ("amax", "amin"):
        assert backward == 2 * 2 * out.numel()
    else:
        assert backward == 2 * 2 * NNZ * 3 + (NNZ if reduce == "mean" else 0)


def test_backward_of_a_sparse_product() -> None:
    """The dense matrix is given the transposed product, the sparse one what autograd runs."""
    a = COO.clone().requires_grad_()
    other = OTHER.clone().requires_grad_()
    out = torch.sparse.mm(a, other)
    gradient = torch.randn_like(out)
    to_dense = total(lambda: torch.autograd.grad(out, other, gradient, retain_graph=True))
    assert to_dense == 2 * NNZ * 3
    both = costs(lambda: torch.autograd.grad(out, (a, other), gradient))
    # PyTorch multiplies densely and masks the result: that is what ran.
    assert sum(flops(cost, "contractions") for _, cost in both) == 2 * 4 * 3 * 4 + to_dense


def element_by_element(
    operation: Callable[[Number], Number], a: Tensor
) -> tuple[list[Number], int]:
    with tally() as count:
        result = [operation(value) for _, _, value in triples(a)]
    return result, count.flops


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr"])
def test_what_is_pointwise_is_done_to_stored_values(layout: str) -> None:
    a = LAYOUTS[layout]
    stored = len(triples(a))
    assert total(lambda: a.sin()) == stored
    assert total(lambda: a.neg()) == stored
    assert total(lambda: a.abs()) == stored
    assert total(lambda: a * 2) == stored
    assert total(lambda: a.tanh()) == 5 * stored
    assert total(lambda: a.tanh(), "article") == 5 * stored
    integers = a.to(torch.int64)
    assert integer_ops(lambda: integers.neg()) == stored
    assert total(lambda: integers.neg()) == 0
    in_place = a.clone()
    assert total(in_place.sin_) == stored


def test_products_element_by_element() -> None:
    b = torch.tensor([[1.0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0], [0, 0, 0, 4]]).to_sparse()
    meeting = len(
        {(row, column) for row, column, _ in triples(COO)}
        & {(row, column) for row, column, _ in triples(b)}
    )
    assert total(lambda: COO * b) == meeting == 3
    assert total(lambda: COO * DENSE) == NNZ
    csr = COO.to_sparse_csr()
    assert total(lambda: csr * DENSE) == NNZ
    assert total(lambda: COO / 3) == NNZ


def test_sums_are_made_where_both_have_a_value() -> None:
    b = torch.tensor([[1.0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0], [0, 0, 0, 4]]).to_sparse()
    stored_b = 4
    assert total(lambda: COO + b) == 3
    assert total(lambda: torch.add(COO, b, alpha=2)) == 3 + stored_b
    assert total(lambda: COO - b) == 3
    assert total(lambda: DENSE + b) == stored_b
    accumulator = torch.zeros(4, 4)
    assert total(lambda: accumulator.add_(b, alpha=-0.1)) == 2 * stored_b
    csr, b_csr = COO.to_sparse_csr(), b.to_sparse_csr()
    assert total(lambda: csr + b_csr) == 3
    twice = COO.to(torch.complex64)
    assert total(lambda: twice + twice) == 2 * NNZ


def test_reductions() -> None:
    assert total(lambda: COO.sum()) == NNZ - 1
    assert total(lambda: torch.sparse.sum(COO)) == NNZ - 1
    columns = len({column for _, column, _ in triples(COO)})
    assert total(lambda: torch.sparse.sum(COO, 0)) == NNZ - columns
    assert total(lambda: COO.sum(0)) == NNZ - columns
    csr = COO.to_sparse_csr()
    assert total(lambda: csr.sum()) == NNZ - 1
    rows = len({row for row, _, _ in triples(COO)})
    assert total(lambda: torch.sum(csr, 1, keepdim=True)) == NNZ - rows
    values = COO.values()
    assert total(lambda: COO.norm()) == total(lambda: torch.linalg.vector_norm(values))
    hybrid = torch.sparse_coo_tensor([[0, 2]], torch.randn(2, 3), (4, 3))
    assert total(lambda: torch.sparse.sum(hybrid, 0)) == 6 - 3
    assert total(lambda: torch.sparse.sum(hybrid, 1)) == 6 - 2
    a = COO.clone().requires_grad_()
    out = torch.sparse.sum(a, 0)
    gradient = torch.ones(4).to_sparse()
    assert total(lambda: torch.autograd.grad(out, a, gradient)) == 0


def test_coalescing_adds_values_of_the_same_index() -> None:
    indices = torch.tensor([[0, 0, 1, 0], [1, 1, 2, 1]])
    tensor = torch.sparse_coo_tensor(indices, torch.randn(4, 2), (3, 3, 2))
    assert total(tensor.coalesce) == 2 * 2
    assert integer_ops(tensor.coalesce) == 4 * 2  # 4·log2(4) comparisons of indices


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("log", [False, True])
def test_softmax_of_stored_values(dim: int, log: bool) -> None:
    function = torch.sparse.log_softmax if log else torch.sparse.softmax
    groups: dict[int, list[Number]] = {}
    for row, column, value in triples(COO):
        groups.setdefault((column, row)[dim], []).append(value)
    with tally() as count:
        result = []
        for values in groups.values():
            powers = [f.exp(value) for value in values]
            everything = total_of(powers)
            if log:
                logarithm = f.log(everything)
                result += [value - logarithm for value in values]
            else:
                result += [power / everything for power in powers]
    found = sorted(function(COO, dim).values().tolist())
    assert sorted(plain(result)) == pytest.approx(found, rel=1e-5)
    assert total(lambda: function(COO, dim)) == count.flops


@pytest.mark.parametrize("log", [False, True])
def test_softmax_of_a_full_sparse_tensor_costs_what_a_dense_one_does(log: bool) -> None:
    dense = torch.rand(3, 4) + 1
    sparse_function = torch.sparse.log_softmax if log else torch.sparse.softmax
    dense_function = torch.log_softmax if log else torch.softmax

    def backward(function: Any, x: Tensor) -> Callable[[], Any]:
        x = x.clone().requires_grad_()
        out = function(x, 1)
        return lambda: torch.autograd.grad(out, x, out.detach())

    full = dense.to_sparse()
    assert total(lambda: sparse_function(full, 1)) == total(lambda: dense_function(dense, 1))
    assert total(backward(sparse_function, full)) == total(backward(dense_function, dense))


@pytest.mark.parametrize("unit", [False, True])
def test_substitution_with_a_sparse_triangle(unit: bool) -> None:
    lower = torch.tensor([[2.0, 0, 0, 0], [1, 2, 0, 0], [0, 0, 2, 0], [1, 0, 1, 2]])
    b = torch.randn(4, 2)
    with tally() as count:
        x = numbers(b)
        for column in range(2):
            for i in range(4):
                for k in range(i):
                    if lower[i, k] != 0:
                        x[i][column] = x[i][column] - lower[i, k].item() * x[k][column]
                if not unit:
                    x[i][column] = x[i][column] / 2.0
    csr = lower.to_sparse_csr()

    def run() -> Any:
        return torch.triangular_solve(b, csr, upper=False, unitriangular=unit)

    torch.testing.assert_close(torch.tensor(plain(x)), run()[0])
    assert total(run) == count.flops


def test_layouts_change_for_nothing() -> None:
    csr = COO.to_sparse_csr()
    assert costs(lambda: (COO.to_dense(), csr.to_dense(), COO.to_sparse_csr())) == []
    assert costs(lambda: DENSE.to_sparse()) == []
    assert total(lambda: DENSE.sparse_mask(COO)) == 0


def test_optimizers_of_sparse_gradients_count_what_is_stored() -> None:
    layer = torch.nn.Embedding(1000, 8, sparse=True)
    layer(torch.tensor([1, 2, 1])).sum().backward()
    stochastic = torch.optim.SGD(layer.parameters(), lr=0.1)
    assert total(stochastic.step) == 2 * 3 * 8  # three rows are stored, one of them twice
    adam = torch.optim.SparseAdam(layer.parameters())
    assert total(adam.step) < 20 * 2 * 8 + 10


def cost_of(func: Any, *arguments: Any, out: Any, **options: Any) -> Cost:
    verdict = lookup(func)
    assert isinstance(verdict, Formula)
    return verdict(Call(func, arguments, options, out))


def test_a_direct_solver_by_hand() -> None:
    # Two substitutions: a multiply-accumulate for each of 4 stored values and 3 right-hand sides.
    # It exists on CUDA only, and is asked here by its operands.
    for dtype, flops_of_a_mac in ((torch.float32, 2), (torch.complex64, 8)):
        matrix = torch.eye(4, dtype=dtype).to_sparse_csr()
        b = torch.zeros(4, 3, dtype=dtype)
        cost = cost_of(torch.ops.aten._spsolve.default, matrix, b, out=b)
        assert flops(cost, "standard") == flops_of_a_mac * 4 * 3


def test_complex_sparse_numbers_by_hand() -> None:
    matrix = torch.tensor([[2.0, 0, 0], [1, 2, 0], [0, 1, 2]], dtype=torch.complex64)
    # A triangle with 3 values on the diagonal and 2 below it, 2 right-hand sides. A value below
    # costs a product (6) and a difference (2); a division is counted as 4 real ones in the leading
    # terms of linear algebra: 4·(2·5 − 3)·2.
    b = torch.ones(3, 2, dtype=torch.complex64)
    csr = matrix.to_sparse_csr()
    assert total(lambda: torch.triangular_solve(b, csr, upper=False)) == 4 * (2 * 5 - 3) * 2
    coo = matrix.to_sparse()
    # 5 values meet 5 values: 5 complex sums of 2; with an alpha 5 complex products of 6 more.
    assert total(lambda: coo + coo) == 5 * 2
    assert total(lambda: torch.add(coo, coo, alpha=2)) == 5 * 2 + 5 * 6
    # 5 values are added up to 1, or in their 3 columns.
    assert total(lambda: coo.sum()) == 4 * 2
    assert total(lambda: torch.sparse.sum(coo, 0)) == 2 * 2
    # 4 values at 2 places: 2 complex sums.
    twice = torch.sparse_coo_tensor([[0, 1, 0, 1]], torch.ones(4, dtype=torch.complex64), (2,))
    assert total(twice.coalesce) == 2 * 2
    values = cost_of(
        torch.ops.aten._sparse_csr_prod.dim_dtype, csr, [1], True, out=torch.eye(3).to_sparse_csr()
    )
    # 5 values are multiplied to 3: 2 complex products.
    assert flops(values, "standard") == 2 * 6


def test_two_of_four() -> None:
    """Kernels of CUDA, by their shapes: half of what the dense product takes."""
    aten = torch.ops.aten
    half = torch.empty(32, 64, dtype=torch.half, device="meta")  # of 32×128
    meta = torch.empty(32, 8, dtype=torch.int16, device="meta")
    second = torch.empty(128, 16, dtype=torch.half, device="meta")
    out = torch.empty(32, 16, dtype=torch.half, device="meta")
    dense = 2 * 32 * 128 * 16
    plain_cost = cost_of(aten._sparse_semi_structured_mm.default, half, meta, second, out=out)
    assert flops(plain_cost, "contractions") == dense // 2
    added = cost_of(
        aten._sparse_semi_structured_addmm.default, out[:, 0], half, meta, second, out=out, alpha=2
    )
    assert flops(added, "standard") == dense // 2 + 32 * 16
    x = torch.empty(16, 128, dtype=torch.half, device="meta")
    linear = aten._sparse_semi_structured_linear.default
    layer = cost_of(linear, x, half, meta, out=out.T, activation="relu")
    assert flops(layer, "standard") == dense // 2 + 32 * 16
    packed = torch.empty(32 * 128 * 9 // 16, dtype=torch.half, device="meta")
    library = cost_of(aten._cslt_sparse_mm.default, packed, second, out=out)
    assert flops(library, "contractions") == dense // 2
    search = cost_of(aten._cslt_sparse_mm_search.default, packed, second, out=0)
    assert flops(search, "contractions") == dense // 2
    tile = aten._sparse_semi_structured_tile.default
    assert flops(cost_of(tile, out, out=(out, out, out, out, out)), "standard") == 4 * 32 * 16


def test_fake_sparse_tensors_do_not_raise() -> None:
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(COO)
        dense = torch.empty(4, 3)
        product = fake @ dense
    cost = cost_of(torch.ops.aten.mm.default, fake, dense, out=product)
    assert flops(cost, "standard") >= 2 * NNZ * 3
