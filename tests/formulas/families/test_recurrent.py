"""Recurrent layers and cells, whole and fused, against the same layers taken apart."""

import contextlib

import pytest
import torch
from torch import nn

from tests.formulas.counted import Number, f, tally
from tests.formulas.plain import cost_of, formulas_of, plain, torch_flops

aten = torch.ops.aten
pytestmark = [
    # `torch.backends.mkldnn.flags` says so whatever flag is set.
    pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning"),
]
KINDS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn tanh": nn.RNN, "rnn relu": nn.RNN}


def layer(kind, **options):
    if kind == "rnn relu":
        options["nonlinearity"] = "relu"
    return KINDS[kind](3, 5, **options)


@contextlib.contextmanager
def taken_apart():
    """With gradients and without oneDNN, ATen runs layers as plain operators."""
    with torch.enable_grad(), torch.backends.mkldnn.flags(enabled=False):
        yield


SHAPES = {
    "one": {},
    "no bias": {"bias": False},
    "two layers": {"num_layers": 2},
    "both ways": {"bidirectional": True},
    "three layers both ways": {"num_layers": 3, "bidirectional": True},
    # Without a bias: ATen adds it by itself there, where it fills no accumulator.
    "batch first": {"batch_first": True, "bias": False},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "projected": {"proj_size": 2},
    "projected layers both ways": {"proj_size": 2, "num_layers": 2, "bidirectional": True},
}


LAYERS = [
    (kind, shape) for kind in KINDS for shape in SHAPES if kind == "lstm" or "proj" not in shape
]


def input_of(shape, packed):
    """Four steps of two sequences; packed, the second has only two."""
    first = SHAPES[shape].get("batch_first", False)
    x = torch.randn(2, 4, 3) if first else torch.randn(4, 2, 3)
    return nn.utils.rnn.pack_padded_sequence(x, [4, 2], first) if packed else x


@pytest.mark.parametrize(("kind", "shape"), LAYERS)
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_a_layer_costs_what_it_costs_taken_apart(kind, shape, packed):
    module, x = layer(kind, **SHAPES[shape]), input_of(shape, packed)
    with taken_apart():
        expected = plain(lambda: module(x))
    with torch.inference_mode():
        whole = formulas_of(lambda: module(x))
    cost = whole.of("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu")
    assert cost.contraction.value == expected.contraction > 0
    assert cost.other.value == expected.other


@pytest.mark.parametrize("shape", ["one", "no bias", "two layers", "three layers both ways"])
@pytest.mark.parametrize("mode", [contextlib.nullcontext, torch.no_grad])
def test_onednn_layers_cost_the_same(shape, mode):
    module, x = layer("lstm", **SHAPES[shape]), torch.randn(4, 2, 3)
    with taken_apart():
        expected = plain(lambda: module(x))
    with mode():
        fused = formulas_of(lambda: module(x))
    assert set(fused.operators) == {"aten::mkldnn_rnn_layer"}
    assert fused.contraction == expected.contraction
    assert fused.other == expected.other


def test_pytorch_does_not_see_the_products_of_an_lstm():
    # The difference is on purpose.
    module, x = layer("lstm"), torch.randn(4, 2, 3)
    assert torch_flops(lambda: module(x)) == 0
    assert formulas_of(lambda: module(x)).contraction == 2 * 4 * 2 * 4 * 5 * (3 + 5)


