"""LSTM, GRU and plain recurrent layers that arrive whole.

A cell of hidden size h takes a vector of size `in` and one of the hidden state: `gates`·h dot
products of each, the biases in their accumulators. What it does with them is in
`families.recurrent_cells`. Where an LSTM projects its state to a size p, that is h·p
multiply-accumulates more, and p is what the next step and the next layer get. A layer behind the
first gets the states of all directions. Packed sequences have as many steps as they have elements.

Whole layers come from cuDNN, MIOpen, oneDNN (one direction of one layer at a time) and MPS; in
inference mode `torch.lstm` and its kin arrive whole, too. Whatever kernel a layer takes, it costs
the same.

Backward, every product of the forward direction has two: one for the gradient of what went into the
cell, one for that of the weight. Beside them and the cells there is a sum for each element of the
states, whose gradient comes from the output and from the next step, and the sums that are the
gradients of the biases: of `gates`·h numbers (of a GRU h more, since its new gate has two) over all
steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.families.recurrent_cells import BY_MODE, GRU, LSTM, RNN_RELU, RNN_TANH, Cell
from ipyflops.formulas.registry import formula, mark_free


@dataclass(frozen=True, slots=True)
class Layers:
    """The sizes of recurrent layers and the expressions that they are counted with.

    Attributes
    ----------
    cell : Cell
        What kind they are of.
    steps : tuple of int
        Time and batch, or the number of all steps of packed sequences.
    inputs, hidden : int
        Sizes of an input and of a cell.
    projected : int
        The size that the state is projected to; 0 for none.
    layers, directions : int
        How many there are.
    """

    cell: Cell
    steps: tuple[int, ...]
    inputs: int
    hidden: int
    projected: int = 0
    layers: int = 1
    directions: int = 1

    @property
    def symbols(self) -> dict[str, int]:
        """The values of all symbols."""
        names = ("T", "b") if len(self.steps) == 2 else ("steps",)
        return {
            **dict(zip(names, self.steps, strict=True)),
            "in": self.inputs,
            "h": self.hidden,
            "p": self.projected,
            "layers": self.layers,
            "directions": self.directions,
        }

    @property
    def times(self) -> str:
        """How often each layer's cells run: in every step, in every direction."""
        steps = "T·b" if len(self.steps) == 2 else "steps"
        return f"{steps}·directions" if self.directions > 1 else steps

    @property
    def state(self) -> str:
        """The size of the state that goes to the next step."""
        return "p" if self.projected else "h"

    @property
    def below(self) -> str:
        """The size of what a layer behind the first gets."""
        return f"directions·{self.state}" if self.directions > 1 else self.state

    @property
    def macs(self) -> str:
        """Multiply-accumulates of all products of all cells in one step and direction."""
        gates = f"{self.cell.gates}·h" if self.cell.gates > 1 else "h"
        first = f"{gates}·(in + {self.state})"
        behind = f"(layers − 1)·{gates}·({self.below} + {self.state})" if self.layers > 1 else "0"
        projections = "0"
        if self.projected:
            projections = "layers·h·p" if self.layers > 1 else "h·p"
        parts = total(first, behind, projections)
        return f"({parts})" if " + " in parts and parts != first else parts

    def contraction(self, products: int = 1) -> str:
        """Expression for the FLOPs of `products` products for each of the forward direction."""
        return f"{2 * products}·{self.times}·{self.macs}"

    def units(self, each: int) -> str:
        """Expression for `each` operations on every hidden unit."""
        layers = "layers·" if self.layers > 1 else ""
        return f"{each}·{self.times}·{layers}h"

    def dropout(self, rate: float, train: bool) -> str:
        """Expression for the dropout between the layers: the mask is scaled, then multiplied."""
        if not train or rate == 0 or self.layers < 2:
            return "0"
        return f"2·{self.times}·(layers − 1)·{self.state}"

    def forward(self, rate: float = 0.0, train: bool = False) -> Cost:
        """Cost of the forward direction."""
        return cost(
            self.symbols,
            contraction=self.contraction(),
            other=total(self.units(self.cell.forward), self.dropout(rate, train)),
        )

    def backward(
        self, rate: float = 0.0, train: bool = False, *, weights: bool = True, biases: bool = True
    ) -> Cost:
        """Cost of the gradients of inputs and states and, if asked for, of weights and biases."""
        sums, steps = "0", math.prod(self.steps)
        layers = "layers·" if self.layers > 1 else ""
        if weights and biases and steps:
            numbers = self.cell.gates + (self.cell is GRU)
            directions = "directions·" if self.directions > 1 else ""
            count = "T·b" if len(self.steps) == 2 else "steps"
            sums = f"{layers}{directions}{numbers}·h·({count} − 1)"
        return cost(
            self.symbols,
            contraction=self.contraction(1 + weights),
            other=total(
                self.units(self.cell.backward),
                f"{self.times}·{layers}{self.state}",
                self.dropout(rate, train),
                sums,
            ),
        )


