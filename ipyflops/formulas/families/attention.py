"""Scaled dot product attention, forward and backward, of every kernel on dense tensors.

Each of h heads of each of b sequences has s_q queries and s_k keys of size d, and values of size
d_v. Forward, every pair of a query and a key is a dot product of length d and weighs one value:
2·(d + d_v) FLOPs. Keys and values that several heads share (grouped queries) are read more than
once, not computed less.

Beside the products: every pair is scaled (unless the scale is 1), has the mask added where there is
one, is dropped or scaled up where there is dropout (2), and is part of the softmax, which is
3·keys − 1 for each query as everywhere. A kernel that never stores the scores also keeps a running
maximum and sum; like the maximum of every softmax these are not counted.

Backward, the kernels compute the scores again and then four products: the gradient of the weights
from those of the values, the gradients of the values, the queries and the keys. Three of the five
are d long and two d_v: 2·(3·d + 2·d_v) FLOPs for each pair, as `torch.utils.flop_counter` has it.
Beside them: a pair is scaled, has the mask added, becomes a weight again by exp(score − logsumexp)
(2), then its gradient is weight·(gradient − D) (2) and scaled; dropout masks and scales the weight
and its gradient (4). D is the dot product of the output and its gradient, 2·d_v − 1 for each query.
Where g heads share keys their gradients are summed.

Causal kernels skip what is above the diagonal; `torch.utils.flop_counter` counts it all the same.
See `families.attention_pairs` for which pairs are left.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.attention_pairs import (
    Band,
    Pairs,
    all_pairs,
    causal,
    cpu_blocks,
    sequences,
)
from ipyflops.formulas.registry import formula, mark_free, structured_formula
from ipyflops.formulas.special_tensors import component_shapes, is_nested, last_size


def attention_forward(
    call: Call, pairs: Pairs, heads: str, *, value: Tensor, mask: object = None, extra: int = 0
) -> Cost:
    """Cost of attention over some pairs.

    Parameters
    ----------
    call : Call
        Tells the query, the scale and the dropout.
    pairs : Pairs
        The pairs of one head.
    heads : str
        Expression for the number of heads in all sequences, such as ``b·h``; its symbols are among
        those of the pairs.
    value : Tensor
        Tells d_v.
    mask : object
        What is added to the scores; None for nothing.
    extra : int
        Further operations on each pair.
    """
    each = 3 + _scaled(call) + (mask is not None) + 2 * (call.get("dropout_p", 0.0) > 0) + extra
    sizes = {"d": last_size(call["query"]), "d_v": last_size(value)}
    return cost(
        {**pairs.symbols, **sizes},
        contraction=f"2·{heads}·{pairs.count}·(d + d_v)",
        other=f"{heads}·({each}·{pairs.count} − {pairs.rows})",
        note=pairs.note,
    )


def attention_backward(
    call: Call, pairs: Pairs, heads: str, *, shared: str = "0", mask: object = None
) -> Cost:
    """Cost of the gradients of attention over some pairs.

    Parameters
    ----------
    call : Call
        Tells the query, the value, the scale and the dropout.
    pairs, heads, mask
        See `attention_forward`.
    shared : str
        Expression for the sums over heads that share keys and values.
    """
    each = 4 + 2 * _scaled(call) + (mask is not None) + 4 * (call.get("dropout_p", 0.0) > 0)
    sizes = {"d": last_size(call["query"]), "d_v": last_size(call["value"])}
    return cost(
        {**pairs.symbols, **sizes},
        contraction=f"2·{heads}·{pairs.count}·(3·d + 2·d_v)",
        other=total(f"{heads}·({each}·{pairs.count} + {pairs.rows}·(2·d_v − 1))", shared),
        note=pairs.note,
    )


def _scaled(call: Call) -> int:
    return 0 if call.get("scale") == 1 else 1


def _given(mask: Tensor | None) -> Tensor | None:
    """The mask, unless it is an empty stand-in for none."""
    return None if mask is None or mask.numel() == 0 else mask


def _dense(pairs: Pairs, query: Tensor, key: Tensor) -> tuple[Pairs, str, str]:
    """Put b and h to the pairs of (…, h, s, d) tensors.

    Returns
    -------
    tuple
        The pairs, the expression for all heads, and one for the sums over heads that share keys.
    """
    b, h, h_kv = math.prod(query.shape[:-3]), query.shape[-3], key.shape[-3]
    symbols = {"b": b, "h": h, **pairs.symbols}
    shared = "0"
    if h_kv < h:
        symbols.update(h_kv=h_kv, s_k=key.shape[-2])
        shared = "b·(h − h_kv)·s_k·(d + d_v)"
    return Pairs(pairs.count, pairs.rows, symbols, pairs.note), "b·h", shared


def _nested(call: Call, band: Band) -> tuple[Pairs, str]:
    """The pairs of nested (b, h, s, d) tensors, whose sequences differ in length."""
    queries, keys = component_shapes(call["query"]), component_shapes(call["key"])
    lengths = [(query[1], key[1]) for query, key in zip(queries, keys, strict=True)]
    pairs = sequences(lengths, band)
    h = max((shape[0] for shape in queries), default=0)
    return Pairs(pairs.count, pairs.rows, {"h": h, **pairs.symbols}, pairs.note), "h"


#: Where the diagonal of an operator's `is_causal` lies, as PyTorch documents it.
_BOTTOM_RIGHT = ("aten::_scaled_dot_product_flash_attention",)
_CPU = ("aten::_scaled_dot_product_flash_attention_for_cpu",)
_WHOLE = ("aten::_scaled_dot_product_attention_math_for_mps",)


def _pairs(call: Call) -> tuple[Pairs, str, str]:
    """The pairs that a kernel on (b, h, s, d) tensors computes, all heads, sums of shared heads."""
    query, key = call["query"], call["key"]
    operator = call.operator.removesuffix("_backward")
    skips = bool(call.get("is_causal", False)) and operator not in _WHOLE
    bottom_right = operator in _BOTTOM_RIGHT
    if is_nested(query, key):
        band = Band(right=0 if skips else None, bottom_right=bottom_right)
        return *_nested(call, band), "0"
    queries, keys = query.shape[-2], key.shape[-2]
    if not skips:
        pairs = all_pairs(queries, keys)
    elif operator in _CPU:
        pairs = cpu_blocks(queries, keys)
    else:
        pairs = causal(queries, keys, bottom_right=bottom_right)
    return _dense(pairs, query, key)


@formula(
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_scaled_dot_product_fused_attention_overrideable",
    "aten::_scaled_dot_product_attention_math_for_mps",
    dtype_from="query",
)
@structured_formula(
    "nested",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_scaled_dot_product_fused_attention_overrideable",
)
def scaled_dot_product_attention(call: Call) -> Cost:
    """Two products, the scale, the mask and the softmax, over the pairs that the kernel computes.

    Causal: on the CPU whole blocks of 512 keys; of the others the pairs on or below the diagonal,
    which for flash attention ends at the last query and key and else starts at the first. On MPS
    all pairs are computed.
    """
    pairs, heads, _ = _pairs(call)
    mask = call.get("attn_mask", call.get("attn_bias"))
    return attention_forward(call, pairs, heads, value=call["value"], mask=mask)


@formula(
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    "aten::_scaled_dot_product_flash_attention_backward",
    "aten::_scaled_dot_product_efficient_attention_backward",
    "aten::_scaled_dot_product_cudnn_attention_backward",
    "aten::_scaled_dot_product_fused_attention_overrideable_backward",
    dtype_from="query",
)
@structured_formula(
    "nested",
    "aten::_scaled_dot_product_flash_attention_backward",
    "aten::_scaled_dot_product_efficient_attention_backward",
    "aten::_scaled_dot_product_cudnn_attention_backward",
    "aten::_scaled_dot_product_fused_attention_overrideable_backward",
)
def scaled_dot_product_attention_backward(call: Call) -> Cost:
    """The scores again and four products, over the pairs that the kernel computed forward."""
    pairs, heads, shared = _pairs(call)
    mask = _given(call.get("attn_mask", call.get("attn_bias")))
    return attention_backward(call, pairs, heads, shared=shared, mask=mask)


@formula("aten::_triton_scaled_dot_attention", dtype_from="q")
def triton_scaled_dot_attention(call: Call) -> Cost:
    """Attention on (b, h, s, d) tensors without a mask."""
    query, key = call["q"], call["k"]
    pairs, heads, _ = _dense(all_pairs(query.shape[-2], key.shape[-2]), query, key)
    each = 4 + 2 * (call["dropout_p"] > 0)
    return cost(
        {**pairs.symbols, "d": query.shape[-1]},
        contraction=f"4·{heads}·{pairs.count}·d",
        other=f"{heads}·({times(each, pairs.count)} − {pairs.rows})",
    )


mark_free(
    "chooses a kernel by the shapes and dtypes; computes nothing",
    "aten::_fused_sdp_choice",
    moves_data=False,
)