def library_layer(kind, *, layers=1, both=False, p=0, train=False, dropout=0.0, packed=False):
    """The arguments of cuDNN's operator; the weights' sizes are not asked."""
    modes = {"rnn relu": 0, "rnn tanh": 1, "lstm": 2, "gru": 3}
    directions = 2 if both else 1
    x = torch.randn(6, 3) if packed else torch.randn(4, 2, 3)
    state = torch.empty(layers * directions, 2, p or 5)
    cell = torch.empty(layers * directions, 2, 5) if kind == "lstm" else None
    sizes = [2, 2, 1, 1] if packed else []
    begin = (x, [], 4, None, state, cell, modes[kind], 5)
    end = (layers, False, dropout, train, both, sizes, None)
    return begin, end, p


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "both": True},
        {"layers": 2, "train": True, "dropout": 0.5},
        {"layers": 2, "train": False, "dropout": 0.5},
        {"packed": True},
    ],
)
def test_cudnn_and_miopen_layers_cost_the_same(kind, options):
    begin, end, p = library_layer(kind, **options)
    module = layer(
        kind,
        num_layers=options.get("layers", 1),
        bidirectional=options.get("both", False),
        dropout=options.get("dropout", 0.0),
    ).train(options.get("train", False))
    x = torch.randn(4, 2, 3)
    if options.get("packed"):
        x = nn.utils.rnn.pack_padded_sequence(x, [4, 2])
    with taken_apart():
        expected = plain(lambda: module(x))
    out = torch.empty(0)
    cudnn = cost_of(aten._cudnn_rnn.default, *begin, p, *end, out=(out,))
    x, _, stride, _, state, cell, *mode_and_size = begin
    miopen = cost_of(
        aten.miopen_rnn.default, x, [], stride, state, cell, *mode_and_size, *end, out=(out,)
    )
    for cost in (cudnn, miopen):
        assert cost.contraction.value == expected.contraction
        assert cost.other.value == expected.other


def test_a_projected_cudnn_layer():
    begin, end, p = library_layer("lstm", p=2, layers=2, both=True)
    module, x = layer("lstm", proj_size=2, num_layers=2, bidirectional=True), torch.randn(4, 2, 3)
    with taken_apart():
        expected = plain(lambda: module(x))
    cost = cost_of(aten._cudnn_rnn.default, *begin, p, *end, out=(torch.empty(0),))
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


def test_mps_layers_cost_the_same():
    module, x = layer("lstm", num_layers=2, batch_first=True, bias=False), torch.randn(4, 2, 3)
    states = [torch.zeros(2, 4, 5), torch.zeros(2, 4, 5)]
    end = (list(module.parameters()), False, 2, 0.0, False, False, True)
    cost = cost_of(aten._lstm_mps.default, x, states, *end, out=(x,))
    with taken_apart():
        expected = plain(lambda: module(x))
    assert (cost.contraction.value, cost.other.value) == (expected.contraction, expected.other)
    backward = cost_of(
        aten.lstm_mps_backward.default, None, None, None, x, x, x, x, states, *end, out=(x,)
    )
    assert backward.contraction.value == 2 * expected.contraction


# Cells ----------------------------------------------------------------------------------------


def lstm_cell(input, forget, cell, output, c):
    """One hidden unit, from both products of each gate: (of the input, of the hidden state)."""
    i, g = f.sigmoid(input[0] + input[1]), f.tanh(cell[0] + cell[1])
    kept = f.sigmoid(forget[0] + forget[1])
    o = f.sigmoid(output[0] + output[1])
    c = kept * c + i * g
    return o * f.tanh(c), c, (i, kept, g, o)


def gru_cell(r, z, n, h):
    r, z = f.sigmoid(r[0] + r[1]), f.sigmoid(z[0] + z[1])
    n = f.tanh(n[0] + r * n[1])
    return n + z * (h - n)


def numbers_of(tensor):
    return [Number(value) for value in tensor.flatten().tolist()]