def _steps(input: Tensor, batch_sizes: Sequence[int] = ()) -> tuple[int, ...]:
    """Time and batch of an input (T, b, in) or (b, T, in); all steps of a packed one."""
    if batch_sizes or input.dim() < 3:
        return (math.prod(input.shape[:-1]),)
    return (input.shape[0], input.shape[1])


_KINDS = {
    "aten::lstm": LSTM,
    "aten::_lstm_mps": LSTM,
    "aten::gru": GRU,
    "aten::rnn_tanh": RNN_TANH,
    "aten::rnn_relu": RNN_RELU,
}


def layers_of(call: Call, cell: Cell) -> Layers:
    """The layers of `torch.lstm` and its kin: (input, hx, …) or, packed, (data, batch_sizes, …)."""
    packed = "batch_sizes" in call
    input = call["data"] if packed else call["input"]
    states = call["hx"]
    state, inner = (states[0], states[1]) if isinstance(states, (list, tuple)) else (states, states)
    p, h = state.shape[-1], inner.shape[-1]
    return Layers(
        cell,
        (input.shape[0],) if packed else _steps(input),
        input.shape[-1],
        h,
        p if p != h else 0,
        call["num_layers"],
        2 if call["bidirectional"] else 1,
    )


@formula("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu", "aten::_lstm_mps")
def recurrent_layers(call: Call) -> Cost:
    """All layers and directions, and in training the dropout between the layers."""
    return layers_of(call, _KINDS[call.operator]).forward(call["dropout"], call["train"])


@formula("aten::lstm_mps_backward")
def lstm_mps_backward(call: Call) -> Cost:
    """The gradients of everything that went in."""
    layers = layers_of(call, LSTM)
    return layers.backward(call["dropout"], call["train"], biases=call["has_biases"])


@formula("aten::mkldnn_rnn_layer")
def mkldnn_rnn_layer(call: Call) -> Cost:
    """One direction of one layer."""
    return _of_mkldnn(call).forward()


@formula("aten::mkldnn_rnn_layer_backward")
def mkldnn_rnn_layer_backward(call: Call) -> Cost:
    """The gradients of everything that went into one direction of one layer."""
    return _of_mkldnn(call).backward(biases=call["has_biases"])


def _of_mkldnn(call: Call) -> Layers:
    # The sizes of the weights are not asked: oneDNN may have packed them.
    input, cell = call["input"], BY_MODE[call["mode"]]
    return Layers(cell, _steps(input, call["batch_sizes"]), input.shape[-1], call["hidden_size"])


@formula("aten::_cudnn_rnn", "aten::miopen_rnn")
def cudnn_rnn(call: Call) -> Cost:
    """All layers and directions, and in training the dropout between the layers."""
    return _of_cudnn(call).forward(call["dropout"], call["train"])


@formula("aten::_cudnn_rnn_backward", "aten::miopen_rnn_backward")
def cudnn_rnn_backward(call: Call) -> Cost:
    """The gradients of inputs and states and, by the mask's last entry, of weights and biases.

    The library makes the former in one go, whichever of them are asked for. A layer without biases
    has two weights, one with a projection a third; biases are two more.
    """
    biases = call["weight_stride0"] >= 4
    weights = bool(call["output_mask"][3])
    return _of_cudnn(call).backward(call["dropout"], call["train"], weights=weights, biases=biases)


def _of_cudnn(call: Call) -> Layers:
    input = call["input"]
    return Layers(
        BY_MODE[call["mode"]],
        _steps(input, call["batch_sizes"]),
        input.shape[-1],
        call["hidden_size"],
        call.get("proj_size", 0),
        call["num_layers"],
        2 if call["bidirectional"] else 1,
    )


mark_free(
    "puts weights into the order that cuDNN wants; computes nothing",
    "aten::_cudnn_rnn_flatten_weight",
)
