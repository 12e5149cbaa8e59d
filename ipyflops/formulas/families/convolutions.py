"""Convolutions of any rank, grouped, dilated, transposed, and their gradients.

A convolution makes each of its outputs from in/groups input channels and a kernel of k taps: that
many multiply-accumulates. A transposed one sends each of its inputs to out/groups channels and k
taps. Stride, padding and dilation show in the sizes of the output alone; taps that lie in the
padding are counted, as everywhere in the field. The bias fills the accumulators.

The article counts multiply-accumulates, not FLOPs: in/groups·k of them for each output, and one for
the bias if there is one. For a transposed convolution it is the same principle: out/groups·k for
each input and one bias for each output.

Both gradients of a convolution pair the same numbers as the convolution itself, one with the weight
and one with the input, so that each takes as many multiply-accumulates: with groups, too, where
`torch.utils.flop_counter` 2.13 does not divide those of the weight. Gradients of gradients are made
of the same operators.

A complex `F.conv2d` reaches the dispatcher as three real convolutions (Gauss's trick). Complex
numbers come here only if a backend is called by its name.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost, times
from ipyflops.formulas.registry import formula

#: Names of the spatial dims by their number.
_AXES = {0: "", 1: "L", 2: "HW", 3: "DHW"}


class Geometry:
    """The sizes of a convolution and the expressions that they are counted with.

    Parameters
    ----------
    call : Call
        Tells the groups, if its schema has any (else the weight does), and the spatial dims by its
        `kernel_size`, if it has one (else the input is a batch and does).
    input, weight, out : Tensor
        Of the forward direction; for the gradients, `out` is the gradient of the output.
    transposed : bool
        Whether the convolution is transposed.

    Attributes
    ----------
    symbols : dict of str to int
        N, in, out, groups, the kernel's sides as kH, and the output's (transposed: the input's)
        sides as oH (iH).
    outputs : str
        How many elements the result has.
    macs : str
        How many multiply-accumulates the convolution takes.
    """

    def __init__(
        self, call: Call, input: Tensor, weight: Tensor, out: Tensor, transposed: bool
    ) -> None:
        rank = len(call["kernel_size"]) if "kernel_size" in call else input.dim() - 2
        axes = _AXES.get(rank) or [str(axis) for axis in range(rank)]
        channels_in, channels_out = input.shape[-rank - 1], out.shape[-rank - 1]
        groups = call.get("groups")
        if groups is None:
            shared = channels_out if transposed else channels_in
            groups = max(shared // max(weight.shape[1], 1), 1)
        self.symbols = {
            "N": input.shape[0] if input.dim() > rank + 1 else 1,
            "in": channels_in,
            "out": channels_out,
            "groups": groups,
        }
        for axis, size in zip(axes, weight.shape[-rank:], strict=True):
            self.symbols[f"k{axis}"] = size
        for axis, size in zip(axes, out.shape[-rank:], strict=True):
            self.symbols[f"o{axis}"] = size
        output_sides = [f"o{axis}" for axis in axes]
        self.positions = "·".join(["N", *output_sides])
        self.outputs = "·".join(["N", "out", *output_sides])
        self.inputs = ""
        if transposed:
            for axis, size in zip(axes, input.shape[-rank:], strict=True):
                self.symbols[f"i{axis}"] = size
            self.inputs = "·".join(["N", "in", *(f"i{axis}" for axis in axes)])
        share = "out" if transposed else "in"
        if groups > 1:
            share += "/groups"
        self.taps = "·".join([share, *(f"k{axis}" for axis in axes)])
        self.macs = f"{self.inputs or self.outputs}·{self.taps}"

    def article(self, bias: bool) -> str:
        """The article's expression for the forward direction."""
        if not bias:
            return self.macs
        if self.inputs:
            return f"{self.macs} + {self.outputs}"
        return f"{self.outputs}·({self.taps} + 1)"

    def bias_gradient(self) -> str:
        """Expression for the sums of the gradient over all positions, one for each channel."""
        positions = 1
        for symbol in self.positions.split("·"):
            positions *= self.symbols[symbol]
        return f"out·({self.positions} − 1)" if positions else "0"


def forward(
    call: Call,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    transposed: bool = False,
    each: int = 0,
) -> Cost:
    """Cost of a convolution with `each` operations on every output beside it.

    Parameters
    ----------
    call : Call
        The call; its first result is the output.
    input, weight, bias : Tensor
        The operands.
    transposed : bool
        Whether the convolution is transposed.
    each : int
        Operations on every output, of an activation or a sum that is fused on.
    """
    shape = Geometry(call, input, weight, first_output(call), transposed)
    return cost(
        shape.symbols,
        contraction=times(8 if call.is_complex else 2, shape.macs),
        other=times(each, shape.outputs),
        article=None if each or call.is_complex else shape.article(bias is not None),
    )


def backward(
    call: Call,
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    mask: tuple[bool, bool, bool],
    *,
    transposed: bool = False,
) -> Cost:
    """Cost of the gradients of the input, the weight and the bias that are asked for.

    Parameters
    ----------
    call : Call
        The call.
    grad_output, input, weight : Tensor
        The operands.
    mask : tuple of bool
        Which of the three gradients are made.
    transposed : bool
        Whether the convolution is transposed.
    """
    shape = Geometry(call, input, weight, grad_output, transposed)
    mac, add = (8, 2) if call.is_complex else (2, 1)
    sums = shape.bias_gradient() if mask[2] else "0"
    return cost(
        shape.symbols,
        contraction=times(mac * (mask[0] + mask[1]), shape.macs),
        other=sums if sums == "0" else times(add, sums),
    )


@formula(
    "aten::convolution", "aten::_convolution", "aten::convolution_overrideable", dtype_from="input"
)
def convolution(call: Call) -> Cost:
    """For each output in/groups·k multiply-accumulates; transposed, out/groups·k for each input."""
    return forward(
        call,
        call["input"],
        call["weight"],
        call["bias"],
        transposed=call["transposed"],
    )


@formula(
    "aten::convolution_backward", "aten::convolution_backward_overrideable", dtype_from="input"
)
def convolution_backward(call: Call) -> Cost:
    """Of input and weight each as many multiply-accumulates as forward; of the bias a sum."""
    return backward(
        call,
        call["grad_output"],
        call["input"],
        call["weight"],
        call["output_mask"],
        transposed=call["transposed"],
    )


@formula("aten::conv_tbc")
def conv_tbc(call: Call) -> Cost:
    """A convolution along time of (T, N, in) with a kernel (k, in, out): in·k for each output."""
    k, channels_in, channels_out = call["weight"].shape
    steps, batch, _ = first_output(call).shape
    return cost(
        {"T": steps, "N": batch, "in": channels_in, "out": channels_out, "k": k},
        contraction=times(8 if call.is_complex else 2, "T·N·out·in·k"),
        article="T·N·out·(in·k + 1)",
    )