def test_the_fused_lstm_cell_is_its_textbook():
    b, h = 2, 3
    of_input, of_hidden, c = torch.randn(b, 4 * h), torch.randn(b, 4 * h), torch.randn(b, h)
    # The gates in ATen's order, each h wide.
    gates = [
        [list(zip(numbers_of(x), numbers_of(y), strict=True)) for x, y in zip(xs, ys, strict=True)]
        for xs, ys in zip(of_input.chunk(4, 1), of_hidden.chunk(4, 1), strict=True)
    ]
    with tally() as count:
        outputs = [
            lstm_cell(*(gate[row][unit] for gate in gates), cell)[0]
            for row in range(b)
            for unit, cell in enumerate(numbers_of(c[row]))
        ]
    i, f, g, o = (of_input + of_hidden).chunk(4, 1)
    expected = o.sigmoid() * (f.sigmoid() * c + i.sigmoid() * g.tanh()).tanh()
    torch.testing.assert_close(torch.tensor([n.value for n in outputs]).view(b, h), expected)
    arguments = (of_input, of_hidden, c)
    cost = cost_of(aten._thnn_fused_lstm_cell.default, *arguments, out=(c, c, of_input))
    assert cost.other.value == count.flops
    assert cost.contraction.value == 0
    # Its biases belong to the products.
    biased = cost_of(
        aten._thnn_fused_lstm_cell.default, *arguments, of_input[0], of_input[0], out=(c, c)
    )
    assert biased == cost


def lstm_cell_backward(dh, dc, c_before, c, i, kept, g, o):
    """The gradients of one hidden unit, from the gates as they were."""
    t = f.tanh(c)
    one = Number(1.0)
    d_o = dh * t
    d_c = dh * o * (one - t * t) + dc
    d_i, d_f, d_g = d_c * g, d_c * c_before, d_c * i
    return (
        d_i * (one - i) * i,
        d_f * (one - kept) * kept,
        d_g * (one - g * g),
        d_o * (one - o) * o,
        d_c * kept,
    )


def test_the_gradient_of_the_fused_lstm_cell():
    gates = torch.randn(4, dtype=torch.float64, requires_grad=True)
    before = torch.randn((), dtype=torch.float64, requires_grad=True)
    i, f, g, o = gates[0].sigmoid(), gates[1].sigmoid(), gates[2].tanh(), gates[3].sigmoid()
    c = f * before + i * g
    dh, dc = torch.randn((), dtype=torch.float64), torch.randn((), dtype=torch.float64)
    grads, grad_before = torch.autograd.grad((o * c.tanh(), c), (gates, before), (dh, dc))
    with tally() as count:
        result = lstm_cell_backward(*(Number(t.item()) for t in (dh, dc, before, c, i, f, g, o)))
    torch.testing.assert_close(
        torch.tensor([n.value for n in result], dtype=torch.float64),
        torch.cat([grads, grad_before.view(1)]),
    )
    state = torch.empty(2, 3)
    cost = cost_of(
        aten._thnn_fused_lstm_cell_backward_impl.default,
        *(state, state, state, state, torch.empty(2, 12), True),
        out=(state,),
    )
    assert cost.other.value == 6 * count.flops


def gru_cell_backward(dh, r, z, n, h, hidden_n):
    one = Number(1.0)
    d_z = dh * (h - n) * (one - z) * z
    d_h = dh * z
    d_n = dh * (one - z) * (one - n * n)
    d_hidden_n = d_n * r
    d_r = d_n * hidden_n * (one - r) * r
    return d_r, d_z, d_n, d_hidden_n, d_h


@pytest.mark.parametrize("biases", [False, True])
def test_the_gradient_of_the_fused_gru_cell(biases):
    leaves = torch.randn(5, dtype=torch.float64, requires_grad=True)
    r, z, hidden_n, h = leaves[0].sigmoid(), leaves[1].sigmoid(), leaves[3], leaves[4]
    n = (leaves[2] + r * hidden_n).tanh()
    dh = torch.randn((), dtype=torch.float64)
    (grads,) = torch.autograd.grad(n + z * (h - n), leaves, dh)
    with tally() as count:
        result = gru_cell_backward(*(Number(t.item()) for t in (dh, r, z, n, h, hidden_n)))
    torch.testing.assert_close(torch.tensor([x.value for x in result], dtype=torch.float64), grads)
    state, gates = torch.empty(2, 3), torch.randn(2, 9)
    cost = cost_of(
        aten._thnn_fused_gru_cell_backward.default, state, torch.empty(2, 15), biases, out=(state,)
    )
    sums = plain(lambda: (gates.sum(0), gates.sum(0))).other if biases else 0
    assert cost.other.value == 6 * count.flops + sums


