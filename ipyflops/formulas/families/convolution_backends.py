"""Convolutions by the names of the libraries and kernels that run them.

`F.conv2d` and its kin reach the dispatcher as `aten::convolution`. The operators here come from
compiled code, from fusions, and from calling them by name. The counts are those of
`families.convolutions`.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.families.activation_costs import RELU, fused
from ipyflops.formulas.families.convolutions import backward, forward
from ipyflops.formulas.registry import formula


def _operand(call: Call, *names: str) -> Tensor:
    """The operand that the schemas give different names."""
    for name in names:
        if name in call:
            tensor: Tensor = call[name]
            return tensor
    raise ValueError(f"{call.operator} has none of {', '.join(names)}")


@formula(
    "aten::mkldnn_convolution",
    "aten::cudnn_convolution",
    "aten::miopen_convolution",
    "aten::miopen_depthwise_convolution",
    "aten::_mps_convolution",
    "aten::_nnpack_spatial_convolution",
    "aten::_slow_conv2d_forward",
    "aten::slow_conv3d_forward",
    "aten::slow_conv_dilated2d",
    "aten::slow_conv_dilated3d",
    "aten::_conv_depthwise2d",
    "aten::conv_depthwise3d",
    dtype_from=("self", "input"),
)
def convolution(call: Call) -> Cost:
    """A convolution: in/groups·k multiply-accumulates for each output."""
    input = _operand(call, "input", "self")
    return forward(call, input, call["weight"], call.get("bias"))


@formula(
    "aten::cudnn_convolution_transpose",
    "aten::miopen_convolution_transpose",
    "aten::_mps_convolution_transpose",
    "aten::slow_conv_transpose2d",
    "aten::slow_conv_transpose3d",
    dtype_from="self",
)
def convolution_transpose(call: Call) -> Cost:
    """A transposed convolution: out/groups·k multiply-accumulates for each input."""
    return forward(
        call,
        call["self"],
        call["weight"],
        call.get("bias"),
        transposed=True,
    )


@formula("aten::cudnn_convolution_relu", "aten::miopen_convolution_relu", dtype_from="self")
def convolution_relu(call: Call) -> Cost:
    """A convolution and a comparison with zero for each output."""
    return forward(call, call["self"], call["weight"], call["bias"], each=RELU)


@formula("aten::cudnn_convolution_add_relu", "aten::miopen_convolution_add_relu", dtype_from="self")
def convolution_add_relu(call: Call) -> Cost:
    """relu(convolution + alpha·z): a sum and a comparison, and a product where alpha is not 1."""
    each = 1 + (call["alpha"] not in (None, 1)) + RELU
    return forward(call, call["self"], call["weight"], call["bias"], each=each)


@formula("mkldnn::_convolution_pointwise", dtype_from="X")
def convolution_pointwise(call: Call) -> Cost:
    """A convolution and an activation; with `other`, an operation between the two.

    The operation is one FLOP for each output and one more where `other` is scaled by an alpha that
    is not 1.
    """
    if "other" in call:
        each = 1 + (call["alpha"] not in (None, 1))
        each += fused(call["unary_attr"], call["unary_algorithm"])
    else:
        each = fused(call["attr"], call["algorithm"])
    return forward(call, call["X"], call["W"], call["B"], each=each)


@formula("mkldnn_prepacked::conv2d_run", by_value=True, dtype_from="X")
def prepacked_convolution(call: Call) -> Cost:
    """A convolution whose weight and bias are in an object, which says what it was made from.

    The object does not show their sizes, so that the formula is asked at every call. Whether an
    activation was packed with them it does not show either: none is counted.
    """
    weight, bias = call["W_prepack"].__getstate__()[0][:2]
    return forward(call, call["X"], weight, bias)


@formula("mkldnn::_convolution_transpose_pointwise", dtype_from="X")
def convolution_transpose_pointwise(call: Call) -> Cost:
    """A transposed convolution and an activation."""
    return forward(
        call,
        call["X"],
        call["W"],
        call["B"],
        transposed=True,
        each=fused(call["attr"], call["algorithm"]),
    )


@formula("aten::_slow_conv2d_backward", "aten::mps_convolution_backward")
def convolution_backward(call: Call) -> Cost:
    """The gradients that the mask asks for; all three where they are given as `out`."""
    return backward(
        call,
        call["grad_output"],
        call["self"],
        call["weight"],
        call.get("output_mask", (True, True, True)),
    )


@formula("aten::mps_convolution_transpose_backward")
def convolution_transpose_backward(call: Call) -> Cost:
    """The gradients of the input and the weight that the mask asks for."""
    return backward(
        call,
        call["grad_output"],
        call["self"],
        call["weight"],
        (*call["output_mask"], False),
        transposed=True,
    )
