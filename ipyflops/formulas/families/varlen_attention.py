"""Attention kernels that take sequences of different lengths, packed one behind the other.

Offsets tell where each sequence begins. They are values on the device, and an exact count has to
read them. Where there are none to read (meta and fake tensors), every sequence is taken to
be of the greatest length. The counts for each pair are those of `families.attention`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.families.attention import attention_backward, attention_forward
from ipyflops.formulas.families.attention_pairs import Band, Pairs, sequences
from ipyflops.formulas.offsets import offsets_of
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values

#: `custom_mask_type` of the memory-efficient kernel.
_TOP_LEFT, _BOTTOM_RIGHT = 1, 2


def _lengths(
    offsets: Tensor | None, used: Tensor | None, longest: int, sequences: int
) -> tuple[list[int], bool]:
    """The lengths of packed sequences, and whether they are known.

    Parameters
    ----------
    offsets : Tensor or None
        Where each sequence begins, and the end of the last.
    used : Tensor or None
        How much of each sequence is used, if not all.
    longest : int
        The greatest length.
    sequences : int
        How many sequences there are.
    """
    known = True
    if used is not None:
        lengths = offsets_of(used) if has_values(used) else None
        if lengths is not None:
            return list(lengths), True
        known = False
    if offsets is None:
        return [longest] * sequences, known
    begins = offsets_of(offsets) if has_values(offsets) else None
    if begins is None:
        return [longest] * (offsets.numel() - 1), False
    return [end - begin for begin, end in pairwise(begins)], known


def packed(
    queries: tuple[Tensor | None, int],
    keys: tuple[Tensor | None, Tensor | None, int],
    batch: int,
    heads: int,
    band: Band,
) -> Pairs:
    """The pairs of one head of packed sequences; the symbol h is put to them."""
    s_q, queries_known = _lengths(queries[0], None, queries[1], batch)
    s_k, keys_known = _lengths(*keys, len(s_q))
    pairs = sequences(zip(s_q, s_k, strict=True), band)
    note = pairs.note
    if not (queries_known and keys_known):
        note += "; the offsets have no values here, so each is taken to be the longest: too many"
    return Pairs(pairs.count, pairs.rows, {"h": heads, **pairs.symbols}, note)


def _flash(call: Call, *, window: Sequence[int] | None = None) -> Pairs:
    """The pairs of the flash kernels: (tokens, h, d) with offsets, or (b, s, h, d) without."""
    query, key = call["query"], call["key"]
    left, right = window or (call.get("window_size_left"), call.get("window_size_right"))
    if call.get("is_causal"):
        right = 0
    band = Band(limit(left), limit(right))
    offsets_q = call.get("cum_seq_q", call.get("cu_seq_q"))
    offsets_k = call.get("cum_seq_k", call.get("cu_seq_k"))
    paged = call.get("block_table") is not None
    batch = query.shape[0] if offsets_q is None else offsets_q.numel() - 1
    longest_q = query.shape[1] if offsets_q is None else call["max_q"]
    longest_k = key.shape[1] if offsets_k is None and not paged else call["max_k"]
    keys = offsets_k, call.get("seqused_k"), longest_k
    return packed((offsets_q, longest_q), keys, batch, query.shape[-2], band)


def limit(size: int | None) -> int | None:
    """A window's size, where −1 means no limit as None does."""
    return None if size is None or size < 0 else size


@formula(
    "aten::_flash_attention_forward",
    "aten::_flash_attention_forward_no_dropout_inplace",
    by_value=True,
    dtype_from="query",
)
def flash_attention_forward(call: Call) -> Cost:
    """Attention inside each sequence; the diagonal (causal, windows) ends at the last key.

    With `alibi_slopes` every pair has a multiple of its distance added (2).
    """
    pairs = _flash(call)
    extra = 2 if call.get("alibi_slopes") is not None else 0
    return attention_forward(call, pairs, "h", value=call["value"], extra=extra)


@formula("aten::_flash_attention_backward", by_value=True, dtype_from="query")
def flash_attention_backward(call: Call) -> Cost:
    """The scores again and four products, over the pairs that ran forward."""
    return _flash_backward(call, _flash(call))


@formula(
    "torch_attn::_varlen_attn", "torch_attn::_varlen_attn_out", by_value=True, dtype_from="query"
)
def varlen_attention(call: Call) -> Cost:
    """`torch.nn.attention.varlen.varlen_attn`, which is the flash (or cuDNN) kernel."""
    pairs = _flash(call, window=call["window_size"])
    return attention_forward(call, pairs, "h", value=call["value"])


