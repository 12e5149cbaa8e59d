"""Attention against loops over pairs, against PyTorch's counter, and against what kernels touch."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import sdpa_backward_flop_count

from tests.formulas.plain import cost_of, formulas_of, plain, torch_flops
from tests.missing import RELEASE, needs

aten = torch.ops.aten

FORWARD = {
    "cpu": (aten._scaled_dot_product_flash_attention_for_cpu.default, ()),
    "flash": (aten._scaled_dot_product_flash_attention.default, ()),
    "efficient": (aten._scaled_dot_product_efficient_attention.default, (None, True)),
    "cudnn": (aten._scaled_dot_product_cudnn_attention.default, (None, True)),
    "overrideable": (aten._scaled_dot_product_fused_attention_overrideable.default, (None,)),
}
BACKWARD = {
    "cpu": aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
    "flash": aten._scaled_dot_product_flash_attention_backward.default,
    "efficient": aten._scaled_dot_product_efficient_attention_backward.default,
    "cudnn": aten._scaled_dot_product_cudnn_attention_backward.default,
    "overrideable": aten._scaled_dot_product_fused_attention_overrideable_backward.default,
}


def qkv(b=2, h=4, s_q=6, s_k=7, d=8, d_v=8, h_kv=None, device="meta"):
    h_kv = h_kv or h
    return (
        torch.empty(b, h, s_q, d, device=device),
        torch.empty(b, h_kv, s_k, d, device=device),
        torch.empty(b, h_kv, s_k, d_v, device=device),
    )


def needs_shared_heads(sizes):
    """Skip what PyTorch's own counter refuses up to 2.11: fewer heads of keys than of queries."""
    needs("h_kv" not in sizes or RELEASE > (2, 11), "a count of heads that are shared")


def forward_cost(kernel, q, k, v, **kwargs):
    func, arguments = FORWARD[kernel]
    result = torch.empty(*q.shape[:-1], v.shape[-1], device="meta")
    return cost_of(func, q, k, v, *arguments, out=(result,), **kwargs)


def backward_cost(kernel, q, k, v, *, dropout=0.0, causal=False, mask=None, **kwargs):
    func = BACKWARD[kernel]
    out = torch.empty(*q.shape[:-1], v.shape[-1], device="meta")
    lse, none = torch.empty(q.shape[:-1], device="meta"), torch.empty(0, device="meta")
    sizes = q.shape[2], k.shape[2]
    if kernel == "cpu":
        arguments = (out, q, k, v, out, lse, dropout, causal)
        kwargs["attn_mask"] = mask
    elif kernel == "flash":
        arguments = (out, q, k, v, out, lse, none, none, *sizes, dropout, causal, none, none)
    elif kernel == "efficient":
        bias = none if mask is None else mask
        arguments = (out, q, k, v, bias, out, lse, none, none, dropout, [True] * 4, causal)
    elif kernel == "cudnn":
        bias = none if mask is None else mask
        arguments = (out, q, k, v, out, lse, none, none, bias, none, none, *sizes, dropout, causal)
    else:
        bias = none if mask is None else mask
        arguments = (
            *(out, q, k, v, bias, [True] * 4, out, lse, none, none, *sizes),
            *(dropout, causal, none, none),
        )
    return cost_of(func, *arguments, out=(q, k, v), **kwargs)


def written_out(q, k, v, *, mask=None, scale=True, dropout=False):
    """Attention in plain operators: scores, scale, mask, softmax, dropout, values."""
    scores = q @ k.mT
    if scale:
        scores = scores * 0.5
    if mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, -1)
    if dropout:
        weights = weights * (torch.empty_like(weights).bernoulli_(0.5) / 0.5)
    return weights @ v


VARIANTS = [
    (kernel, variant)
    for kernel in FORWARD
    for variant in ("plain", "mask", "no scale", "dropout")
    if (kernel, variant) != ("flash", "mask")  # it takes none
]


