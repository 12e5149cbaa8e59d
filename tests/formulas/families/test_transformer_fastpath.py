"""The fast path against the same layers written out, and against the products inside of it."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from tests.formulas.plain import cost_of, formulas_of, plain, torch_flops

aten = torch.ops.aten
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*NestedTensor.*:UserWarning"),
]
E, HEADS, HIDDEN = 16, 2, 24


def encoder_layer(**options):
    return nn.TransformerEncoderLayer(E, HEADS, HIDDEN, batch_first=True, **options).eval()


def attention(x, module, *, average=False):
    """Multi-head self-attention of contiguous (b, s, e) in plain operators; queries are scaled."""
    b, s, _ = x.shape
    projected = F.linear(x, module.in_proj_weight, module.in_proj_bias)
    q, k, v = (
        part.reshape(b, s, HEADS, E // HEADS).transpose(1, 2) for part in projected.chunk(3, -1)
    )
    weights = torch.softmax((q * math.sqrt(HEADS / E)) @ k.mT, -1)
    values = (weights @ v).transpose(1, 2).reshape(b, s, E)
    out = F.linear(values, module.out_proj.weight, module.out_proj.bias)
    return (out, weights.mean(1)) if average else out


def written_out(x, layer):
    """An encoder layer in plain operators."""
    if layer.norm_first:
        x = x + attention(layer.norm1(x), layer.self_attn)
        return x + feed_forward(layer.norm2(x), layer)
    x = layer.norm1(x + attention(x, layer.self_attn))
    return layer.norm2(x + feed_forward(x, layer))


def feed_forward(x, layer):
    return layer.linear2(layer.activation(layer.linear1(x)))


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_layer_costs_what_it_costs_written_out(activation, norm_first, mode):
    layer, x = encoder_layer(activation=activation, norm_first=norm_first), torch.randn(3, 5, E)
    torch.testing.assert_close(written_out(x, layer), layer(x))
    expected = plain(lambda: written_out(x, layer))
    with mode():
        run = formulas_of(lambda: layer(x))
    assert run.operators == ["aten::_transformer_encoder_layer_fwd"]
    assert run.contraction == expected.contraction
    assert run.other == expected.other


def test_the_layer_without_its_fast_path_has_the_same_products():
    layer, x = encoder_layer(), torch.randn(3, 5, E)
    with torch.no_grad():
        fast = formulas_of(lambda: layer(x))
    slow = formulas_of(lambda: layer(x))
    assert "aten::_transformer_encoder_layer_fwd" not in slow.operators
    assert fast.contraction == slow.contraction
    # Scores are scaled there and queries here; there the bias of a projection is added by itself,
    # because the layer turns its input.
    scores, queries, biases = 3 * HEADS * 5 * 5, 3 * 5 * E, 3 * 5 * 3 * E
    assert slow.other - fast.other == scores - queries + biases


@pytest.mark.parametrize("weights", [False, True])
def test_attention_alone(weights):
    module, x = nn.MultiheadAttention(E, HEADS, batch_first=True).eval(), torch.randn(3, 5, E)
    with torch.no_grad():
        expected = plain(lambda: attention(x, module, average=weights))
        run = formulas_of(lambda: module(x, x, x, need_weights=weights))
        torch.testing.assert_close(module(x, x, x)[1], attention(x, module, average=True)[1])
    cost = run.of("aten::_native_multi_head_attention")
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


def test_weights_of_every_head_are_not_averaged():
    module, x = nn.MultiheadAttention(E, HEADS, batch_first=True).eval(), torch.randn(3, 5, E)
    with torch.no_grad():
        each = formulas_of(lambda: module(x, x, x, average_attn_weights=False))
        none = formulas_of(lambda: module(x, x, x, need_weights=False))
    assert each.other == none.other


def padding_mask(lengths, longest):
    return torch.tensor([[place >= length for place in range(longest)] for length in lengths])


LENGTHS = (3, 6, 1)


def products_inside(function):
    """FLOPs of the matrix products that a profile finds inside of the fused operators."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, acc_events=True) as run:
        function()
    flops = 0
    for event in run.events():
        shapes = event.input_shapes
        if event.name in ("aten::mm", "aten::bmm"):
            flops += 2 * math.prod(shapes[0]) * shapes[1][-1]
        elif event.name in ("aten::addmm", "aten::_addmm_activation"):
            flops += 2 * math.prod(shapes[1]) * shapes[2][-1]
    return flops