@formula("torch_attn::_varlen_attn_backward", by_value=True, dtype_from="query")
def varlen_attention_backward(call: Call) -> Cost:
    """The gradients of `varlen_attn`."""
    return _flash_backward(call, _flash(call, window=call["window_size"]))


def _flash_backward(call: Call, pairs: Pairs) -> Cost:
    key, h = call["key"], call["query"].shape[-2]
    h_kv, shared = key.shape[-2], "0"
    if h_kv < h:
        tokens = math.prod(key.shape[:-2])
        symbols = {**pairs.symbols, "h_kv": h_kv, "tokens": tokens}
        pairs = Pairs(pairs.count, pairs.rows, symbols, pairs.note)
        shared = "(h − h_kv)·tokens·(d + d_v)"
    return attention_backward(call, pairs, "h", shared=shared)


@formula("aten::_cudnn_attention_forward", by_value=True, dtype_from="query")
def cudnn_attention_forward(call: Call) -> Cost:
    """Attention of (tokens, h, d) with offsets, (b, h, s, d) without; causal from the top left."""
    return attention_forward(call, _cudnn(call), "h", value=call["value"], mask=call["attn_bias"])


@formula("aten::_cudnn_attention_forward_no_dropout_inplace", by_value=True, dtype_from="query")
def cudnn_attention_forward_into(call: Call) -> Cost:
    """As `_cudnn_attention_forward`, into a tensor that is given, with offsets and no bias.

    Keys of a cache have the lengths that are used, and the causal diagonal ends at the last one.
    """
    return attention_forward(call, _cudnn(call), "h", value=call["value"])


@formula("aten::_cudnn_attention_backward", by_value=True, dtype_from="query")
def cudnn_attention_backward(call: Call) -> Cost:
    """The scores again and four products, over the pairs that ran forward."""
    bias = call["attn_bias"]
    mask = None if bias is None or bias.numel() == 0 else bias
    return attention_backward(call, _cudnn(call), "h", mask=mask)


def _cudnn(call: Call) -> Pairs:
    query, key = call["query"], call["key"]
    used = call.get("seqused_k")
    band = Band(right=0 if call["is_causal"] else None, bottom_right=used is not None)
    if query.dim() == 4:
        lengths = (None, query.shape[2]), (None, None, key.shape[2])
        return packed(*lengths, query.shape[0], query.shape[1], band)
    offsets_q, offsets_k = call["cum_seq_q"], call["cum_seq_k"]
    batch = offsets_q.numel() - 1 if offsets_q is not None else 1
    lengths = (offsets_q, call["max_q"]), (offsets_k, used, call["max_k"])
    return packed(*lengths, batch, query.shape[1], band)


@formula("aten::_efficient_attention_forward", by_value=True, dtype_from="query")
def efficient_attention_forward(call: Call) -> Cost:
    """Attention of (1, tokens, h, d) with offsets or (b, s, h, d) without.

    The mask type tells whether it is causal, and which way; a window of w lets a query see the w
    keys up to its own.
    """
    return attention_forward(call, _efficient(call), "h", value=call["value"], mask=call["bias"])


@formula("aten::_efficient_attention_backward", by_value=True, dtype_from="query")
def efficient_attention_backward(call: Call) -> Cost:
    """The scores again and four products, over the pairs that ran forward."""
    return attention_backward(call, _efficient(call), "h", mask=call["bias"])


def _efficient(call: Call) -> Pairs:
    query, key, kind = call["query"], call["key"], call["custom_mask_type"]
    size = call["window_size"]
    band = Band(
        left=size - 1 if size is not None and size > 0 else None,
        right=0 if kind in (_TOP_LEFT, _BOTTOM_RIGHT) else None,
        bottom_right=kind == _BOTTOM_RIGHT,
    )
    offsets_q, offsets_k = call["cu_seqlens_q"], call["cu_seqlens_k"]
    batch = query.shape[0] if offsets_q is None else offsets_q.numel() - 1
    longest_q = query.shape[1] if offsets_q is None else call["max_seqlen_q"]
    longest_k = key.shape[1] if offsets_k is None else call["max_seqlen_k"]
    keys = offsets_k, call.get("seqlen_k"), longest_k
    return packed((offsets_q, longest_q), keys, batch, query.shape[2], band)