def test_the_fused_gru_cell_is_its_textbook():
    b, h = 2, 3
    of_input, of_hidden, state = torch.randn(b, 3 * h), torch.randn(b, 3 * h), torch.randn(b, h)
    gates = [
        [list(zip(numbers_of(x), numbers_of(y), strict=True)) for x, y in zip(xs, ys, strict=True)]
        for xs, ys in zip(of_input.chunk(3, 1), of_hidden.chunk(3, 1), strict=True)
    ]
    with tally() as count:
        outputs = [
            gru_cell(*(gate[row][unit] for gate in gates), before)
            for row in range(b)
            for unit, before in enumerate(numbers_of(state[row]))
        ]
    r, z, n = zip(of_input.chunk(3, 1), of_hidden.chunk(3, 1), strict=True)
    new = (n[0] + (r[0] + r[1]).sigmoid() * n[1]).tanh()
    expected = new + (z[0] + z[1]).sigmoid() * (state - new)
    torch.testing.assert_close(torch.tensor([x.value for x in outputs]).view(b, h), expected)
    cost = cost_of(
        aten._thnn_fused_gru_cell.default, of_input, of_hidden, state, out=(state, of_input)
    )
    assert cost.other.value == count.flops


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn tanh", "rnn relu"])
@pytest.mark.parametrize("options", [{}, {"layers": 2, "both": True}])
def test_the_gradients_of_layers(kind, options):
    """Twice the products of the forward direction; the cells; a sum for each state; the biases."""
    begin, end, p = library_layer(kind, **options)
    x, _, _, _, state, cell, *mode_and_size = begin
    forward = cost_of(aten._cudnn_rnn.default, *begin, p, *end, out=(x,))
    out = torch.empty(4, 2, 5)

    def gradient(stride, mask):
        arguments = (x, [], stride, out, state, cell, out, out, None, None, *mode_and_size, p, *end)
        return cost_of(aten._cudnn_rnn_backward.default, *arguments, out, mask, out=(x,))

    cells = 4 * 2 * 5 * options.get("layers", 1) * (2 if options.get("both") else 1)
    each = {"lstm": 27, "gru": 16, "rnn tanh": 3, "rnn relu": 1}[kind]
    gates = {"lstm": 4, "gru": 4, "rnn tanh": 1, "rnn relu": 1}[kind]
    biases = cells // (4 * 2) * gates * (4 * 2 - 1)
    full, unbiased = gradient(4, [True] * 4), gradient(2, [True] * 4)
    assert full.contraction.value == 2 * forward.contraction.value
    assert full.other.value == cells * (each + 1) + biases
    assert unbiased.other.value == cells * (each + 1)
    states_only = gradient(4, [True, True, True, False])
    assert states_only.contraction.value == forward.contraction.value
    assert states_only.other.value == unbiased.other.value


def test_the_gradient_of_a_onednn_layer_has_the_products_of_autograd():
    module, x = layer("lstm"), torch.randn(4, 2, 3, requires_grad=True)
    states = torch.zeros(1, 2, 5, requires_grad=True), torch.zeros(1, 2, 5, requires_grad=True)
    leaves = (x, *states, *module.parameters())
    with taken_apart():
        out, _ = module(x, states)
        seed = torch.ones_like(out)
        expected = torch_flops(lambda: torch.autograd.grad(out, leaves, seed))
    out, _ = module(x, states)
    run = formulas_of(lambda: torch.autograd.grad(out, leaves, torch.ones_like(out)))
    cost = run.of("aten::mkldnn_rnn_layer_backward")
    assert cost.contraction.value == expected
    gates = torch.randn(8, 20)
    # The cell's 27, the sum of the state's two gradients, the gradient of the bias.
    assert cost.other.value == 8 * 5 * (27 + 1) + plain(lambda: gates.sum(0)).other
