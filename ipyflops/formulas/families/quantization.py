"""Quantizing and dequantizing, for real or simulated in floating point (`fake_quantize`).

Written out, as PyTorch's own reference (`torch.ao.quantization.fx._decomposed`) does it:

==========  ==========================================================  ==========
quantize    clamp(round(x · 1/scale) + zero_point, lowest, highest)     5
dequantize  (q − zero_point) · scale                                    2
==========  ==========================================================  ==========

All of it is floating point: a product (or a quotient), a rounding, a sum and two comparisons; a
difference and a product.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, first_output, tensors
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.registry import RESULT, formula, mark_free
from ipyflops.formulas.special_tensors import has_values

QUANTIZE, DEQUANTIZE = 5, 2
#: Quantized, dequantized, and compared with both bounds.
_FAKE_QUANTIZE = QUANTIZE + DEQUANTIZE + 2
#: Of a scale and a zero point from a range: the range is made to hold 0 (2), (highest − lowest)
#: over the number of steps (2), lowest/scale rounded and subtracted (3), clamped (2).
_PARAMETERS = 9


@formula(
    "aten::quantize_per_tensor",
    "aten::quantize_per_channel",
    "quantized_decomposed::quantize_per_tensor",
    "quantized_decomposed::quantize_per_channel",
    "quantized_decomposed::quantize_per_channel_group",
    "quantized_decomposed::quantize_per_token",
    mixed=True,
    dtype_from=("self", "input", "tensors"),
)
def quantize(call: Call) -> Cost:
    """Every element is divided by the scale, rounded, shifted and clamped: 5."""
    n = sum(tensor.numel() for tensor in call.outputs())
    return Cost.of(other=f"{QUANTIZE}·n", n=n)


@formula(
    "aten::dequantize",
    "quantized_decomposed::dequantize_per_tensor",
    "quantized_decomposed::dequantize_per_channel",
    "quantized_decomposed::dequantize_per_channel_group",
    "quantized_decomposed::dequantize_per_token",
    mixed=True,
    dtype_from=RESULT,
)
def dequantize(call: Call) -> Cost:
    """Every element is shifted and scaled: 2. A tensor of plain numbers is left as it is."""
    inputs = list(tensors(call.args[0]))
    if call.operator == "aten::dequantize" and not inputs[0].is_quantized:
        return ZERO_COST
    return Cost.of(other=f"{DEQUANTIZE}·n", n=sum(tensor.numel() for tensor in inputs))


@formula("aten::quantize_per_tensor_dynamic", mixed=True, dtype_from="self")
def quantize_dynamic(call: Call) -> Cost:
    """The lowest and highest element, a scale and a zero point from them, and quantized: 5."""
    n = call["self"].numel()
    return Cost.of(other=f"2·(n − 1) + {_PARAMETERS} + {QUANTIZE}·n" if n else "0", n=n)


@formula(
    "quantized_decomposed::choose_qparams",
    "quantized_decomposed::choose_qparams_symmetric",
    "quantized_decomposed::choose_qparams_per_token",
    "quantized_decomposed::choose_qparams_per_token_asymmetric",
    "quantized_decomposed::_choose_qparams_per_token_asymmetric_impl",
    mixed=True,
    dtype_from="input",
)
def choose_parameters(call: Call) -> Cost:
    """The lowest and highest of the n elements, for each of c scales, and the scale from them.

    (Per token and symmetric it is the largest absolute value, as many operations.)
    """
    n, c = call.args[0].numel(), first_output(call).numel()
    return Cost.of(other=f"2·n + {_PARAMETERS - 2}·c", n=n, c=c)


@formula(
    "aten::fake_quantize_per_tensor_affine_cachemask",
    "aten::fake_quantize_per_channel_affine_cachemask",
    "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "aten::_fake_quantize_learnable_per_tensor_affine",
    "aten::_fake_quantize_learnable_per_channel_affine",
    "quantized_decomposed::fake_quant_per_channel",
    dtype_from=("self", "input"),
)
def fake_quantize(call: Call) -> Cost:
    """Quantized (5), dequantized (2), and compared with both bounds for the mask (2)."""
    return Cost.of(other=f"{_FAKE_QUANTIZE}·n", n=call.args[0].numel())


@formula(
    "aten::_fake_quantize_learnable_per_tensor_affine_backward",
    "aten::_fake_quantize_learnable_per_channel_affine_backward",
    dtype_from="self",
)
def fake_quantize_backward(call: Call) -> Cost:
    """Gradients of the input, of c scales and of c zero points.

    For each element: quantized (5) and dequantized (2) again, whether it was clamped (1) and the
    gradient that is let through (1), which bound it passed (2), and its part in the gradient of the
    scale, (x_fq − x)·1/scale·g·grad_factor (4); inside the bounds it has none in that of the zero
    point. Then both parts are added up over the n elements of c channels.
    """
    n, c = call["self"].numel(), call["scale"].numel()
    return Cost.of(other="15·n + 2·(n − c)" if n else "0", n=n, c=c)


@formula(
    "aten::_fused_moving_avg_obs_fq_helper",
    "aten::_fused_moving_avg_obs_fq_helper_functional",
    by_value=True,
    dtype_from="self",
)
def observe_and_fake_quantize(call: Call) -> Cost:
    """An observer, if it is on, and then a fake quantization, if that is on.

    Observing n elements for c ranges: the lowest and highest, 2·(n − c); their moving averages, a
    difference, a product and a sum each, 6·c; a scale and a zero point, 9·c. Without values (meta
    and fake tensors) both are on.
    """
    n = call["self"].numel()
    c = call["scale"].numel()
    observed = f"2·(n − c) + {6 + _PARAMETERS}·c" if _is_on(call["observer_on"]) and n else "0"
    faked = f"{_FAKE_QUANTIZE}·n" if _is_on(call["fake_quant_on"]) else "0"
    return cost({"n": n, "c": c}, other=total(observed, faked))


def _is_on(switch: Tensor) -> bool:
    return not has_values(switch) or bool(switch.ne(0).any())


mark_free(
    "gives whole numbers a scale and a zero point",
    "aten::_make_per_tensor_quantized_tensor",
    "aten::_make_per_channel_quantized_tensor",
)
mark_free("copies the whole numbers of a quantized tensor", "aten::int_repr")
mark_free(
    "asks for a property of a quantized tensor",
    "aten::q_scale",
    "aten::q_zero_point",
    "aten::q_per_channel_scales",
    "aten::q_per_channel_zero_points",
    "aten::q_per_channel_axis",
    "aten::qscheme",
    moves_data=False,
)
mark_free(
    "makes room for a quantized tensor",
    "aten::_empty_affine_quantized",
    "aten::_empty_per_channel_affine_quantized",
    "aten::empty_quantized",
    moves_data=False,
)
mark_free(
    "copies numbers into another type",
    "quantized_decomposed::convert_element_type",
    "quantization::_Bfloat16QuantizedToFloat",
    "quantization::_FloatToBfloat16Quantized",
)
