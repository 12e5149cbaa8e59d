"""Packed sequences against each sequence alone, and bands against loops over pairs."""

import itertools

import pytest
import torch
from torch.nn.attention.varlen import varlen_attn  # registers torch_attn's operators

from ipyflops.formulas.families.attention_pairs import Band, sequences
from tests.formulas import schemas
from tests.formulas.plain import cost_of

aten = torch.ops.aten
LENGTHS = [(3, 5), (4, 2), (1, 1), (6, 6)]
H, D = 2, 8


@pytest.mark.parametrize("left", [None, 0, 1, 3])
@pytest.mark.parametrize("right", [None, 0, 1, 3])
@pytest.mark.parametrize("bottom_right", [True, False])
def test_bands_are_the_pairs_of_a_loop(left, right, bottom_right):
    for queries, keys in itertools.product(range(7), range(7)):
        shift = keys - queries if bottom_right else 0
        seen = [
            [
                (left is None or j >= i + shift - left)
                and (right is None or j <= i + shift + right)
                for j in range(keys)
            ]
            for i in range(queries)
        ]
        pairs = sequences([(queries, keys)], Band(left, right, bottom_right))
        assert pairs.symbols["pairs"] == sum(map(sum, seen))
        assert pairs.symbols["rows"] == sum(map(any, seen))


def packed(device="cpu", heads=H):
    """Queries, keys and values of all sequences, and where each begins."""
    s_q, s_k = zip(*LENGTHS, strict=True)
    offsets = [
        torch.tensor([0, *itertools.accumulate(s)], dtype=torch.int32, device=device)
        for s in (s_q, s_k)
    ]
    query = torch.empty(sum(s_q), H, D, device=device)
    key = torch.empty(sum(s_k), heads, D, device=device)
    return query, key, offsets, max(s_q), max(s_k)


def alone(*, causal=False, backward=False, **options):
    """Each sequence as a batch of one in the kernel on dense tensors."""
    contraction = other = 0
    for s_q, s_k in LENGTHS:
        q = torch.empty(1, H, s_q, D, device="meta")
        k = torch.empty(1, H, s_k, D, device="meta")
        if backward:
            func = aten._scaled_dot_product_flash_attention_backward.default
            none = torch.empty(0, device="meta")
            rest = (q, none, none, none, s_q, s_k, 0.0, causal, none, none)
            cost = cost_of(func, q, q, k, k, *rest, out=(q, k, k))
        else:
            func = aten._scaled_dot_product_flash_attention.default
            cost = cost_of(func, q, k, k, 0.0, causal, out=(q,), **options)
        contraction += cost.contraction.value
        other += cost.other.value
    return contraction, other


def values(cost):
    return cost.contraction.value, cost.other.value


@pytest.mark.parametrize("causal", [False, True])
def test_flash_attention_of_packed_sequences(causal):
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    arguments = (q, k, k, cum_q, cum_k, max_q, max_k, 0.0, causal, False)
    cost = cost_of(aten._flash_attention_forward.default, *arguments, out=(q,))
    assert values(cost) == alone(causal=causal)
    assert f"{len(LENGTHS)} sequences" in cost.note
    inplace = cost_of(
        aten._flash_attention_forward_no_dropout_inplace.default, q, *arguments, out=q
    )
    assert values(inplace) == values(cost)
    lse = torch.empty(0)
    backward = cost_of(
        aten._flash_attention_backward.default,
        *(q, q, k, k, q, lse, cum_q, cum_k, max_q, max_k, 0.0, causal, lse, lse),
        out=(q, k, k),
    )
    assert values(backward) == alone(causal=causal, backward=True)


def test_flash_attention_of_dense_sequences():
    q, k = torch.empty(2, 6, H, D), torch.empty(2, 7, H, D)
    arguments = (q, k, k, None, None, 6, 7, 0.0, False, False)
    cost = cost_of(aten._flash_attention_forward.default, *arguments, out=(q,))
    assert cost.contraction.value == 4 * 2 * H * 6 * 7 * D