def softmax_inside(function):
    """FLOPs of the softmax that a profile finds."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, acc_events=True) as run:
        function()
    shapes = [event.input_shapes[0] for event in run.events() if event.name == "aten::_softmax"]
    return sum(math.prod(shape[:-1]) * (3 * shape[-1] - 1) for shape in shapes)


def test_without_padding_only_the_tokens_that_are_there_count():
    layer = encoder_layer()
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x, mask = torch.randn(len(LENGTHS), max(LENGTHS), E), padding_mask(LENGTHS, max(LENGTHS))
    with torch.no_grad():
        run = formulas_of(lambda: encoder(x, src_key_padding_mask=mask))
        inside = products_inside(lambda: encoder(x, src_key_padding_mask=mask))
        softmax = softmax_inside(lambda: encoder(x, src_key_padding_mask=mask))
    layers = [cost for name, cost in run.costs if name == "aten::_transformer_encoder_layer_fwd"]
    assert len(layers) == 2
    assert sum(cost.contraction.value for cost in layers) == inside
    # Beside the softmax and the padded queries, every token costs what it costs in a layer.
    alone = torch.randn(1, sum(LENGTHS), E)
    whole = plain(lambda: written_out(alone, layer))
    n = sum(LENGTHS)
    tokens = whole.other - HEADS * n * (3 * n - 1) - n * E
    assert layers[0].other.value == tokens + softmax // 2 + len(LENGTHS) * max(LENGTHS) * E


def test_padding_is_not_removed_where_a_mask_is_given():
    layer, x = encoder_layer(), torch.randn(2, 5, E)
    with torch.no_grad():
        masked = formulas_of(lambda: layer(x, src_key_padding_mask=padding_mask((3, 5), 5)))
        full = formulas_of(lambda: layer(x))
    name = "aten::_transformer_encoder_layer_fwd"
    assert masked.of(name).contraction == full.of(name).contraction
    assert masked.of(name).other == full.of(name).other


def test_an_empty_batch_costs_nothing():
    layer = encoder_layer()
    with torch.no_grad():
        run = formulas_of(lambda: layer(torch.randn(0, 5, E)))
    assert (run.contraction, run.other) == (0, 0)


def test_the_triton_kernel():
    module, x = nn.MultiheadAttention(E, HEADS, batch_first=True).eval(), torch.randn(3, 5, E)
    weights = (
        module.in_proj_weight,
        module.in_proj_bias,
        module.out_proj.weight,
        module.out_proj.bias,
    )
    cost = cost_of(aten._triton_multi_head_attention.default, x, x, x, E, HEADS, *weights, out=x)
    expected = plain(lambda: attention(x, module))
    assert (
        cost.contraction.value == expected.contraction == torch_flops(lambda: attention(x, module))
    )
    assert cost.other.value == expected.other


def test_the_pieces_by_themselves():
    projected, bias = torch.randn(3, 5, 3 * E), torch.randn(3 * E)

    def piece():
        q, k, v = (projected + bias).chunk(3, -1)
        return q * math.sqrt(HEADS / E), k, v

    cost = cost_of(aten._transform_bias_rescale_qkv.default, projected, bias, HEADS)
    assert cost.other.value == plain(piece).other
    nested = torch.nested.nested_tensor([torch.randn(length, 3 * E) for length in LENGTHS])
    cost = cost_of(aten._transform_bias_rescale_qkv.default, nested, bias, HEADS)
    padded = torch.randn(len(LENGTHS), max(LENGTHS), 4 * E)
    assert cost.other.value == plain(lambda: padded + padded).other

    scores = torch.randn(len(LENGTHS), HEADS, max(LENGTHS), max(LENGTHS))
    query = torch.nested.nested_tensor([torch.randn(length, E) for length in LENGTHS])
    arguments = scores, query
    expected = plain(
        lambda: [
            torch.softmax(item[:, :length, :length], -1)
            for item, length in zip(scores, LENGTHS, strict=True)
        ]
    )
    cost = cost_of(aten._nested_tensor_softmax_with_shape.default, *arguments)
    assert cost.other.value == expected.other
