"""Quantized recurrent layers and cells against the same ones in floating point."""

import pytest
import torch
from torch import nn

from tests.formulas.plain import formulas_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
#: Of a dynamic linear layer: the range (2) and the quantization (5) of every number that goes in,
#: the scale (1) of every one that comes out.
IN, OUT = 7, 1


def quantized(module, dtype=torch.qint8):
    return torch.ao.quantization.quantize_dynamic(module, {type(module[0])}, dtype)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_products_are_integer_and_the_cells_are_not(kind, options):
    module, x = nn.Sequential(kind(3, 5, **options)), torch.randn(4, 2, 3)
    with torch.inference_mode():
        (expected,) = [cost for _, cost in formulas_of(lambda: module(x)).costs if cost.contraction]
    layers = quantized(module)
    cost = formulas_of(lambda: layers(x)).of("aten::quantized_lstm", "aten::quantized_gru")
    assert cost.contraction.value == 0
    assert cost.integer.value == expected.contraction.value
    steps, gates = 8, 4 if kind is nn.LSTM else 3
    directions = 2 if options else 1
    inputs = [3, 5 * directions][: options.get("num_layers", 1)]
    converted = sum(directions * steps * (IN * (size + 5) + OUT * 2 * gates * 5) for size in inputs)
    assert cost.other.value == expected.other.value + converted


def test_half_precision_weights_are_multiplied_in_floating_point():
    module, x = nn.Sequential(nn.LSTM(3, 5)), torch.randn(4, 2, 3)
    with torch.inference_mode():
        expected = formulas_of(lambda: module(x)).of("aten::lstm")
    half = quantized(module, torch.float16)
    cost = formulas_of(lambda: half(x)).of("aten::quantized_lstm")
    assert cost.contraction.value == expected.contraction.value
    assert cost.other.value == expected.other.value
    assert cost.integer.value == 0


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(kind):
    module, x = nn.Sequential(kind(3, 5)), torch.randn(2, 3)
    expected = formulas_of(lambda: module(x))
    cells = quantized(module)
    (cost,) = [cost for name, cost in formulas_of(lambda: cells(x)).costs if "quantized" in name]
    assert cost.integer.value == expected.contraction
    gates = {nn.LSTMCell: 4, nn.GRUCell: 3, nn.RNNCell: 1}[kind]
    assert cost.other.value == expected.other + 2 * (IN * (3 + 5) + OUT * 2 * gates * 5)