def test_used_keys_windows_and_slopes():
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    used = torch.tensor([2, 1, 1, 4], dtype=torch.int32)
    arguments = (q, k, k, cum_q, cum_k, max_q, max_k, 0.0, False, False)
    func = aten._flash_attention_forward.default
    pairs = sum(s_q * u for (s_q, _), u in zip(LENGTHS, used.tolist(), strict=True))
    cost = cost_of(func, *arguments, seqused_k=used, out=(q,))
    assert cost.contraction.value == 4 * H * pairs * D

    window = {"window_size_left": 1, "window_size_right": 0}
    cost = cost_of(func, *arguments, out=(q,), **window)
    pairs = sum(
        1
        for s_q, s_k in LENGTHS
        for i in range(s_q)
        for j in range(s_k)
        if i + s_k - s_q - 1 <= j <= i + s_k - s_q
    )
    assert cost.contraction.value == 4 * H * pairs * D

    sloped = cost_of(func, *arguments, alibi_slopes=torch.ones(H), out=(q,))
    plain = cost_of(func, *arguments, out=(q,))
    assert sloped.other.value - plain.other.value == 2 * H * sum(a * b for a, b in LENGTHS)


def test_pages_of_keys_have_the_lengths_that_are_used():
    q, _, (cum_q, _), max_q, max_k = packed()
    pages = torch.empty(10, 16, H, D)
    table, used = torch.zeros(4, 2, dtype=torch.int32), torch.tensor([5, 2, 1, 6])
    cost = cost_of(
        aten._flash_attention_forward.default,
        *(q, pages, pages, cum_q, None, max_q, max_k, 0.0, False, False),
        seqused_k=used,
        block_table=table,
        out=(q,),
    )
    assert cost.contraction.value == 4 * H * sum(a * b for a, b in LENGTHS) * D


def test_offsets_without_values_are_an_upper_bound():
    q, k, (cum_q, cum_k), max_q, max_k = packed("meta")
    arguments = (q, k, k, cum_q, cum_k, max_q, max_k, 0.0, False, False)
    cost = cost_of(aten._flash_attention_forward.default, *arguments)
    assert cost.contraction.value == 4 * H * len(LENGTHS) * max_q * max_k * D
    assert "too many" in cost.note


@pytest.mark.parametrize(("kind", "corner"), [(0, None), (1, "top left"), (2, "bottom right")])
def test_efficient_attention(kind, corner):
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    q, k = q.unsqueeze(0), k.unsqueeze(0)
    arguments = (q, k, k, None, cum_q, cum_k, max_q, max_k, 0.0, kind)
    cost = cost_of(aten._efficient_attention_forward.default, *arguments, out=(q,))
    pairs = rows = 0
    for s_q, s_k in LENGTHS:
        shift = s_k - s_q if corner == "bottom right" else 0
        seen = [[corner is None or j <= i + shift for j in range(s_k)] for i in range(s_q)]
        pairs, rows = pairs + sum(map(sum, seen)), rows + sum(map(any, seen))
    assert values(cost) == (4 * H * pairs * D, H * (4 * pairs - rows))
    lse = torch.empty(0)
    backward = cost_of(
        aten._efficient_attention_backward.default,
        *(q, q, k, k, None, q, cum_q, cum_k, max_q, max_k, lse, 0.0, lse, lse, kind, False),
        out=(q, k, k),
    )
    assert values(backward) == (10 * H * pairs * D, H * (6 * pairs + rows * (2 * D - 1)))


def test_efficient_attention_of_dense_sequences_with_a_window():
    q, k = torch.empty(2, 6, H, D), torch.empty(2, 6, H, D)
    arguments = (q, k, k, None, None, None, None, None, 0.0, 1)
    func = aten._efficient_attention_forward.default
    cost = cost_of(func, *arguments, window_size=2, out=(q,))
    # Every query sees its own key and the one before: the first has none before.
    assert cost.contraction.value == 4 * 2 * H * (2 * 6 - 1) * D
    lengths = torch.tensor([3, 6], dtype=torch.int32)
    cost = cost_of(func, *arguments[:-1], 0, seqlen_k=lengths, out=(q,))
    assert cost.contraction.value == 4 * H * 6 * (3 + 6) * D


