"""Quantized numbers element by element: arithmetic, activations, norms, embeddings.

Most kernels dequantize (2), compute in floating point, and quantize again (5): they cost that, and
between the two what the plain operator costs. A few only compare whole numbers or change the scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output, tensors
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.families.activation_costs import RELU
from ipyflops.formulas.families.quantization import DEQUANTIZE, QUANTIZE
from ipyflops.formulas.registry import formula, mark_free, plain_cost, structured_formula

aten = torch.ops.aten


def between(call: Call, plain: Cost, after: int = 0) -> Cost:
    """Cost of a kernel that dequantizes, does what `plain` costs, and quantizes again.

    Parameters
    ----------
    call : Call
        Its first argument is what is dequantized.
    plain : Cost
        Of the operator on plain numbers.
    after : int
        Operations more on each element of the result.
    """
    dequantized = sum(tensor.numel() for tensor in tensors(call.args[0]))
    quantized = first_output(call).numel()
    return cost(
        {**dict(plain.symbols), "dequantized": dequantized, "quantized": quantized},
        other=total(
            plain.other.expression,
            f"{DEQUANTIZE}·dequantized",
            f"{QUANTIZE + after}·quantized",
        ),
        note="dequantized, computed, and quantized again",
    )


@structured_formula(
    "quantized",
    *(
        f"aten::{name}"
        for name in (
            *("sigmoid", "tanh", "hardsigmoid", "gelu", "leaky_relu", "elu", "mean", "std"),
            "upsample_bilinear2d",
        )
    ),
    mixed=True,
)
def in_floating_point(call: Call) -> Cost:
    """Operators of plain tensors whose kernels for quantized ones compute in floating point."""
    return between(call, plain_cost(Call(call.func, call.args, {}, call.out)))


_ADD, _MUL = ("quantized::add", "quantized::add_relu"), ("quantized::mul", "quantized::mul_relu")
_WITH_ONEDNN = ("onednn::qadd", "onednn::qadd_relu", "onednn::qmul")


@formula(
    *_ADD,
    *_MUL,
    *(f"{name}_out" for name in (*_ADD, *_MUL)),
    *_WITH_ONEDNN,
    "_quantized::add",
    mixed=True,
)
def arithmetic(call: Call) -> Cost:
    """Both are dequantized (4), added or multiplied (1), rectified if asked for, quantized (5)."""
    each = 2 * DEQUANTIZE + 1 + RELU * ("relu" in call.operator) + QUANTIZE
    return Cost.of(other=f"{each}·n", n=first_output(call).numel())


#: Those of `arithmetic`'s operators that take a number.
_OVERLOADS = ("Scalar", "Scalar2", "Scalar_out")
_NUMBER_FORMS = tuple(
    f"quantized::{name}{form}"
    for name in ("add", "mul")
    for form in (
        *("_scalar", "_scalar_relu", "_scalar_out", "_scalar_relu_out"),
        *(f"{relu}.{overload}" for relu in ("", "_relu") for overload in _OVERLOADS),
    )
)


@formula(*_NUMBER_FORMS, by_value=True, mixed=True)
def with_a_number(call: Call) -> Cost:
    """A number that is added or multiplied changes the zero point or the scale, not the elements.

    Where the zero point would leave its bounds, they are dequantized, shifted and quantized again
    (then the scale is another). A negative factor mirrors the whole numbers, one subtraction
    each. A ReLU compares them with the zero point.
    """
    quantized: Tensor = next(tensors(call.args))
    out = first_output(call)
    n = out.numel()
    rectified = "n" if "relu" in call.operator else "0"
    if "mul" in call.operator:
        number = next(value for value in call.args if value is not quantized)
        return cost({"n": n}, integer=total("n" if float(number) < 0 else "0", rectified))
    moved = out.q_scale() != quantized.q_scale()
    each = f"{DEQUANTIZE + 1 + QUANTIZE}·n" if moved else "0"
    return cost({"n": n}, other=each, integer=rectified)


_ACTIVATIONS: dict[str, Callable[[Call], tuple[Any, tuple[Any, ...]]]] = {
    "quantized::sigmoid": lambda call: (aten.sigmoid.default, (call.args[0],)),
    "quantized::hardswish": lambda call: (aten.hardswish.default, (call.args[0],)),
    "quantized::leaky_relu": lambda call: (
        aten.leaky_relu.default,
        (call.args[0], call["negative_slope"]),
    ),
    "quantized::elu": lambda call: (
        aten.elu.default,
        (call["self"], call["alpha"], call["scale"], call["input_scale"]),
    ),
    "quantized::celu": lambda call: (aten.celu.default, (call["self"], call["alpha"])),
    "quantized::prelu": lambda call: (aten._prelu_kernel.default, (call["qx"], call["weight"])),
    "quantized::softmax": lambda call: (
        aten._softmax.default,
        (call["qx"], call["dim"], False),
    ),
    "quantized::layer_norm": lambda call: (
        aten.native_layer_norm.default,
        (call["input"], call["normalized_shape"], call["weight"], call["bias"], call["eps"]),
    ),
    "quantized::group_norm": lambda call: _group_norm(call, call["num_groups"]),
    "quantized::instance_norm": lambda call: _group_norm(call, call["input"].shape[1]),
}


def _group_norm(call: Call, groups: int) -> tuple[Any, tuple[Any, ...]]:
    input: Tensor = call["input"]
    batch, channels = input.shape[:2]
    pixels = input.numel() // max(batch * channels, 1)
    weight, bias, eps = call["weight"], call["bias"], call["eps"]
    arguments = (input, weight, bias, batch, channels, pixels, groups, eps)
    return aten.native_group_norm.default, arguments


@formula(*_ACTIVATIONS, mixed=True)
def activation(call: Call) -> Cost:
    """Dequantized, the plain operator, quantized again."""
    func, arguments = _ACTIVATIONS[call.operator](call)
    return between(call, plain_cost(Call(func, arguments, {}, call.out)))


@formula(
    "quantized::batch_norm",
    "quantized::batch_norm_relu",
    *(f"quantized::batch_norm{rank}d{relu}" for rank in (1, 2, 3) for relu in ("", "_relu")),
    "aten::quantized_batch_norm",
    "onednn::qbatch_norm2d",
    mixed=True,
)
def batch_norm(call: Call) -> Cost:
    """Dequantized, normalized as in evaluation (4, without weight and bias 2), quantized again."""
    affine = 2 * (call.get("weight") is not None)
    each = DEQUANTIZE + 2 + affine + RELU * ("relu" in call.operator) + QUANTIZE
    return Cost.of(other=f"{each}·n", n=first_output(call).numel())


@formula(
    "quantized::cat",
    "quantized::cat_relu",
    "quantized::cat_out",
    "quantized::cat_relu_out",
    by_value=True,
    mixed=True,
)
def concatenate(call: Call) -> Cost:
    """Tensors of another scale or zero point than the result are dequantized and quantized again.

    A ReLU compares every whole number with the zero point.
    """
    out = first_output(call)
    units = (out.q_scale(), out.q_zero_point())
    moved = sum(
        tensor.numel()
        for tensor in tensors(call.args[0])
        if (tensor.q_scale(), tensor.q_zero_point()) != units
    )
    return cost(
        {"n": moved, "out": out.numel()},
        other=f"{DEQUANTIZE + QUANTIZE}·n" if moved else "0",
        integer="out" if "relu" in call.operator else "0",
    )


@formula("quantized::relu6", "quantized::threshold", "quantized::clamp")
def compare(call: Call) -> Cost:
    """Whole numbers are compared with the bounds, which are quantized once."""
    bounds = 1
    if call.operator == "quantized::relu6":
        bounds = 2
    elif call.operator == "quantized::clamp":
        bounds = (call["min"] is not None) + (call["max"] is not None)
    return Cost.of(other=f"{bounds}·n", n=first_output(call).numel())


@formula(
    *(f"aten::quantized_max_pool{rank}d" for rank in (1, 2, 3)),
    "quantized::max_pool1d",
    "quantized::max_pool2d",
)
def max_pool(call: Call) -> Cost:
    """As every max pooling (the article's count): one comparison for each output, of integers."""
    return Cost.of(other="n", n=first_output(call).numel())


_BAGS = tuple(f"quantized::embedding_bag_{bits}" for bits in ("byte", "4bit"))
_BAGS_OF_ROWS = tuple(
    f"{name}_rowwise_offsets" for name in (*_BAGS, "quantized::embedding_bag_2bit")
)


@formula(*_BAGS, *_BAGS_OF_ROWS, by_value=True)
def embedding_bag(call: Call) -> Cost:
    """Each of L rows of D numbers is dequantized (2) and added to its bag (1).

    Weights of the samples are multiplied into the row's scale and bias (2 for a row); a mean
    divides every sum.
    """
    out = first_output(call)
    weighted = "2·L" if call["per_sample_weights"] is not None else "0"
    mean = "n" if call["mode"] == 1 else "0"
    symbols = {"L": call["indices"].numel(), "D": out.shape[-1], "n": out.numel()}
    return cost(symbols, other=total("3·L·D", weighted, mean))


@formula("quantized::embedding_byte", "quantized::embedding_4bit", by_value=True)
def embedding(call: Call) -> Cost:
    """Every number of the rows that are looked up is dequantized."""
    return Cost.of(other=f"{DEQUANTIZE}·n", n=first_output(call).numel())


@formula(
    *(f"quantized::embedding_bag_{bits}_prepack" for bits in ("byte", "4bit", "2bit")),
    *(
        f"quantized::embedding_bag_{bits}_prepack_with_rowwise_min_max"
        for bits in ("byte", "4bit", "2bit")
    ),
)
def pack_rows(call: Call) -> Cost:
    """Each row's range is found (2), unless it is given; its numbers are scaled and rounded (3).

    A row's scale is a difference, a quotient and a reciprocal; numbers of less than 8 bits are
    clamped (2). A search for better ranges is not counted.
    """
    weight: Tensor = call["weight"]
    each = 3 + 2 * ("byte" not in call.operator) + 2 * ("min_max" not in call.operator)
    rows = weight.numel() // weight.shape[-1] if weight.shape[-1] else 0
    return Cost.of(other=f"{each}·n + 3·r", n=weight.numel(), r=rows)


@formula(*(f"quantized::embedding_bag_{bits}_unpack" for bits in ("byte", "4bit", "2bit")))
def unpack_rows(call: Call) -> Cost:
    """Every number is multiplied with the row's scale and added to its bias."""
    return Cost.of(other="2·n", n=first_output(call).numel())


mark_free("packs the rows of an embedding as they are", "quantized::embedding_bag_prepack")
