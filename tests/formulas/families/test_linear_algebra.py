"""Linear algebra against textbook loops, published tables, and what the kernels call themselves."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.profiler import profile

from tests.formulas.counted import Number, dot, f, numbers, plain, tally
from tests.formulas.dispatch import costs, total

M = list[list[Number]]


def columns_of(a: M) -> M:
    return [list(column) for column in zip(*a, strict=True)]


def lu_loop(a: M) -> None:
    """Gaussian elimination in place, without pivoting."""
    m, n = len(a), len(a[0])
    for j in range(min(m, n)):
        for i in range(j + 1, m):
            a[i][j] = a[i][j] / a[j][j]
            for k in range(j + 1, n):
                a[i][k] = a[i][k] - a[i][j] * a[j][k]


def cholesky_loop(a: M) -> M:
    n = len(a)
    factor = [[Number(0.0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = a[i][j]
            for k in range(j):
                rest = rest - factor[i][k] * factor[j][k]
            factor[i][j] = f.sqrt(rest) if i == j else rest / factor[j][j]
    return factor


def substitution_loop(lower: M, b: M) -> M:
    """Solve lower · x = b for every column of b."""
    x: M = [[] for _ in lower]
    for column in range(len(b[0])):
        for i in range(len(lower)):
            rest = b[i][column]
            for k in range(i):
                rest = rest - lower[i][k] * x[k][column]
            x[i].append(rest / lower[i][i])
    return x


def reflect(v: list[Number], tau: Number, columns: M, start: int) -> None:
    """Apply 1 − tau·v·vᵀ to the rows from `start` of every column."""
    for column in columns:
        scale = tau * dot(v, column[start:])
        for i, component in enumerate(v):
            column[start + i] = column[start + i] - scale * component


def reflector(column: list[Number]) -> tuple[list[Number], Number]:
    """The Householder vector of a column, and 2/vᵀv."""
    norm = f.sqrt(dot(column, column))
    v = [column[0] + norm if column[0].value > 0 else column[0] - norm, *column[1:]]
    return v, 2 / dot(v, v)


def qr_loop(a: M) -> tuple[list[tuple[list[Number], Number]], M]:
    """The reflectors, and R by columns."""
    columns = columns_of(a)
    reflectors = []
    for j in range(min(len(a), len(columns))):
        v, tau = reflector(columns[j][j:])
        reflectors.append((v, tau))
        reflect(v, tau, columns[j:], j)
    return reflectors, columns


def close_to(count: int, leading: int, terms: int, size: int) -> None:
    """A loop and a leading term differ by less than `terms` times the square of the size."""
    assert abs(count - leading) <= terms * size**2


@pytest.mark.parametrize(("m", "n"), [(16, 16), (24, 10), (10, 24)])
def test_lu_is_what_gaussian_elimination_takes(m: int, n: int) -> None:
    a = torch.randn(m, n, dtype=torch.float64) + 20 * torch.eye(m, n, dtype=torch.float64)
    rows = numbers(a)
    with tally() as count:
        lu_loop(rows)
    lower = torch.tensor(plain(rows), dtype=torch.float64).tril(-1)[:, : min(m, n)]
    upper = torch.tensor(plain(rows), dtype=torch.float64).triu()[: min(m, n)]
    torch.testing.assert_close((lower + torch.eye(m, min(m, n))) @ upper, a)
    for operation in (
        lambda: torch.linalg.lu_factor(a),
        lambda: torch.linalg.lu(a),
        lambda: torch.linalg.lu_factor_ex(a),
    ):
        close_to(count.flops, total(operation), 1, max(m, n))


def test_determinants_are_lu() -> None:
    a = torch.randn(3, 12, 12, dtype=torch.float64)
    factorization = total(lambda: torch.linalg.lu_factor(a))
    with tally() as count:
        lu_loop(numbers(a[0]))
    close_to(3 * count.flops, factorization, 3, 12)
    assert [name for name, _ in costs(lambda: torch.linalg.det(a))] == ["aten::_linalg_det"]
    assert total(lambda: torch.linalg.det(a)) == factorization
    assert total(lambda: torch.linalg.slogdet(a)) == factorization


@pytest.mark.filterwarnings("ignore:torch.cholesky is deprecated")
def test_cholesky_and_what_is_solved_with_it() -> None:
    n = 15
    root = torch.randn(n, n, dtype=torch.float64)
    a = root @ root.T + n * torch.eye(n, dtype=torch.float64)
    b = torch.randn(n, 4, dtype=torch.float64)
    rows, right = numbers(a), numbers(b)
    with tally() as count:
        factor = cholesky_loop(rows)
    torch.testing.assert_close(
        torch.tensor(plain(factor), dtype=torch.float64), torch.linalg.cholesky(a)
    )
    close_to(count.flops, total(lambda: torch.linalg.cholesky(a)), 1, n)
    if hasattr(torch.ops.aten, "cholesky"):  # PyTorch 2.15 has it no more
        close_to(count.flops, total(lambda: torch.cholesky(a)), 1, n)
    # L·D·Lᵀ is the same loop with a division where Cholesky takes a root.
    close_to(count.flops, total(lambda: torch.linalg.ldl_factor(a)), 1, n)

    with tally() as count:
        y = substitution_loop(factor, right)
        # Lᵀ·x = y is a lower triangular system when it is read from the last row up.
        upper = [row[::-1] for row in columns_of(factor)[::-1]]
        x = substitution_loop(upper, y[::-1])[::-1]
    torch.testing.assert_close(
        torch.tensor(plain(x), dtype=torch.float64), torch.linalg.solve(a, b)
    )
    factor_ = torch.linalg.cholesky(a)
    assert total(lambda: torch.cholesky_solve(b, factor_)) == count.flops
    ld, pivots = torch.linalg.ldl_factor(a)
    close_to(count.flops, total(lambda: torch.linalg.ldl_solve(ld, pivots, b)), 1, n)


@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated")
def test_a_triangular_solve_is_exactly_the_substitution() -> None:
    lower = torch.randn(9, 9, dtype=torch.float64).tril() + 5 * torch.eye(9)
    b = torch.randn(9, 4, dtype=torch.float64)
    matrix, right = numbers(lower), numbers(b)
    with tally() as count:
        x = substitution_loop(matrix, right)
    torch.testing.assert_close(
        torch.tensor(plain(x), dtype=torch.float64), torch.linalg.solve(lower, b)
    )
    solve = torch.linalg.solve_triangular
    assert total(lambda: solve(lower, b, upper=False)) == count.flops
    assert total(lambda: solve(lower.T, b.T, upper=True, left=False)) == count.flops
    assert total(lambda: torch.triangular_solve(b, lower, upper=False)) == count.flops


@pytest.mark.parametrize(("m", "n"), [(14, 14), (20, 9), (9, 20)])
def test_qr_is_what_householder_reflections_take(m: int, n: int) -> None:
    a = torch.randn(m, n, dtype=torch.float64)
    k = min(m, n)
    rows = numbers(a)
    with tally() as r_only:
        reflectors, columns = qr_loop(rows)
    upper = torch.tensor(plain(columns), dtype=torch.float64).T.triu()[:k]
    torch.testing.assert_close(upper.T @ upper, a.T @ a)
    for operation in (lambda: torch.geqrf(a), lambda: torch.linalg.qr(a, mode="r")):
        close_to(r_only.flops, total(operation), 5, max(m, n))

    for mode, width in (("reduced", k), ("complete", m)):
        # Q from the last reflector to the first: each touches the columns from its own on, as the
        # earlier ones are still those of the identity.
        q = numbers(torch.eye(m, width, dtype=torch.float64).T)
        with tally() as q_only:
            for j in range(k - 1, -1, -1):
                v, tau = reflectors[j]
                reflect(v, tau, q[j:], j)
        product = torch.tensor(plain(q), dtype=torch.float64).T[:, :k] @ upper
        torch.testing.assert_close(product, a)
        counted = r_only.flops + q_only.flops
        close_to(counted, total(lambda mode=mode: torch.linalg.qr(a, mode=mode)), 7, max(m, n))
        if mode == "reduced":
            packed, scales = torch.geqrf(a)
            close_to(q_only.flops, columns_of_q(packed[:, :k], scales), 3, max(m, n))


def columns_of_q(packed: torch.Tensor, scales: torch.Tensor) -> int:
    flops = total(lambda: torch.linalg.householder_product(packed, scales))
    assert total(lambda: torch.orgqr(packed, scales)) == flops
    return flops


@pytest.mark.parametrize("left", [True, False])
def test_ormqr_applies_the_reflectors(left: bool) -> None:
    a = torch.randn(12, 7, dtype=torch.float64)
    packed, scales = torch.geqrf(a)
    c = torch.randn(12, 10, dtype=torch.float64)
    reflectors, _ = qr_loop(numbers(a))
    columns = columns_of(numbers(c))
    with tally() as count:
        for j in range(6, -1, -1):
            v, tau = reflectors[j]
            reflect(v, tau, columns, j)
    c = c if left else c.T
    close_to(count.flops, total(lambda: torch.ormqr(packed, scales, c, left=left)), 3, 12)


def inverse_loop(a: M) -> M:
    """From the LU factors: U⁻¹, then the columns of U⁻¹·L⁻¹ from the last to the first (xGETRI)."""
    n = len(a)
    lu_loop(a)
    inverse = [[Number(0.0)] * n for _ in range(n)]
    for j in range(n):
        inverse[j][j] = 1 / a[j][j]
        for i in range(j):
            products = [inverse[i][k] * a[k][j] for k in range(i, j)]
            inverse[i][j] = -(sum(products[1:], products[0]) * inverse[j][j])
    for j in range(n - 2, -1, -1):
        for i in range(n):
            for k in range(j + 1, n):
                inverse[i][j] = inverse[i][j] - inverse[i][k] * a[k][j]
    return inverse


def test_an_inverse_is_a_factorization_and_the_inverse_of_the_factors() -> None:
    n = 16
    a = torch.randn(n, n, dtype=torch.float64) + 20 * torch.eye(n)
    rows = numbers(a)
    with tally() as count:
        inverse = inverse_loop(rows)
    torch.testing.assert_close(
        torch.tensor(plain(inverse), dtype=torch.float64), torch.linalg.inv(a)
    )
    close_to(count.flops, total(lambda: torch.linalg.inv(a)), 2, n)


def test_the_inverse_from_a_cholesky_factor_is_two_triangular_halves() -> None:
    n = 16
    a = torch.eye(n, dtype=torch.float64) + 0.01 * torch.ones(n, n, dtype=torch.float64)
    factor = cholesky_loop(numbers(a))
    with tally() as count:
        inverse = [[Number(0.0)] * n for _ in range(n)]
        for j in range(n):
            inverse[j][j] = 1 / factor[j][j]
            for i in range(j + 1, n):
                inverse[i][j] = (
                    -dot([factor[i][k] for k in range(j, i)], [inverse[k][j] for k in range(j, i)])
                    / factor[i][i]
                )
        product = [
            [
                dot([inverse[k][i] for k in range(i, n)], [inverse[k][j] for k in range(i, n)])
                for j in range(i + 1)
            ]
            for i in range(n)
        ]
    expected = torch.linalg.inv(a)
    assert plain(product[n - 1][0]) == pytest.approx(expected[n - 1, 0].item())
    root = torch.linalg.cholesky(a)
    close_to(count.flops, total(lambda: torch.cholesky_inverse(root)), 2, n)


def test_solving_is_a_factorization_and_two_substitutions() -> None:
    a = torch.randn(5, 8, 8, dtype=torch.float64)
    b = torch.randn(5, 8, 3, dtype=torch.float64)
    packed, pivots = torch.linalg.lu_factor(a)
    factorization = total(lambda: torch.linalg.lu_factor(a))
    substitutions = total(lambda: torch.linalg.lu_solve(packed, pivots, b))
    assert substitutions == 5 * 3 * 2 * 8 * 8
    assert total(lambda: torch.linalg.solve(a, b)) == factorization + substitutions
    vectors = torch.randn(5, 8, dtype=torch.float64)
    assert total(lambda: torch.linalg.solve(a, vectors)) == factorization + 5 * 2 * 8 * 8
    # One matrix, five right-hand sides: factored once.
    one = total(lambda: torch.linalg.lu_factor(a[0]))
    assert total(lambda: torch.linalg.solve(a[0], b)) == one + substitutions


@pytest.mark.parametrize(("m", "n"), [(30, 12), (12, 30)])
def test_least_squares_by_qr(m: int, n: int) -> None:
    a = torch.randn(m, n, dtype=torch.float64)
    b = torch.randn(m, 3, dtype=torch.float64)
    tall = a if m > n else a.T
    rows = numbers(tall)
    size = max(m, n)
    with tally() as count:
        reflectors, columns = qr_loop(rows)
        right = numbers(torch.randn(3, size, dtype=torch.float64))
        for j, (v, tau) in enumerate(reflectors):
            reflect(v, tau, right, j)
        lower = [row[::-1] for row in columns_of(columns)[: min(m, n)][::-1]]
        substitution_loop(lower, columns_of([column[: min(m, n)] for column in right]))
    for driver in ("gels", "gelsy"):
        counted = total(lambda driver=driver: torch.linalg.lstsq(a, b, driver=driver))
        close_to(count.flops, counted, 5, size)
    assert total(lambda: torch.linalg.lstsq(a, b)) == total(
        lambda: torch.linalg.lstsq(a, b, driver="gelsy")
    )


ops = torch.ops.aten

# Golub & Van Loan, "Matrix Computations": section 8.6.4 for the singular values (rows of the table
# "Golub-Reinsch SVD"), 8.3.5 for symmetric eigenvalues, 7.5.6 for the others, 5.5 for solving.
# (svdvals and its kind ask for the vectors, too, while a dispatch mode is on.)
PUBLISHED: dict[str, tuple[Callable[[torch.Tensor], Any], int, int, float]] = {
    "singular values": (
        lambda a: ops._linalg_svd(a, False, False),
        60,
        20,
        4 * 60 * 20**2 - 4 * 20**3 / 3,
    ),
    "singular values, wide": (
        lambda a: ops._linalg_svd(a, False, False),
        20,
        60,
        4 * 60 * 20**2 - 4 * 20**3 / 3,
    ),
    "reduced SVD": (
        lambda a: torch.linalg.svd(a, full_matrices=False),
        60,
        20,
        14 * 60 * 20**2 + 8 * 20**3,
    ),
    "full SVD": (torch.linalg.svd, 60, 20, 4 * 60**2 * 20 + 8 * 60 * 20**2 + 9 * 20**3),
    "square SVD": (torch.linalg.svd, 30, 30, 22 * 30**3),
    "symmetric values": (lambda a: ops._linalg_eigh(a, "L", False), 30, 30, 4 * 30**3 / 3),
    "symmetric vectors": (torch.linalg.eigh, 30, 30, 9 * 30**3),
    "eigenvalues": (lambda a: ops._linalg_eigvals(a), 30, 30, 10 * 30**3),
    "eigenvectors": (torch.linalg.eig, 30, 30, 25 * 30**3),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_iterative_factorizations_cost_what_is_published(name: str) -> None:
    operation, m, n, flops = PUBLISHED[name]
    a = torch.randn(m, n)
    assert total(lambda: operation(a)) == round(flops)
    # None of them is a matrix product, and a batch is so many of them.
    assert total(lambda: operation(a), "contractions") == 0
    batch = torch.randn(2, 3, m, n)
    assert total(lambda: operation(batch)) == 6 * round(flops)


def test_least_squares_by_singular_values() -> None:
    a, b = torch.randn(60, 20), torch.randn(60, 1)
    published = 4 * 60 * 20**2 + 8 * 20**3
    for driver in ("gelsd", "gelss"):
        counted = total(lambda driver=driver: torch.linalg.lstsq(a, b, driver=driver))
        close_to(counted, published, 2, 60)


SQUARE: list[Callable[[torch.Tensor], Any]] = [
    torch.linalg.lu_factor,
    torch.linalg.inv,
    torch.linalg.det,
    torch.linalg.slogdet,
    torch.linalg.cholesky,
    torch.linalg.qr,
    torch.linalg.eigh,
    torch.linalg.eigvals,
    torch.linalg.eig,
    torch.linalg.svd,
    torch.linalg.svdvals,
    torch.linalg.ldl_factor,
    torch.linalg.pinv,
    torch.linalg.matrix_exp,
    torch.cholesky_inverse,
    lambda a: torch.linalg.solve(a, a),
    lambda a: torch.linalg.solve_triangular(a, a, upper=True),
    lambda a: torch.cholesky_solve(a, a),
    lambda a: torch.linalg.lstsq(a, a),
    torch.geqrf,
]


@pytest.mark.parametrize("operation", SQUARE)
def test_batches_and_complex_matrices(operation: Callable[[torch.Tensor], Any]) -> None:
    """A batch costs its matrices one by one, rounding included; complex costs 4 times as much."""
    a = torch.eye(5, dtype=torch.float64) * 2 + 0.1
    one = total(lambda: operation(a))
    assert one > 0
    assert total(lambda: operation(a.expand(3, 2, 5, 5).contiguous())) == 6 * one
    assert total(lambda: operation(a.to(torch.complex128))) == 4 * one
    assert total(lambda: operation(torch.zeros(0, 5, 5, dtype=torch.float64))) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", [1e-9, 1e-5, 1e-3, 0.1, 0.5, 1.0, 2.9, 3.1, 50.0])
def test_matrix_exponential_counts_the_products_that_run(dtype: torch.dtype, norm: float) -> None:
    a = torch.rand(2, 4, 4, dtype=dtype)
    a = a / a.abs().sum(-2).amax(-1)[:, None, None] * norm
    with profile(acc_events=True) as log:  # without it PyTorch 2.12 warns, once
        torch.linalg.matrix_exp(a[0])
    ran = sum(event.name == "aten::bmm" for event in log.events())
    counted = total(lambda: torch.linalg.matrix_exp(a[0]), "contractions")
    assert counted == ran * 2 * 4**3
    assert total(lambda: torch.linalg.matrix_exp(a), "contractions") == 2 * counted


def test_matrix_exponential_without_values_and_of_numbers() -> None:
    assert total(lambda: torch.linalg.matrix_exp(torch.ones(3, 4, 4, device="meta"))) == (
        3 * 5 * 2 * 4**3
    )
    assert total(lambda: torch.linalg.matrix_exp(torch.ones(7, 1, 1))) == 7


def test_pseudoinverse_is_a_decomposition_and_a_product() -> None:
    a = torch.randn(2, 9, 5)
    svd = total(lambda: torch.linalg.svd(a, full_matrices=False))
    product = total(lambda: a.mT.contiguous() @ torch.randn(2, 9, 9)[:, :, :5].contiguous())
    assert total(lambda: torch.linalg.pinv(a), "contractions") == 2 * 2 * 9 * 5 * 5
    assert product == 2 * 2 * 9 * 5 * 5
    assert total(lambda: torch.linalg.pinv(a)) == svd + product
    square = torch.randn(6, 6)
    vectors = total(lambda: torch.linalg.eigh(square))
    assert total(lambda: torch.linalg.pinv(square, hermitian=True)) == vectors + 2 * 6**3


def products_inside(function: Callable[[torch.Tensor], Any], a: torch.Tensor) -> int:
    """FLOPs of the matrix products that a profile finds inside of an operator."""
    with profile(record_shapes=True, acc_events=True) as log:
        function(a)
    shapes = [event.input_shapes[:2] for event in log.events() if event.name == "aten::bmm"]
    return sum(2 * math.prod(first) * second[-1] for first, second in shapes)


@pytest.mark.skipif(not hasattr(torch.linalg, "polar"), reason="newer than PyTorch 2.13")
@pytest.mark.parametrize("shape", [(2, 9, 5), (3, 4, 4), (1, 5, 1)])
def test_polar_is_a_decomposition_and_two_products(shape: tuple[int, ...]) -> None:
    a = torch.randn(shape)
    products = products_inside(torch.linalg.polar, a)
    assert total(lambda: torch.linalg.polar(a), "contractions") == products > 0
    svd = total(lambda: torch.linalg.svd(a, full_matrices=False))
    assert total(lambda: torch.linalg.polar(a)) == svd + products


@pytest.mark.skipif(not hasattr(torch.linalg, "matrix_sqrth"), reason="newer than PyTorch 2.13")
def test_a_root_of_a_matrix_is_its_eigenvectors_and_a_product() -> None:
    a = torch.randn(2, 6, 4)
    square = a.mT @ a
    products = products_inside(torch.linalg.matrix_sqrth, square)
    assert total(lambda: torch.linalg.matrix_sqrth(square), "contractions") == products > 0
    eigenvectors = total(lambda: torch.linalg.eigh(square))
    assert total(lambda: torch.linalg.matrix_sqrth(square)) == eigenvectors + products


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_cross_products(dtype: torch.dtype) -> None:
    a, b = torch.randn(4, 3, dtype=dtype), torch.randn(4, 3, dtype=dtype)
    with tally() as count:
        product = []
        for x, y in zip(numbers(a), numbers(b), strict=True):
            pairs = [(1, 2), (2, 0), (0, 1)]
            product.append([x[i] * y[j] - x[j] * y[i] for i, j in pairs])
    torch.testing.assert_close(torch.tensor(plain(product), dtype=dtype), torch.linalg.cross(a, b))
    assert total(lambda: torch.linalg.cross(a, b)) == count.flops
    assert total(lambda: torch.cross(a[:1], b, dim=-1)) == count.flops


def test_a_linear_combination_adds_up_scaled_inputs() -> None:
    inputs, coefficients = torch.randn(4, 2, 3), torch.randn(5, 4)
    rows, factors = numbers(inputs.flatten(1)), numbers(coefficients)
    with tally() as count:
        for factor in factors:
            sums = [Number(0.0)] * 6
            for c, i in itertools.product(range(4), range(6)):
                sums[i] = sums[i] + factor[c] * rows[c][i]
    combine = torch.ops.aten._compute_linear_combination
    assert total(lambda: combine(inputs, coefficients)) == count.flops


def test_unpacking_and_checking_cost_nothing() -> None:
    packed, pivots = torch.linalg.lu_factor(torch.randn(4, 4))
    assert costs(lambda: torch.lu_unpack(packed, pivots)) == []
    assert math.prod(packed.shape) == 16


def test_complex_exponentials_and_combinations_by_hand() -> None:
    # Of a 1×1 matrix it is e^a·(cos b + i·sin b): 3 functions and 2 products.
    small = torch.randn(4, 1, 1, dtype=torch.complex64)
    assert total(lambda: torch.linalg.matrix_exp(small)) == 4 * 5
    # 2 sums of 3 matrices 4×4 times coefficients: 2·3·16 complex multiply-accumulates of 8 FLOPs.
    matrices = torch.randn(3, 4, 4, dtype=torch.complex64)
    coefficients = torch.randn(2, 3, dtype=torch.complex64)
    combine = torch.ops.aten._compute_linear_combination.default
    assert total(lambda: combine(matrices, coefficients)) == 2 * 3 * 16 * 8
