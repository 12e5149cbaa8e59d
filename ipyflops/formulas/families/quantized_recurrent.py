"""Recurrent layers and cells with quantized weights.

The weights are int8 and what they meet is made int8 on the way, so that the products are integer
operations; the gates are floating point. Beside what `families.recurrent` counts, the
range of what goes into a product is found (2 for each number) and it is quantized (5), and what
comes out is scaled (1), as for every dynamic linear layer (`families.quantized_layers`).
Weights of half precision are multiplied in floating point.
"""

from __future__ import annotations

import torch

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.families.quantization import QUANTIZE
from ipyflops.formulas.families.recurrent import Layers, layers_of
from ipyflops.formulas.families.recurrent_cells import GRU, LSTM, RNN_RELU, RNN_TANH, Cell
from ipyflops.formulas.registry import formula


def _cost(layers: Layers, dropout: str = "0") -> Cost:
    ranges, products = 2 + QUANTIZE, 2 * layers.cell.gates
    below = f"in + (layers − 1)·{layers.below}" if layers.layers > 1 else "in"
    states = "layers·h" if layers.layers > 1 else "h"
    return cost(
        layers.symbols,
        integer_contraction=layers.contraction(),
        other=total(
            layers.units(layers.cell.forward),
            f"{layers.times}·({ranges}·({below} + {states}) + {products}·{states})",
            dropout,
        ),
    )


@formula(
    "aten::quantized_lstm", "aten::quantized_gru", mixed=True, dtype_from=("dtype", torch.quint8)
)
def quantized_layers(call: Call) -> Cost:
    """All layers and directions, and in training the dropout between the layers."""
    layers = layers_of(call, LSTM if call.operator == "aten::quantized_lstm" else GRU)
    if call.get("dtype") is torch.float16:
        return layers.forward(call["dropout"], call["train"])
    return _cost(layers, layers.dropout(call["dropout"], call["train"]))


_CELLS = {
    "quantized::quantized_lstm_cell_dynamic": LSTM,
    "quantized::quantized_gru_cell_dynamic": GRU,
    "quantized::quantized_rnn_tanh_cell_dynamic": RNN_TANH,
    "quantized::quantized_rnn_relu_cell_dynamic": RNN_RELU,
}


@formula(*_CELLS, mixed=True, dtype_from=torch.quint8)
def quantized_cells(call: Call) -> Cost:
    """One step of one cell on b vectors."""
    states = call["hx"]
    state = states[0] if isinstance(states, (list, tuple)) else states
    cell: Cell = _CELLS[call.operator]
    b, inputs = call["input"].shape
    return _cost(Layers(cell, (1, b), inputs, state.shape[-1]))
