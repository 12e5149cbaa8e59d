"""Sparse tensors (COO, CSR, CSC, BSR, BSC): what the stored values cost, explicit zeros included.

Products are in `families.sparse_products`. A pointwise operator costs its operations for each
stored value of the result. Here are the operators of sparse tensors alone, and those of all tensors
that do something else to sparse ones. How many values are stored does not follow from the shapes,
so that these formulas are asked at every call.

Finding and sorting indices is integer work. It is counted where an operator has to sort them
(n·log2(n) comparisons), and left out where they are only followed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost
from ipyflops.formulas.families.products import product, scalings
from ipyflops.formulas.families.sparse_products import sparse_product
from ipyflops.formulas.registry import formula, mark_free, plain_cost, structured_formula
from ipyflops.formulas.special_tensors import has_values, is_sparse, stored
from ipyflops.torch_private import stored_count, stored_indices, stored_values


@formula("aten::_sparse_addmm", "aten::sspaddmm", by_value=True)
def sparse_addmm(call: Call) -> Cost:
    """beta·C + alpha·A @ B with a sparse A: what its stored values cost, and the scalings."""
    return sparse_product(call, call["mat1"], call["mat2"], other=scalings(call, "m·n"))


@formula("aten::hspmm", by_value=True)
def sparse_product_with_sparse_rows(call: Call) -> Cost:
    """A @ B with a sparse A, of which the rows are kept that have a value."""
    return sparse_product(call, call["mat1"], call["mat2"])


@formula("aten::_sparse_sparse_matmul", by_value=True)
def product_of_sparse_matrices(call: Call) -> Cost:
    """A @ B, both sparse: every pair of stored values that meet."""
    return sparse_product(call, call["self"], call["other"])


@formula("aten::sparse_sampled_addmm", by_value=True)
def sampled_product(call: Call) -> Cost:
    """beta·C + alpha·(A @ B), where C has stored values: a dot product of length k for each."""
    other = scalings(call, "nnz")
    k = call["mat1"].shape[-1]
    return product(call, outputs="nnz", length="k", other=other, nnz=stored(call["self"]), k=k)


@formula("aten::_sparse_mm_reduce_impl", by_value=True)
def reduced_product(call: Call) -> Cost:
    """A sparse matrix times a dense one of n columns, with sums, means or extremes of the products.

    A sum is a matrix product; a mean divides each of its outputs; an extreme is no matrix product
    but as many products and comparisons.
    """
    reduce, out = call["reduce"], first_output(call)
    sizes = {"nnz": stored(call["self"]), "n": out.shape[-1], "outputs": out.numel()}
    if reduce in ("amax", "amin"):
        return cost(sizes, other="2·nnz·n")
    return cost(sizes, contraction="2·nnz·n", other="outputs" if reduce == "mean" else "0")


@formula("aten::_sparse_mm_reduce_impl_backward", by_value=True)
def reduced_product_backward(call: Call) -> Cost:
    """Gradients of the sparse matrix (a dot product for each value) and of the dense one.

    Of a mean, every stored value is divided by the number in its row first. Of an extreme each
    output has gone through one value only: a product and a sum for each gradient.
    """
    gradient: Tensor = call["grad_out"]
    wanted = sum(bool(wanted) for wanted in call["output_mask"])
    sizes = {
        "nnz": stored(call["self"]),
        "n": gradient.shape[-1],
        "outputs": gradient.numel(),
    }
    if wanted == 0:
        return ZERO_COST
    if call["reduce"] in ("amax", "amin"):
        return cost(sizes, other=f"{2 * wanted}·outputs")
    divided = "nnz" if call["reduce"] == "mean" else "0"
    return cost(sizes, contraction=f"{2 * wanted}·nnz·n", other=divided)


@formula("aten::_spsolve", by_value=True)
def sparse_solve(call: Call) -> Cost:
    """A direct solver, of which only the two substitutions are known, without fill-in.

    The factorization depends on the order that the library finds for the unknowns.
    """
    columns = call["B"].shape[1] if call["B"].dim() > 1 else 1
    each = "8·nnz·r" if call.is_complex else "2·nnz·r"
    note = "substitutions without fill-in; the factorization is not counted"
    return cost({"nnz": stored(call["A"]), "r": columns}, other=each, note=note)


@structured_formula("sparse", "aten::triangular_solve")
def triangular_solve(call: Call) -> Cost:
    """Substitution: a stored value is a product and a difference, on the diagonal a division."""
    matrix: Tensor = call["A"]
    n = matrix.shape[-1]
    solution = first_output(call)
    each = "2·(nnz − n)·r" if call["unitriangular"] else "(2·nnz − n)·r"
    nnz = max(stored(matrix), n)
    prefix = "4·" if call.is_complex else ""
    return cost({"nnz": nnz, "n": n, "r": solution.numel() // max(n, 1)}, other=prefix + each)


@structured_formula("sparse", "aten::add", "aten::sub")
def add(call: Call) -> Cost:
    """A sum where both have a value; to a dense tensor every stored value is added.

    Where only one of two sparse tensors has a value it is copied. After a sum in place nobody knows
    any more where both had one, and every value that was added counts. With an alpha each of these
    is multiplied.
    """
    first, second, out = call["self"], call["other"], first_output(call)
    values = stored(second)
    sums = values
    if is_sparse(first) and is_sparse(second) and out is not first:
        sums = max(stored(first) + values - stored(out), 0)
    scaled = call.get("alpha", 1) != 1
    pair, factor = ("2·", "6·") if call.is_complex else ("", "")
    expression = f"{pair}sums" + (f" + {factor}nnz" if scaled else "")
    note = "sums: where both have a value; nnz: the values that are added"
    return cost({"sums": sums, "nnz": values}, other=expression, note=note)


def _in_stored_values(value: Any) -> Any:
    """The same argument with dense tensors of as many elements in the place of sparse ones."""
    if isinstance(value, Tensor):
        if not is_sparse(value):
            return value
        return torch.empty(stored(value), dtype=value.dtype, device="meta")
    if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
        return type(value)(_in_stored_values(item) for item in value)
    return value


@structured_formula("sparse", "*")
def on_stored_values(call: Call) -> Cost:
    """What the operator costs on as many elements as are stored.

    For what is pointwise these are the values of the result; a reduction goes from the values of
    the argument to those that the result has.
    """
    return plain_cost(
        Call(
            call.func,
            [_in_stored_values(value) for value in call.args],
            {name: _in_stored_values(value) for name, value in call.kwargs.items()},
            _in_stored_values(call.out),
        )
    )


@structured_formula(
    "sparse",
    *(
        f"aten::{name}"
        for name in ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "matmul", "linear")
    ),
)
def product_of_stored_values(call: Call) -> Cost:
    """The plain formula of the product, which looks itself how many values are stored."""
    return plain_cost(call)


@formula("aten::_sparse_sum", "aten::_sparse_csr_sum", by_value=True)
def sparse_sum(call: Call) -> Cost:
    """The n stored values are added up to the m that the result has."""
    n, m = stored(call["self"]), stored(first_output(call))
    each = "2·(n − m)" if call.is_complex else "n − m"
    return cost({"n": max(n, m), "m": m}, other=each)


@formula("aten::_sparse_csr_prod", by_value=True)
def sparse_product_of_values(call: Call) -> Cost:
    """The n stored values are multiplied to the m that the result has."""
    n, m = stored(call["self"]), stored(first_output(call))
    each = "6·(n − m)" if call.is_complex else "n − m"
    return cost({"n": max(n, m), "m": m}, other=each)


@formula("aten::_sparse_sum_backward", by_value=True)
def sparse_sum_backward(call: Call) -> Cost:
    """Gradients are copied to the values that were added up."""
    return ZERO_COST


@formula("aten::_coalesce", by_value=True, mixed=True)
def coalesce(call: Call) -> Cost:
    """Values of the same index are added up, after the indices have been sorted."""
    tensor: Tensor = call["self"]
    before, after = stored(tensor), stored(first_output(call))
    indices = stored_count(tensor) if has_values(tensor) else 0
    sums = max(before - after, 0)
    symbols = {"sums": sums, "nnz": indices}
    sorting = "round(nnz·log2(nnz))" if indices else "0"
    if not call.is_floating:
        return cost(symbols, integer=f"sums + {sorting}")
    return cost(symbols, other="2·sums" if call.is_complex else "sums", integer=sorting)


def _rows(tensor: Tensor, dim: int) -> int:
    """How many rows along a dim have stored values."""
    values, indices = stored_values(tensor), stored_indices(tensor)
    if dim < 0:
        dim += tensor.dim()
    if dim >= tensor.sparse_dim():  # along a dense dim: as of the dense tensor of the values
        return values.numel() // max(tensor.shape[dim], 1)
    others = torch.cat((indices[:dim], indices[dim + 1 :]))
    groups = 1 if others.shape[0] == 0 else torch.unique(others, dim=1).shape[1]
    return groups * (values.numel() // max(stored_count(tensor), 1)) if values.numel() else 0


def _softmax(call: Call, tensor: Tensor, expression: str) -> Cost:
    n = stored(tensor)
    rows = _rows(tensor, call["dim"]) if has_values(tensor) else 0
    return cost({"n": n, "rows": rows}, other=expression, note="n: stored values")


@formula("aten::_sparse_softmax", by_value=True)
def sparse_softmax(call: Call) -> Cost:
    """Of the stored values of each row: an exponential, a sum (one less) and a division each."""
    return _softmax(call, first_output(call), "3·n − rows")


@formula("aten::_sparse_log_softmax", by_value=True)
def sparse_log_softmax(call: Call) -> Cost:
    """As of a dense tensor, 3 for each value: exp, a sum, a difference, and a row's logarithm."""
    return _softmax(call, first_output(call), "3·n")


