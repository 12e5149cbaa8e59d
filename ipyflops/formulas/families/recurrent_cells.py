"""Cells of recurrent networks whose gates are fused into one kernel.

The kernels get the gates as the two matrix products left them (of the input and of the hidden
state) and do the rest for each of b·h hidden units. It costs what it does written out with plain
operators, as ATen runs it where nothing is fused; the biases belong to the products and fill their
accumulators.

========= ==========================================================================================
LSTM      4 gates: 4 sums of the two products, 3 sigmoids of 4 and a tanh of 5; the cell f·c + i·g,
          3; the output o·tanh(c), 5 + 1. Together 30.
GRU       reset and update: 2 sums, 2 sigmoids of 4; the new gate tanh(x + r·h), a product, a sum,
          5; the output n + z·(h − n), 3. Together 20.
RNN       a sum, and a tanh of 5 or a ReLU of 1. Together 6 or 2.
========= ==========================================================================================

Backward, from the gates as they were kept:

========= ==========================================================================================
LSTM      t = tanh(c) again, 5; of the output gate dh·t, 1; of the cell dh·o·(1 − t²) + dc, 5; of
          i, f, g and the cell before one product each, 4; through three sigmoids x·(1 − s)·s, 9,
          and a tanh x·(1 − g²), 3. Together 27.
GRU       of z: dh·(h − n)·(1 − z)·z, 5; of h: dh·z, 1; of n: dh·(1 − z)·(1 − n²), 5; of its hidden
          part: ·r, 1; of r: that of n·h_n·(1 − r)·r, 4. Together 16.
RNN       dh·(1 − h²), 3; or dh where h > 0, 1.
========= ==========================================================================================
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import total
from ipyflops.formulas.registry import formula


class Cell(NamedTuple):
    """What a kind of cell does.

    Attributes
    ----------
    gates : int
        How many vectors of hidden size the matrix products make.
    forward, backward : int
        Operations on each hidden unit beside the products.
    """

    gates: int
    forward: int
    backward: int


LSTM = Cell(4, 4 + 3 * 4 + 5 + 3 + 6, 5 + 1 + 5 + 4 + 9 + 3)
GRU = Cell(3, 2 + 2 * 4 + 2 + 5 + 3, 5 + 1 + 5 + 1 + 4)
RNN_TANH = Cell(1, 1 + 5, 3)
RNN_RELU = Cell(1, 1 + 1, 1)

#: By the number that cuDNN, MIOpen and oneDNN layers give as `mode`.
BY_MODE = (RNN_RELU, RNN_TANH, LSTM, GRU)


@formula("aten::_thnn_fused_lstm_cell")
def lstm_cell(call: Call) -> Cost:
    """30 operations on each hidden unit of an LSTM cell, see above."""
    return _on_each_unit(call["cx"], LSTM.forward)


@formula("aten::_thnn_fused_lstm_cell_backward_impl")
def lstm_cell_backward(call: Call) -> Cost:
    """27 operations on each hidden unit of an LSTM cell, see above."""
    return _on_each_unit(call["cx"], LSTM.backward)


@formula("aten::_thnn_fused_gru_cell")
def gru_cell(call: Call) -> Cost:
    """20 operations on each hidden unit of a GRU cell, see above."""
    return _on_each_unit(call["hx"], GRU.forward)


@formula("aten::_thnn_fused_gru_cell_backward")
def gru_cell_backward(call: Call) -> Cost:
    """16 operations on each hidden unit, and the gradients of two biases: sums of b rows of 3·h."""
    state: Tensor = call["grad_hy"]
    biases = "2·(b − 1)·3·h" if call["has_bias"] and state.numel() else "0"
    return _on_each_unit(state, GRU.backward, biases)


def _on_each_unit(state: Tensor, each: int, more: str = "0") -> Cost:
    """Cost of `each` operations on every hidden unit of a state (b, h), and some more."""
    h = state.shape[-1]
    b = state.numel() // h if h else 0
    return Cost.of(other=total(f"{each}·b·h", more), b=b, h=h)