@pytest.mark.parametrize(("kernel", "variant"), VARIANTS)
def test_forward_is_attention_written_out(kernel, variant):
    q, k, v = (torch.randn(t.shape) for t in qkv())
    kwargs, mask = {}, None
    if variant == "mask":
        mask = torch.randn(2, 4, 6, 7)
        kwargs["attn_mask" if kernel == "cpu" else "attn_bias"] = mask
    if variant == "no scale":
        kwargs["scale"] = 1.0
    if variant == "dropout":
        kwargs["dropout_p"] = 0.5
    func, arguments = FORWARD[kernel]
    if "attn_bias" in kwargs:
        arguments = (kwargs.pop("attn_bias"), *arguments[1:])
    expected = plain(
        lambda: written_out(
            q, k, v, mask=mask, scale=variant != "no scale", dropout=variant == "dropout"
        )
    )
    cost = cost_of(func, q, k, v, *arguments, out=(q,), **kwargs)
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


@pytest.mark.parametrize("kernel", ["flash", "efficient", "cudnn"])
@pytest.mark.parametrize(
    "sizes", [{}, {"d_v": 5}, {"h_kv": 2}, {"h_kv": 1, "s_q": 1}, {"b": 1, "s_k": 1}]
)
def test_products_agree_with_pytorch(kernel, sizes):
    needs_shared_heads(sizes)
    q, k, v = qkv(**sizes)
    func, arguments = FORWARD[kernel]
    theirs = torch_flops(lambda: func(q, k, v, *arguments))
    assert forward_cost(kernel, q, k, v).contraction.value == theirs > 0


def sums_of_scores(q, k, v, grad, out, *, mask=None, scale=True, dropout=False):
    """The gradients in plain operators, from the scores on, as the fused kernels make them."""
    scores = q @ k.mT
    if scale:
        scores = scores * 0.5
    if mask is not None:
        scores = scores + mask
    weights = torch.exp(scores - torch.ones(q.shape[:-1]).unsqueeze(-1))
    grad_weights = grad @ v.mT
    dropped = weights
    if dropout:
        kept = torch.ones_like(weights)
        dropped, grad_weights = weights * kept * 2.0, grad_weights * kept * 2.0
    grad_v = dropped.mT @ grad
    total = (grad * out).sum(-1, keepdim=True)
    grad_scores = weights * (grad_weights - total)
    if scale:
        grad_scores = grad_scores * 0.5
    return grad_scores @ k, grad_scores.mT @ q, grad_v


@pytest.mark.parametrize(("kernel", "variant"), VARIANTS)
def test_backward_is_five_products_and_what_is_between(kernel, variant):
    q, k, v = (torch.randn(t.shape) for t in qkv())
    out, grad = torch.randn(2, 4, 6, 8), torch.randn(2, 4, 6, 8)
    mask = torch.randn(2, 4, 6, 7) if variant == "mask" else None
    options = {"scale": variant != "no scale", "dropout": variant == "dropout"}
    expected = plain(lambda: sums_of_scores(q, k, v, grad, out, mask=mask, **options))
    cost = backward_cost(
        kernel,
        q,
        k,
        v,
        mask=mask,
        dropout=0.5 if variant == "dropout" else 0.0,
        scale=1.0 if variant == "no scale" else None,
    )
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


@pytest.mark.parametrize("kernel", ["flash", "efficient", "cudnn"])
@pytest.mark.parametrize("sizes", [{}, {"d_v": 5}, {"h_kv": 2}])
def test_products_of_the_gradients_agree_with_pytorch(kernel, sizes):
    needs_shared_heads(sizes)
    q, k, v = qkv(**sizes)
    grad = torch.empty(*q.shape[:-1], v.shape[-1], device="meta")
    theirs = sdpa_backward_flop_count(grad.shape, q.shape, k.shape, v.shape)
    cost = backward_cost(kernel, q, k, v)
    assert cost.contraction.value == theirs
    if "h_kv" in sizes:
        # The gradients of keys and values are summed over the heads that share them.
        alone = backward_cost(kernel, *qkv(**{**sizes, "h_kv": 4}))
        shared = torch.randn(2, 2, 2, *k.shape[2:]), torch.randn(2, 2, 2, *v.shape[2:])
        sums = plain(lambda: [grads.sum(2) for grads in shared])
        assert cost.other.value - alone.other.value == sums.other


