"""Linear systems: what is solved with a triangular matrix, with factors, or in one go.

Leading terms, as in `families.linear_algebra`. A triangular solve is n² FLOPs for each
right-hand side: row i takes i products, i sums and a division.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.families.linear_algebra import leading, lu_term, matrices
from ipyflops.formulas.registry import formula


def _columns(solution: Tensor, n: int) -> int:
    """Right-hand sides of all systems of size n: vectors, columns or rows."""
    return solution.numel() // n if n else 0


def _substitutions(call: Call, each: str, n: int, note: str) -> Cost:
    """Cost of substitutions with matrices of size n, in the symbols n and r (right-hand sides)."""
    return leading(call, each, note=note, n=n, r=_columns(first_output(call), n))


@formula("aten::triangular_solve", "aten::linalg_solve_triangular")
def triangular_solve(call: Call) -> Cost:
    """One substitution, forward or backward: n² for each right-hand side (xTRTRS)."""
    # The matrix is the second argument of the one operator, and the first of the other.
    a: Tensor = call["A"] if "A" in call else call["self"]
    note = "substitution, LAPACK Working Note 41 xTRTRS"
    return _substitutions(call, "n²·r", a.shape[-1], note)


@formula("aten::linalg_lu_solve", "aten::linalg_ldl_solve")
def factored_solve(call: Call) -> Cost:
    """Forward and backward substitution with the factors: 2·n² for each right-hand side."""
    factors: Tensor = call.args[0]
    return _substitutions(call, "2·n²·r", factors.shape[-1], "two substitutions, xGETRS")


@formula("aten::cholesky_solve", "aten::_cholesky_solve_helper")
def cholesky_solve(call: Call) -> Cost:
    """Substitution with L and with Lᵀ: 2·n² for each right-hand side."""
    factor: Tensor = call.args[1]
    return _substitutions(call, "2·n²·r", factor.shape[-1], "two substitutions, xPOTRS")


@formula("aten::_linalg_solve_ex", "aten::linalg_solve_ex", "aten::linalg_solve")
def solve(call: Call) -> Cost:
    """LU of every matrix, and two substitutions for each right-hand side (xGESV).

    A matrix that serves several right-hand sides by broadcasting is factored once.
    """
    a: Tensor = call["A"]
    n, b = a.shape[-1], matrices(a)
    solution = first_output(call)
    note = "LU and two substitutions, xGETRF and xGETRS"
    factorization = leading(call, lu_term(n, n), b=b, note=note, n=n)
    substitution = leading(call, "2·n²·r", note=note, n=n, r=1)
    return Cost.of(
        other=f"{factorization.other.expression} + {substitution.other.expression}",
        note=factorization.note,
        n=n,
        r=_columns(solution, n),
        b=b,
    )


@formula("aten::linalg_lstsq")
def lstsq(call: Call) -> Cost:
    """Least squares; m is the longer side of the matrix, n the shorter, r the right-hand sides.

    - gels and gelsy: Householder QR 2·m·n² − 2·n³/3, Qᵀ·b (4·m·n − 2·n²)·r, substitution n²·r.
      With column pivoting (gelsy) it is the same at full rank. Of a wide matrix it is the LQ, and
      the order is turned round.
    - gelsd and gelss: the SVD with V, 4·m·n² + 8·n³ (Golub & Van Loan 5.5), and the products with
      the right-hand sides: 4·m·n·r for Uᵀ·b and 2·n²·r for V.
    """
    a: Tensor = call["self"]
    n, m = sorted(a.shape[-2:])
    solution = first_output(call)
    rows = a.shape[-1]
    # One right-hand side for each matrix may come without a dim for the columns.
    b = math.prod(solution.shape[: -2 if solution.ndim >= a.ndim else -1])
    r = solution.numel() // (rows * b) if rows * b else 0
    if call["driver"] in ("gelsd", "gelss"):
        each = "4·m·n² + 8·n³ + (4·m·n + 2·n²)·r"
        note = "SVD, Golub & Van Loan 5.5"
    else:
        each = "2·m·n² − 2·n³/3 + (4·m·n − n²)·r"
        note = "Householder QR at full rank, xGEQRF, xORMQR and xTRTRS"
    return leading(call, each, b=b, note=f"{note}; m is the longer side", m=m, n=n, r=r)
