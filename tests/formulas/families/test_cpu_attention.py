"""Which pairs the causal CPU kernel computes, seen from outside.

The kernel masks a score that it has computed, so that its weight is zero. Zero times a value that
is not a number is not a number: a value of NaN shows in the output of every query that the kernel
multiplied it for, masked or not. So one NaN at each place of the values in turn (one for each item
of a batch) draws a picture of all pairs.
"""

import pytest
import torch

from tests.formulas.plain import cost_of

aten = torch.ops.aten
SIZES = [
    (40, 40),
    (600, 600),
    (1100, 1100),
    (700, 1100),
    (1100, 700),
    (1030, 513),
    (1, 700),
    (9, 4),
]
#: No block of the kernel is smaller.
STEP = 32


def touched(s_q, s_k):
    """Pairs that the forward kernel computes, seen at one key of every 32."""
    places = list(range(0, s_k, STEP))
    q, k = torch.zeros(1, 1, s_q, 1), torch.zeros(1, 1, s_k, 1)
    values = torch.zeros(len(places), 1, s_k, 1)
    for item, place in enumerate(places):
        values[item, 0, place] = float("nan")
    out, _ = aten._scaled_dot_product_flash_attention_for_cpu(
        q.expand(len(places), -1, -1, -1), k.expand(len(places), -1, -1, -1), values, 0.0, True
    )
    seen = out.isnan().flatten(1).sum(1).tolist()
    widths = [min(STEP, s_k - place) for place in places]
    return sum(count * width for count, width in zip(seen, widths, strict=True))


@pytest.mark.parametrize(("s_q", "s_k"), SIZES)
def test_forward_computes_whole_blocks_up_to_the_diagonal(s_q, s_k):
    pairs = touched(s_q, s_k)
    q, k = torch.zeros(2, 3, s_q, 8, device="meta"), torch.zeros(2, 3, s_k, 8, device="meta")
    func = aten._scaled_dot_product_flash_attention_for_cpu.default
    cost = cost_of(func, q, k, k, is_causal=True)
    assert cost.contraction.value == 2 * 2 * 3 * pairs * (8 + 8)
    assert cost.other.value == 2 * 3 * (4 * pairs - s_q)
    assert "causal" in cost.note


@pytest.mark.parametrize(("s_q", "s_k"), [(600, 600), (520, 1030), (1030, 520)])
def test_backward_computes_the_same_blocks(s_q, s_k):
    places = list(range(0, s_k, STEP))
    n = len(places)
    q, k = torch.zeros(n, 1, s_q, 1), torch.zeros(n, 1, s_k, 1)
    out, lse = aten._scaled_dot_product_flash_attention_for_cpu(q, k, k, 0.0, True)
    for item, place in enumerate(places):
        k[item, 0, place] = float("nan")
    # The gradient of a query is the gradients of its scores, masked to zero, times the keys.
    values = torch.zeros(n, 1, s_k, 1)
    grad_q, _, _ = aten._scaled_dot_product_flash_attention_for_cpu_backward(
        torch.ones_like(out), q, k, values, out, lse, 0.0, True
    )
    seen = grad_q.isnan().flatten(1).sum(1).tolist()
    widths = [min(STEP, s_k - place) for place in places]
    pairs = sum(count * width for count, width in zip(seen, widths, strict=True))
    assert pairs == touched(s_q, s_k)
    meta = [tensor[:1].to("meta") for tensor in (out, q, k, k, out, lse)]
    func = aten._scaled_dot_product_flash_attention_for_cpu_backward.default
    cost = cost_of(func, *meta, 0.0, True)
    assert cost.contraction.value == 5 * 2 * pairs * 1
    assert cost.other.value == 6 * pairs + s_q


def test_without_a_causal_mask_all_pairs_are_computed():
    q, k = torch.zeros(1, 1, 600, 8, device="meta"), torch.zeros(1, 1, 700, 8, device="meta")
    func = aten._scaled_dot_product_flash_attention_for_cpu.default
    cost = cost_of(func, q, k, k)
    assert cost.contraction.value == 2 * 600 * 700 * 16
    assert cost.note == ""