@pytest.mark.parametrize("kernel", ["flash", "efficient", "cudnn", "overrideable"])
@pytest.mark.parametrize("s_q", [0, 1, 3, 6])
@pytest.mark.parametrize("s_k", [0, 1, 3, 6])
def test_causal_kernels_work_on_the_triangle(kernel, s_q, s_k):
    shift = s_k - s_q if kernel == "flash" else 0
    seen = [[j <= i + shift for j in range(s_k)] for i in range(s_q)]
    pairs, rows = sum(map(sum, seen)), sum(map(any, seen))
    q, k, v = qkv(b=1, h=1, s_q=s_q, s_k=s_k, d=3, d_v=5)
    cost = forward_cost(kernel, q, k, v, is_causal=True)
    assert cost.contraction.value == 2 * pairs * (3 + 5)
    # The scale of every pair, and of every row that has any: exponentials, sum, divisions.
    assert cost.other.value == pairs + 3 * pairs - rows
    assert "causal" in cost.note
    backward = backward_cost(kernel, q, k, v, causal=True)
    assert backward.contraction.value == 2 * pairs * (3 * 3 + 2 * 5)
    assert backward.other.value == 6 * pairs + rows * 9


def test_pytorch_counts_the_triangle_twice():
    # The difference is on purpose: the kernel skips what is above the diagonal.
    q, k, v = qkv(s_q=8, s_k=8)
    theirs = torch_flops(lambda: aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True))
    ours = forward_cost("flash", q, k, v, is_causal=True).contraction.value
    assert theirs == forward_cost("flash", q, k, v).contraction.value
    assert ours / theirs == (8 * 9 / 2) / 64


def test_mps_computes_all_pairs():
    q, k, v = qkv()
    func = aten._scaled_dot_product_attention_math_for_mps.default
    causal, full = (cost_of(func, q, k, v, is_causal=c, out=(q,)) for c in (True, False))
    assert causal.contraction == full.contraction
    assert full.contraction.value == forward_cost("flash", q, k, v).contraction.value


def test_the_triton_kernel():
    q, k, v = qkv(s_k=6)
    cost = cost_of(aten._triton_scaled_dot_attention.default, q, k, v, out=q)
    expected = forward_cost("flash", q, k, v)
    assert cost.contraction.value == expected.contraction.value
    assert cost.other.value == expected.other.value


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_attention_costs_the_same_in_every_mode(mode):
    q, k, v = (torch.randn(2, 4, 6, 8) for _ in range(3))
    expected = formulas_of(lambda: F.scaled_dot_product_attention(q, k, v))
    with mode():
        run = formulas_of(lambda: F.scaled_dot_product_attention(q, k, v))
    assert run.operators == ["aten::_scaled_dot_product_flash_attention_for_cpu"]
    assert run.contraction == expected.contraction == 4 * 2 * 4 * 6 * 6 * 8


def test_attention_without_a_fused_kernel_is_the_same_products():
    q, k, v = (torch.randn(2, 4, 6, 8) for _ in range(3))
    fused = formulas_of(lambda: F.scaled_dot_product_attention(q, k, v))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        apart = plain(lambda: F.scaled_dot_product_attention(q, k, v))
    assert apart.contraction == fused.contraction
    # Apart, queries and keys are scaled by √scale each; fused, the scores are.
    scales = q.numel() + k.numel() - 2 * 4 * 6 * 6
    assert apart.other - fused.other == scales


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel", ["flash", "efficient"])
def test_nested_sequences_cost_what_each_costs_alone(kernel, causal):
    lengths = [(3, 5), (4, 2), (1, 1)]
    parts = [qkv(b=1, h=2, s_q=s_q, s_k=s_k, device="cpu") for s_q, s_k in lengths]
    alone = [forward_cost(kernel, *part, is_causal=causal) for part in parts]
    q, k, v = (torch.nested.as_nested_tensor([part[i][0] for part in parts]) for i in range(3))
    func, arguments = FORWARD[kernel]
    cost = cost_of(func, q, k, v, *arguments, is_causal=causal, out=(q,))
    assert cost.contraction.value == sum(part.contraction.value for part in alone)
    assert cost.other.value == sum(part.other.value for part in alone)


def test_dropout_in_the_triton_kernel_by_hand():
    # One head, 3 queries, 6 keys: 18 weights are dropped and scaled, 2 operations each.
    q, k, v = torch.zeros(1, 1, 3, 8), torch.zeros(1, 1, 6, 8), torch.zeros(1, 1, 6, 8)
    operator = aten._triton_scaled_dot_attention.default
    without = cost_of(operator, q, k, v, out=q)
    dropped = cost_of(operator, q, k, v, 0.5, out=q)
    assert dropped.other.value - without.other.value == 2 * 18
    assert dropped.contraction == without.contraction
