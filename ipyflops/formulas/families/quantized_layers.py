"""Linear layers and convolutions of quantized numbers, with what their kernels do on the way.

The products are multiply-accumulates of 8-bit integers into 32-bit ones: integer operations, 2 for
each. What brings the sums into the units of the result is floating point: quantized again (a
product, a rounding, a shift, two comparisons: 5), or a product with the scale where the result is
not quantized. A dynamic kernel finds the lowest and highest number of its input and quantizes it
first: 2 + 5. The terms that zero points add to the sums (a sum over each row of the input) are of
lower order and left out; the bias fills the accumulator.

Half-precision weights are multiplied in floating point, and those are FLOPs.

Packed weights do not show their size, so that a cost cannot be remembered by the shapes: these
formulas are asked at every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.activation_costs import LEAKY_RELU, RELU, TANH, fused
from ipyflops.formulas.families.quantization import DEQUANTIZE, QUANTIZE
from ipyflops.formulas.registry import formula, mark_free

_NOTE = "products of integers; scales, roundings and shifts are floating point"
#: The range of an input is found (2), and the input is quantized.
_DYNAMIC = 2 + QUANTIZE


def _products(
    sizes: Mapping[str, int], outputs: str, length: str, *, each: int, before: str = "0"
) -> Cost:
    """Cost of integer dot products, with `each` FLOPs on every result and some before."""
    return cost(
        sizes,
        integer_contraction=f"2·{outputs}·{length}",
        other=total(before, times(each, outputs)),
        note=_NOTE,
    )


def _linear_sizes(call: Call) -> dict[str, int]:
    """The sizes of a linear layer by its input and result."""
    input: Tensor = call.args[0]
    inputs = input.shape[-1]
    rows = input.numel() // inputs if inputs else 0
    return {"N": rows, "in": inputs, "out": first_output(call).shape[-1]}


_LINEAR: dict[str, tuple[int, str]] = {
    "quantized::linear": (QUANTIZE, "0"),
    "quantized::linear_relu": (RELU + QUANTIZE, "0"),
    "quantized::linear_leaky_relu": (1 + LEAKY_RELU + QUANTIZE, "0"),
    "quantized::linear_tanh": (1 + TANH + QUANTIZE, "0"),
    "_quantized::linear": (QUANTIZE, "0"),
}
#: Of plain numbers, which are quantized on the way in, alone or with the weights.
_LINEAR_OF_PLAIN: dict[str, tuple[int, str]] = {
    "quantized::linear_dynamic": (1, f"{_DYNAMIC}·N·in"),
    "quantized::linear_relu_dynamic": (1 + RELU, f"{_DYNAMIC}·N·in"),
    "quantized::linear_with_input_q_dq_qweight_dq_output_fp32": (1, f"{QUANTIZE}·N·in"),
    "quantized::linear_with_input_q_dq_qweight_dq_relu_output_fp32": (
        1 + RELU,
        f"{QUANTIZE}·N·in",
    ),
    "_quantized::linear_dynamic": (1, f"{_DYNAMIC}·N·in"),
    # Their results are dequantized again.
    "_quantized::_wrapped_quantized_linear_prepacked": (
        QUANTIZE + DEQUANTIZE,
        f"{QUANTIZE}·N·in",
    ),
    "_quantized::wrapped_quantized_linear": (
        QUANTIZE + DEQUANTIZE,
        f"{QUANTIZE}·(N·in + in·out)",
    ),
}


@formula(*_LINEAR, by_value=True, mixed=True)
@formula(*_LINEAR_OF_PLAIN, by_value=True, mixed=True, dtype_from=torch.quint8)
def quantized_linear(call: Call) -> Cost:
    """N·out dot products of integers of length `in`; see the top for what is around them."""
    each, before = (_LINEAR | _LINEAR_OF_PLAIN)[call.operator]
    return _products(_linear_sizes(call), "N·out", "in", each=each, before=before)


_SPARSE = ("sparse::qlinear", "sparse::qlinear_relu")


@formula(*_SPARSE, by_value=True, mixed=True)
@formula(
    *(f"{name}_dynamic" for name in _SPARSE), by_value=True, mixed=True, dtype_from=torch.quint8
)
def sparse_quantized_linear(call: Call) -> Cost:
    """As `quantized_linear`, with the `nnz` weights that are not zero in the place of in·out."""
    weight: Tensor = call["W_prepack"].unpack()[0]
    sizes = {**_linear_sizes(call), "nnz": int(weight.dequantize().count_nonzero())}
    dynamic, relu = "dynamic" in call.operator, RELU * ("relu" in call.operator)
    return cost(
        sizes,
        integer_contraction="2·N·nnz",
        other=total(
            f"{_DYNAMIC}·N·in" if dynamic else "0",
            times((1 if dynamic else QUANTIZE) + relu, "N·out"),
        ),
        note=_NOTE,
    )


@formula(
    "quantized::linear_dynamic_fp16",
    "quantized::linear_relu_dynamic_fp16",
    "quantized::linear_dynamic_fp16_unpacked_weight",
    "_quantized::wrapped_fbgemm_linear_fp16_weight",
    "onednn::linear_dynamic_fp16",
    "onednn::linear_relu_dynamic_fp16",
    by_value=True,
)
def half_precision_linear(call: Call) -> Cost:
    """Half-precision weights: N·out dot products of floating point numbers of length `in`."""
    relu = "N·out" if "relu" in call.operator else "0"
    return cost(_linear_sizes(call), contraction="2·N·out·in", other=relu)


@formula("quantized::matmul", mixed=True)
def quantized_matmul(call: Call) -> Cost:
    """(…, m, k) @ (…, k, n) of quantized numbers, quantized again."""
    first: Tensor = call["qa"]
    m, k = first.shape[-2:]
    sizes = {"b": first.numel() // max(m * k, 1), "m": m, "k": k, "n": call["qb"].shape[-1]}
    return _products(sizes, "b·m·n", "k", each=QUANTIZE)


def _convolution(
    weight: Tensor, input: Tensor, out: Tensor, *, each: int, transposed: bool, before: int = 0
) -> Cost:
    """A convolution: for each output (transposed: input) as many products as a filter has taps."""
    sizes = {
        "outputs": out.numel(),
        "inputs": input.numel(),
        "taps": weight.numel() // max(weight.shape[0], 1),
    }
    around = total(times(before, "inputs"), times(each, "outputs"))
    macs = "inputs·taps" if transposed else "outputs·taps"
    note = f"{_NOTE}; taps: the weights of one filter"
    return cost(sizes, integer_contraction=f"2·{macs}", other=around, note=note)


@formula(
    *(f"quantized::conv{form}{rank}d_dynamic" for rank in (1, 2, 3) for form in ("", "_transpose")),
    by_value=True,
    mixed=True,
    dtype_from=torch.quint8,
)
@formula(
    *(f"quantized::conv{rank}d{form}" for rank in (1, 2, 3) for form in ("", "_relu")),
    *(f"quantized::conv_transpose{rank}d" for rank in (1, 2, 3)),
    *(f"_quantized::conv{rank}d{form}" for rank in (2, 3) for form in ("", "_relu")),
    *(f"_quantized::conv_transpose{rank}d" for rank in (1, 2)),
    "quantized::conv2d_add",
    "quantized::conv2d_add_relu",
    by_value=True,
    mixed=True,
)
def quantized_convolution(call: Call) -> Cost:
    """A convolution of integers, quantized again (dynamic: scaled); see the top.

    With another input added it is dequantized (2) and added (1) to the scaled result (1), which is
    rectified and quantized then.
    """
    packed: Any = call.args[2 if "qaccum" in call else 1]
    operator = call.operator
    each = 1 if "dynamic" in operator else QUANTIZE
    if "qaccum" in call:
        each = 1 + DEQUANTIZE + 1 + QUANTIZE
    return _convolution(
        packed.unpack()[0],
        call.args[0],
        first_output(call),
        each=each + RELU * operator.endswith("relu"),
        transposed="transpose" in operator,
        before=_DYNAMIC if "dynamic" in operator else 0,
    )


def _epilogue(call: Call) -> int:
    """What oneDNN does to each result: scales it, adds another input, activates, quantizes."""
    out = first_output(call)
    quantized = 0 if out.is_floating_point() else QUANTIZE
    other = call.get("other", call.get("qaccum"))
    between = 0
    if call.get("binary_attr", call.get("binary_post_op", "none")) != "none":
        alpha = call.get("alpha", call.get("binary_alpha"))
        between += 1 + (alpha not in (None, 1))
        if other is not None and not other.is_floating_point():
            between += DEQUANTIZE
    name = call.get("unary_attr", call.get("unary_post_op", call.get("attr")))
    name = call.get("post_op_name", name)
    algorithm = call.get("unary_algorithm", call.get("unary_post_op_algorithm"))
    between += fused(name, call.get("algorithm", call.get("post_op_algorithm", algorithm)))
    if quantized and not between:
        return quantized  # the product is with both scales at once
    return 1 + between + quantized


@formula("onednn::qlinear_pointwise", by_value=True, mixed=True, dtype_from="qx")
def onednn_linear(call: Call) -> Cost:
    """N·out dot products of integers of length `in`, and what is fused to them."""
    return _products(_linear_sizes(call), "N·out", "in", each=_epilogue(call))


@formula(
    "onednn::qconv_pointwise",
    "onednn::qconv1d_pointwise",
    "onednn::qconv2d_pointwise",
    "onednn::qconv3d_pointwise",
    by_value=True,
    mixed=True,
    dtype_from="qx",
)
def onednn_convolution(call: Call) -> Cost:
    """A convolution of integers, and what is fused to it."""
    return _convolution(
        call["qw"], call["qx"], first_output(call), each=_epilogue(call), transposed=False
    )


mark_free(
    "packs or unpacks the weights of a layer",
    *(f"quantized::{name}_prepack" for name in ("linear", "conv")),
    *(f"quantized::conv{rank}d_prepack" for rank in (1, 2, 3)),
    *(f"quantized::conv_transpose{rank}d_prepack" for rank in (1, 2, 3)),
    *(f"_quantized::conv{rank}d_prepack" for rank in (2, 3)),
    *(f"_quantized::conv_transpose{rank}d_prepack" for rank in (1, 2, 3)),
    *(
        f"{namespace}::linear_prepack{form}"
        for namespace in ("quantized", "_quantized")
        for form in ("_fp16", "_fp16_legacy", "_legacy")
    ),
    "quantized::linear_unpack",
    "quantized::linear_unpack_fp16",
    "_quantized::linear_prepack",
    "_quantized::_wrapped_linear_prepack",
    "_quantized::wrapped_fbgemm_pack_gemm_matrix_fp16",
    "sparse::qlinear_prepack",
    "onednn::qlinear_prepack",
    "onednn::qconv_prepack",
    "onednn::linear_prepack_fp16",
    "quantized::make_quantized_cell_params",
    "quantized::make_quantized_cell_params_dynamic",
)
