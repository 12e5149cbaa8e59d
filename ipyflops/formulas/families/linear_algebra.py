"""Factorizations and what is computed from them: LU, Cholesky, QR, eigenvalues, singular values.

The counts are the leading terms of the published ones; terms of lower order in the size (pivoting,
divisions by the pivots, signs) are left out. Sources:

- LAPACK Working Note 41 (Blackford, Dongarra: "Installation Guide for LAPACK"), appendix C: counts
  of xGETRF, xGETRI, xPOTRF, xPOTRI, xSYTRF, xGEQRF, xORGQR, xORMQR, xTRTRS;
- Golub, Van Loan, "Matrix Computations", 4th edition: the iterative ones, for which a usual number
  of iterations is assumed (sections 7.5.6, 8.3.5, 8.6.4).

Half of these operations are multiplications and half are additions. A complex multiplication is 6
real operations and a complex addition 2, so a complex factorization costs 4 times a real one.

Most of their work is done by matrix products inside the library, but the operators are not matrix
products: under ``contractions`` they cost nothing, as in `torch.utils.flop_counter`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.registry import formula, mark_free
from ipyflops.formulas.special_tensors import has_values


def leading(call: Call, each: str, *, b: int = 1, note: str = "", **symbols: Any) -> Cost:
    """Cost of the same computation on `b` matrices.

    Parameters
    ----------
    call : Call
        Tells whether the arithmetic is complex.
    each : str
        The leading term for one real matrix. It is rounded for each of them, so that a batch costs
        what its matrices cost one by one.
    b : int
        How many matrices there are.
    note : str
        The source, for the reader.
    **symbols : int
        Values of the symbols.
    """
    prefix = "4·" * call.is_complex
    if b != 1:
        prefix += "b·"
        symbols["b"] = b
    if prefix and "/" in each:
        each = f"round({each})"
    elif prefix and (" + " in each or " − " in each):
        each = f"({each})"
    return Cost.of(other=prefix + each, note=f"leading term: {note}", **symbols)


def matrices(tensor: Tensor) -> int:
    """The number of matrices in a batch of them."""
    return math.prod(tensor.shape[:-2])


def lu_term(m: int, n: int) -> str:
    """LU of one m×n matrix, xGETRF: step j updates (m − j)·(n − j) elements at 2 FLOPs.

    Examples
    --------
    >>> lu_term(5, 5), lu_term(7, 5)
    ('2·n³/3', 'm·n² − n³/3')
    """
    if m == n:
        return "2·n³/3"
    return "m·n² − n³/3" if m > n else "n·m² − m³/3"


def qr_term(m: int, n: int) -> str:
    """R of one m×n matrix, xGEQRF: reflector j is applied at 4·(m − j)·(n − j) FLOPs.

    Examples
    --------
    >>> qr_term(5, 5), qr_term(7, 5)
    ('4·n³/3', '2·m·n² − 2·n³/3')
    """
    if m == n:
        return "4·n³/3"
    return "2·m·n² − 2·n³/3" if m > n else "2·n·m² − 2·m³/3"


@formula("aten::linalg_lu", "aten::linalg_lu_factor_ex", "aten::linalg_lu_factor")
def lu(call: Call) -> Cost:
    """LU with partial pivoting; the comparisons of the pivot search are of lower order."""
    a: Tensor = call["A"]
    m, n = a.shape[-2:]
    note = "LU, LAPACK Working Note 41 xGETRF"
    return leading(call, lu_term(m, n), b=matrices(a), note=note, m=m, n=n)


@formula("aten::_linalg_det", "aten::_linalg_slogdet")
def determinant(call: Call) -> Cost:
    """LU; the product (or the sum of the logarithms) of the n pivots is of lower order."""
    a: Tensor = call["A"]
    n = a.shape[-1]
    return leading(call, lu_term(n, n), b=matrices(a), note="LU of the matrix, xGETRF", n=n)


@formula("aten::linalg_inv_ex", "aten::linalg_inv")
def inverse(call: Call) -> Cost:
    """LU 2·n³/3, then the inverse from the factors 4·n³/3 (xGETRI): 2·n³."""
    a: Tensor = call["A"]
    note = "LU 2·n³/3 and inverse of the factors 4·n³/3, xGETRF and xGETRI"
    return leading(call, "2·n³", b=matrices(a), note=note, n=a.shape[-1])


@formula("aten::linalg_cholesky_ex", "aten::linalg_cholesky", "aten::cholesky")
def cholesky(call: Call) -> Cost:
    """Cholesky, xPOTRF: half of what LU does, for symmetry."""
    a: Tensor = call["self"]
    return leading(call, "n³/3", b=matrices(a), note="Cholesky, xPOTRF", n=a.shape[-1])


@formula("aten::cholesky_inverse")
def cholesky_inverse(call: Call) -> Cost:
    """From the factor L: its inverse n³/3, and the product of L⁻ᵀ and L⁻¹ n³/3 (xPOTRI)."""
    a: Tensor = call["self"]
    note = "inverse from the Cholesky factor, xPOTRI"
    return leading(call, "2·n³/3", b=matrices(a), note=note, n=a.shape[-1])


@formula("aten::linalg_ldl_factor_ex", "aten::linalg_ldl_factor")
def ldl(call: Call) -> Cost:
    """L·D·Lᵀ with Bunch-Kaufman pivoting, xSYTRF: the count of Cholesky."""
    a: Tensor = call["self"]
    return leading(call, "n³/3", b=matrices(a), note="LDLᵀ, xSYTRF", n=a.shape[-1])


@formula("aten::linalg_qr")
def qr(call: Call) -> Cost:
    """R by Householder reflections (xGEQRF), then the columns of Q that the mode asks for (xORGQR).

    =========  ====================================================================
    mode       for m ≥ n (for m < n, R is 2·n·m² − 2·m³/3 and Q is 4·m³/3)
    =========  ====================================================================
    r          2·m·n² − 2·n³/3
    reduced    the same again for the n columns of Q: 4·m·n² − 4·n³/3
    complete   R, and 4·m²·n − 4·m·n² + 4·n³/3 for the m columns of Q
    =========  ====================================================================
    """
    a: Tensor = call["A"]
    m, n = a.shape[-2:]
    mode: str = call["mode"]
    note = f"Householder QR, mode {mode}, " + ("xGEQRF" if mode == "r" else "xGEQRF and xORGQR")
    if mode == "r":
        each = qr_term(m, n)
    elif m == n:
        each = "8·n³/3"
    elif m < n:
        each = f"{qr_term(m, n)} + 4·m³/3"
    elif mode == "reduced":
        each = "4·m·n² − 4·n³/3"
    else:
        each = f"{qr_term(m, n)} + 4·m²·n − 4·m·n² + 4·n³/3"
    return leading(call, each, b=matrices(a), note=note, m=m, n=n)


@formula("aten::geqrf")
def geqrf(call: Call) -> Cost:
    """R and the Householder reflectors, see `qr_term`."""
    a: Tensor = call["self"]
    m, n = a.shape[-2:]
    note = "Householder QR, xGEQRF"
    return leading(call, qr_term(m, n), b=matrices(a), note=note, m=m, n=n)


@formula("aten::linalg_householder_product", "aten::orgqr")
def householder_product(call: Call) -> Cost:
    """The first n columns of the product of k reflectors of length m (xORGQR).

    Applied from the last to the first, reflector j touches (m − j)·(n − j) elements at 4 FLOPs.
    """
    a: Tensor = first_output(call)
    m, n = a.shape[-2:]
    k = call.args[1].shape[-1]
    each = "2·m·k² − 2·k³/3" if n == k else "4·m·n·k − 2·(m + n)·k² + 4·k³/3"
    return leading(call, each, b=matrices(a), note="Q of a QR, xORGQR", m=m, n=n, k=k)


@formula("aten::ormqr")
def ormqr(call: Call) -> Cost:
    """Q, as k reflectors, times an m×n matrix or the other way round (xORMQR).

    From the left, reflector j touches m − j elements of each of the n columns at 4 FLOPs; from the
    right it is the rows.
    """
    c: Tensor = call["input3"]
    m, n = c.shape[-2:]
    k = call["input2"].shape[-1]
    each = "4·m·n·k − 2·n·k²" if call["left"] else "4·m·n·k − 2·m·k²"
    note = "Q of a QR times a matrix, xORMQR"
    return leading(call, each, b=matrices(c), note=note, m=m, n=n, k=k)


@formula("aten::_linalg_eigh")
def eigh(call: Call) -> Cost:
    """Symmetric QR algorithm: 4·n³/3 for the tridiagonal form, about 9·n³ with the vectors."""
    a: Tensor = call["A"]
    each = "9·n³" if call["compute_v"] else "4·n³/3"
    note = "symmetric QR algorithm, Golub & Van Loan 8.3"
    return leading(call, each, b=matrices(a), note=note, n=a.shape[-1])


def _schur(call: Call, each: str) -> Cost:
    a: Tensor = call["self"]
    # A complex matrix of the results of a real one does not make the arithmetic complex.
    real_call = Call(call.func, call.args, call.kwargs, None)
    note = "QR algorithm on the Hessenberg form, Golub & Van Loan 7.5"
    return leading(real_call, each, b=matrices(a), note=note, n=a.shape[-1])


@formula("aten::linalg_eig")
def eig(call: Call) -> Cost:
    """Hessenberg QR algorithm with the Schur form and its vectors: about 25·n³."""
    return _schur(call, "25·n³")


@formula("aten::_linalg_eigvals", "aten::linalg_eigvals")
def eigvals(call: Call) -> Cost:
    """Hessenberg QR algorithm, values only: about 10·n³."""
    return _schur(call, "10·n³")


def svd_term(*, vectors: bool, full: bool = False) -> str:
    """Golub-Reinsch SVD of an m×n matrix, m ≥ n: the table of Golub & Van Loan 8.6.

    The leading terms: bidiagonal form 4·m·n² − 4·n³/3, then the vectors that are asked for.
    """
    if not vectors:
        return "4·m·n² − 4·n³/3"
    return "4·m²·n + 8·m·n² + 9·n³" if full else "14·m·n² + 8·n³"


@formula("aten::_linalg_svd", "prims::svd")
def svd(call: Call) -> Cost:
    """Golub-Reinsch SVD, see `svd_term`; m is the longer side (a wide matrix is transposed)."""
    a: Tensor = call["A"]
    n, m = sorted(a.shape[-2:])
    vectors, full = bool(call.get("compute_uv", True)), bool(call["full_matrices"])
    note = "Golub-Reinsch SVD, Golub & Van Loan 8.6; m is the longer side"
    each = svd_term(vectors=vectors, full=full and m != n)
    return leading(call, each, b=matrices(a), note=note, m=m, n=n)


@formula("aten::linalg_pinv")
def pinv(call: Call) -> Cost:
    """V·Σ⁺·Uᴴ: a reduced SVD (of a Hermitian matrix: its eigenvectors), and one matrix product.

    The scaling of V by the n inverse singular values is of lower order.
    """
    a: Tensor = call["self"]
    b = matrices(a)
    n, m = sorted(a.shape[-2:])
    hermitian = bool(call.get("hermitian", False))
    each = "9·n³" if hermitian else svd_term(vectors=True)
    note = f"{'eigenvectors' if hermitian else 'reduced SVD'}, Golub & Van Loan; then a product"
    return _and_products(call, each, "m·n²", note=note, b=b, m=m, n=n)


@formula("aten::linalg_polar")
def polar(call: Call) -> Cost:
    """U·Vᴴ and V·Σ·Vᴴ: a reduced SVD, and two matrix products.

    The scaling of V, and the mean of the second with its transpose, are of lower order.
    """
    a: Tensor = call["A"]
    m, n = a.shape[-2:]
    note = "reduced SVD, Golub & Van Loan; then two products"
    each = svd_term(vectors=True)
    return _and_products(call, each, "(m·n² + n³)", note=note, b=matrices(a), m=m, n=n)


@formula("aten::linalg_matrix_sqrth")
def matrix_sqrth(call: Call) -> Cost:
    """V·√Λ·Vᴴ: the eigenvectors, and one matrix product.

    The scaling of V, and the mean of the product with its transpose, are of lower order.
    """
    a: Tensor = call["self"]
    note = "eigenvectors, Golub & Van Loan; then a product"
    return _and_products(call, "9·n³", "n³", note=note, b=matrices(a), n=a.shape[-1])


def _and_products(call: Call, each: str, products: str, *, note: str, b: int, **sizes: int) -> Cost:
    """A factorization, and products of its factors: the multiply-adds of both, for each matrix."""
    factorization = leading(call, each, b=b, note=note, **sizes)
    symbols: dict[str, Any] = {**sizes, "b": b}
    return Cost.of(
        contraction=("8" if call.is_complex else "2") + f"·b·{products}",
        other=factorization.other.expression,
        note=factorization.note,
        **symbols,
    )


#: The largest norms for which the Taylor polynomials of degree 1, 2, 4, 8, 12, 18 are exact to
#: machine precision; they take 0 … 5 matrix products. Bader, Blanes, Casas, "Computing the matrix
#: exponential with an optimized Taylor polynomial approximation" (2019), as PyTorch uses them.
_TAYLOR_SINGLE = (1.192e-7, 5.979e-4, 5.117e-2, 5.801e-1, 1.4617, 3.0101)
_TAYLOR_DOUBLE = (2.220e-16, 2.581e-8, 3.397e-4, 4.991e-2, 2.996e-1, 1.0909)


def _exponential_products(a: Tensor) -> int:
    """The matrix products for the exponentials of a batch: polynomials, then squarings."""
    if not has_values(a):
        return 5 * matrices(a)
    single = a.dtype in (torch.float32, torch.complex64)
    bounds = _TAYLOR_SINGLE if single else _TAYLOR_DOUBLE
    products = 0
    norms = a.detach().abs().sum(-2).amax(-1).flatten().tolist()
    for norm in norms:
        degrees_passed = sum(norm > bound for bound in bounds[:-1])
        products += degrees_passed
        if norm > bounds[-1] and math.isfinite(norm):
            products += math.ceil(math.log2(norm / bounds[-1]))
    return products


@formula("aten::linalg_matrix_exp", by_value=True)
def matrix_exp(call: Call) -> Cost:
    """A Taylor polynomial of degree 1, 2, 4, 8, 12 or 18 in 0 … 5 products, squared s times.

    The norm decides the degree, and s. Without values (meta and fake tensors) it is degree 18 and
    no squaring. For a 1×1 matrix it is one exponential.
    """
    a: Tensor = call["self"]
    n = a.shape[-1]
    if n <= 1 or a.numel() == 0:
        return Cost.of(other="5·n" if call.is_complex else "n", n=a.numel())
    return Cost.of(
        contraction=("8" if call.is_complex else "2") + "·p·n³",
        note="p matrix products: Taylor polynomials and squarings; scalings and sums left out",
        p=_exponential_products(a),
        n=n,
    )


@formula("aten::_compute_linear_combination")
def linear_combination(call: Call) -> Cost:
    """Every output is the sum of c inputs times coefficients, added up from zero."""
    coefficients: Tensor = call["coefficients"]
    each = "8·n·c" if call.is_complex else "2·n·c"
    return Cost.of(other=each, n=first_output(call).numel(), c=coefficients.shape[-1])


@formula("aten::linalg_cross", "aten::cross")
def cross(call: Call) -> Cost:
    """Each of the 3 components is a difference of 2 products."""
    return Cost.of(other="14·n" if call.is_complex else "3·n", n=first_output(call).numel())


mark_free("takes the triangles and the permutation apart", "aten::lu_unpack")
mark_free("looks whether the factorization failed", "aten::_linalg_check_errors", moves_data=False)