@formula(
    "aten::_sparse_softmax_backward_data",
    "aten::_sparse_log_softmax_backward_data",
    by_value=True,
)
def sparse_softmax_backward(call: Call) -> Cost:
    """y·(g − Σ g·y), or g − exp(y)·Σ g: 4 for each stored value, one less in the sum of a row."""
    return _softmax(call, call["output"], "4·n − rows")


mark_free(
    "a sparse tensor is put together from its indices and values",
    "aten::sparse_coo_tensor",
    "aten::_sparse_coo_tensor_with_dims",
    "aten::_sparse_coo_tensor_with_dims_and_tensors",
    "aten::sparse_compressed_tensor",
    "aten::_sparse_compressed_tensor_with_dims",
    "aten::sparse_resize",
    "aten::sparse_resize_and_clear",
    "aten::resize_as_sparse",
    "aten::_coalesced",
    "aten::_spdiags",
    moves_data=False,
)
mark_free(
    "elements change the layout, their indices are found and moved",
    "aten::_to_dense",
    "aten::_to_sparse",
    "aten::_to_sparse_csr",
    "aten::_to_sparse_csc",
    "aten::_to_sparse_bsr",
    "aten::_to_sparse_bsc",
    "aten::_convert_indices_from_coo_to_csr",
    "aten::_convert_indices_from_csr_to_coo",
    "aten::copy_sparse_to_sparse",
    "aten::sparse_mask",
    "aten::_sparse_mask_projection",
)
mark_free(
    "asks for a property of a sparse tensor",
    "aten::dense_dim",
    "aten::sparse_dim",
    "aten::_dimI",
    "aten::_dimV",
    "aten::_nnz",
    "aten::is_coalesced",
    moves_data=False,
)