@pytest.mark.parametrize("causal", [False, True])
def test_cudnn_attention(causal):
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    func = aten._cudnn_attention_forward.default
    arguments = (q, k, k, None, cum_q, cum_k, max_q, max_k, True, 0.0, causal)
    cost = cost_of(func, *arguments, out=(q,))
    pairs = sum(
        1 for s_q, s_k in LENGTHS for i in range(s_q) for j in range(s_k) if j <= i or not causal
    )
    assert cost.contraction.value == 4 * H * pairs * D
    dense = torch.empty(2, H, 6, D), torch.empty(2, H, 7, D)
    one = cost_of(func, dense[0], dense[1], dense[1], None, None, None, 6, 7, True, out=(q,))
    assert one.contraction.value == 4 * 2 * H * 6 * 7 * D
    none = torch.empty(0)
    backward = cost_of(
        aten._cudnn_attention_backward.default,
        *(q, q, k, k, q, none, none, none, none, cum_q, cum_k, max_q, max_k, 0.0, causal),
        out=(q, k, k),
    )
    assert backward.contraction.value == 10 * H * pairs * D


@pytest.mark.parametrize("causal", [False, True])
def test_cudnn_attention_into_a_tensor(causal):
    """An operator of PyTorch 2.15; the schema is that release's own."""
    (func,) = schemas.released("aten::_cudnn_attention_forward_no_dropout_inplace").values()
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    arguments = (q, q, k, k, cum_q, cum_k, max_q, max_k, causal)
    cost = cost_of(func, *arguments, out=torch.empty(0))
    pairs = sum(
        1 for s_q, s_k in LENGTHS for i in range(s_q) for j in range(s_k) if j <= i or not causal
    )
    assert cost.contraction.value == 4 * H * pairs * D
    # Pages of a cache, of which some keys are used; its causal diagonal ends at the last of these.
    pages, used = torch.empty(10, 16, H, D), [5, 4, 1, 6]
    cost = cost_of(
        func,
        *(q, q, pages, pages, cum_q, None, max_q, 32, causal),
        seqused_k=torch.tensor(used, dtype=torch.int32),
        block_table=torch.zeros(4, 2, dtype=torch.int32),
        out=torch.empty(0),
    )
    pairs = sum(
        1
        for (s_q, _), s_k in zip(LENGTHS, used, strict=True)
        for i in range(s_q)
        for j in range(s_k)
        if j <= i + s_k - s_q or not causal
    )
    assert cost.contraction.value == 4 * H * pairs * D


def test_varlen_attn_is_the_flash_kernel():
    assert varlen_attn is not None
    q, k, (cum_q, cum_k), max_q, max_k = packed()
    ops = torch.ops.torch_attn
    arguments = (q, k, k, cum_q, cum_k, max_q, max_k)
    window = [-1, 0]
    cost = cost_of(ops._varlen_attn.default, *arguments, True, None, window, out=(q,))
    assert values(cost) == alone(causal=True)
    out = cost_of(ops._varlen_attn_out.default, q, *arguments, out=q)
    assert values(out) == alone()
    lse = torch.empty(0)
    backward = cost_of(
        ops._varlen_attn_backward.default,
        *(q, q, k, k, q, lse, cum_q, cum_k, max_q, max_k, True, lse, None, window),
        out=(q, k, k),
    )
    assert values(backward) == alone(causal=True, backward=True)


def test_heads_that_share_keys_sum_their_gradients():
    q, k, (cum_q, cum_k), max_q, max_k = packed(heads=1)
    lse = torch.empty(0)
    cost = cost_of(
        aten._flash_attention_backward.default,
        *(q, q, k, k, q, lse, cum_q, cum_k, max_q, max_k, 0.0, False, lse, lse),
        out=(q, k, k),
    )
    contraction, other = alone(backward=True)
    tokens = sum(s_k for _, s_k in LENGTHS)
    # Two heads share each key and each value: one addition for each of their numbers.
    assert values(cost) == (contraction, other + 2 * tokens * D)
