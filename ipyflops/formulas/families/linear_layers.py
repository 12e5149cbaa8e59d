"""Linear layers that arrive whole, some with an activation or a sum fused onto them.

With gradients a linear layer on a plain tensor reaches the dispatcher as `mm` or `addmm` (see
`families.products`). It arrives whole in inference mode, on nested tensors, on MPS, on
oneDNN tensors and from compiled code. N rows of `in` features become N rows of `out` features:
N·out dot products of length `in`, and the bias fills the accumulators for nothing.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, times
from ipyflops.formulas.families.activation_costs import fused
from ipyflops.formulas.families.products import product
from ipyflops.formulas.families.sparse_products import sparse_product
from ipyflops.formulas.registry import formula, mark_free, structured_formula
from ipyflops.formulas.special_tensors import component_shapes, is_sparse, last_size


def rows(tensor: Tensor) -> int:
    """How many vectors of the last dim a tensor holds; a nested one, all together.

    Examples
    --------
    >>> import torch
    >>> rows(torch.zeros(2, 3, 4)), rows(torch.zeros(4))
    (6, 1)
    """
    if tensor.is_nested:
        return sum(math.prod(shape[:-1]) for shape in component_shapes(tensor))
    return math.prod(tensor.shape[:-1])


def linear_cost(call: Call, input: Tensor, outputs: int, other: str = "0", note: str = "") -> Cost:
    """Cost of a linear layer from the last dim of `input` to `outputs` features.

    Parameters
    ----------
    call : Call
        Tells whether the arithmetic is complex.
    input : Tensor
        What the layer is applied to.
    outputs : int
        Features of the result.
    other : str
        Expression for FLOPs beside the products, in the symbols N, in and out.
    note : str
        A remark for the reader.
    """
    sizes = {"N": rows(input), "in": last_size(input), "out": outputs}
    return product(call, outputs="N·out", length="in", other=other, note=note, **sizes)


@formula("aten::linear", "aten::mkldnn_linear", dtype_from=("input", "self"))
@structured_formula("nested", "aten::linear")
def linear(call: Call) -> Cost:
    """A layer x @ Wᵀ + b: N·out dot products of length `in`."""
    input, weight = call.get("input", call.get("self")), call["weight"]
    if is_sparse(weight):
        return sparse_product(call, input, weight.t())
    return linear_cost(call, input, weight.shape[0] if weight.dim() > 1 else 1)


@formula("mkldnn::_linear_pointwise", dtype_from="X")
def linear_pointwise(call: Call) -> Cost:
    """A linear layer and, on each of its outputs, an activation or an operation with `other`."""
    each = 1 if "other" in call else fused(call["attr"], call["algorithm"])
    return linear_cost(call, call["X"], last_size(call.out), times(each, "N·out"))


@formula("mkl::_mkl_linear", dtype_from="X")
def mkl_linear(call: Call) -> Cost:
    """A linear layer with a weight that MKL has packed; the original weight tells its sizes."""
    return linear_cost(call, call["X"], call["ORI_W"].shape[0])


@formula("inductor::_mm_plus_mm")
def mm_plus_mm(call: Call) -> Cost:
    """A @ B + C @ D into the same m·n accumulators: dot products of length k + j."""
    m, k = call["a"].shape
    n, j = call["b"].shape[1], call["c"].shape[1]
    return product(call, outputs="m·n", length="(k + j)", m=m, n=n, k=k, j=j)


@formula("aten::linear_backward", "aten::mkldnn_linear_backward")
@structured_formula("nested", "aten::linear_backward")
def linear_backward(call: Call) -> Cost:
    """The gradients that the mask asks for.

    Of the input, grad @ W, and of the weight, gradᵀ @ x: N·in·out multiply-accumulates each. Of the
    bias, the sum of the N rows of grad.
    """
    input, weight, bias = call["output_mask"]
    return _backward(call, call["self"], call["weight"].shape[0], input + weight, bias)


@formula("aten::mkldnn_linear_backward_input")
def mkldnn_linear_backward_input(call: Call) -> Cost:
    """The gradient of the input alone: grad @ W."""
    return _backward(call, call["grad_output"], call["weight"].shape[1], 1, False)


@formula("aten::mkldnn_linear_backward_weights")
def mkldnn_linear_backward_weights(call: Call) -> Cost:
    """The gradients of the weight and, if there is one, of the bias."""
    return _backward(call, call["input"], call["weight"].shape[0], 1, call["bias_defined"])


def _backward(call: Call, input: Tensor, outputs: int, products: int, bias: bool) -> Cost:
    mac, add = (8, 2) if call.is_complex else (2, 1)
    n = rows(input)
    sum_of_rows = times(add, "(N − 1)·out") if bias and n else "0"
    return cost(
        {"N": n, "in": last_size(input), "out": outputs},
        contraction=times(mac * products, "N·in·out"),
        other=sum_of_rows,
    )


mark_free(
    "puts weights into the order that a library wants; computes nothing",
    "mkl::_mkl_reorder_linear_weight",
    "mkldnn::_reorder_linear_weight",
    "mkldnn::_reorder_convolution_weight",
    "mkldnn::_reorder_convolution_transpose_weight",
    "mkldnn::_reorder_mkldnn_rnn_layer_weight",
    "mkldnn_prepacked::conv2d_prepack",
)
mark_free(
    "asks how a tensor lies in memory",
    "mkldnn::_get_mkldnn_serialized_md",
    "mkldnn::_nbytes",
    "mkldnn::data_ptr",
    moves_data=False,
)
