"""Attention kernels of packages, by their names: flash_attn, flash_attn_3 and xformers.

They need not be installed. Tensors are (tokens, h, d) with offsets of packed sequences, and
(b, s, h, d) without; keys are (blocks, tokens, h, d) where a table of pages says whose they are.
The costs of a pair are those of `families.attention`; which pairs there are is read from the
offsets as in `families.varlen_attention`. All of these kernels align the diagonal at the last key.

flash_attn's kernels for a cache of keys (``flash_attn_with_kvcache``) are called past PyTorch's
dispatcher, and cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.families.attention_pairs import Band, Pairs
from ipyflops.formulas.families.varlen_attention import limit, packed
from ipyflops.formulas.registry import NoFormulaError, formula

#: A soft limit on the scores: they are divided, go through tanh (5), and are multiplied; backward
#: that again, and a product with 1 − tanh².
_SOFTCAP, _SOFTCAP_BACKWARD = 7, 10


@dataclass(frozen=True, slots=True)
class _Attention:
    """A call of one of the kernels, whatever its arguments are called.

    Attributes
    ----------
    query, key, value : Tensor
    band : Band
    offsets : (Tensor or None, Tensor or None)
        Of queries and of keys.
    longest : (int or None, int or None)
        The greatest lengths of them.
    used : Tensor or None
        How many keys of each sequence are used.
    paged : bool
        Whether the keys are stored in pages.
    scale : float or None
    dropout, softcap : float
    extra : int
        Further operations on each pair.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    band: Band
    offsets: tuple[Tensor | None, Tensor | None] = (None, None)
    longest: tuple[int | None, int | None] = (None, None)
    used: Tensor | None = None
    paged: bool = False
    scale: float | None = None
    dropout: float = 0.0
    softcap: float = 0.0
    extra: int = 0

    def pairs(self) -> Pairs:
        """The pairs of one head."""
        query, key, (offsets_q, offsets_k) = self.query, self.key, self.offsets
        batch = query.shape[0] if offsets_q is None else offsets_q.numel() - 1
        # Without offsets the lengths are those of the tensors; a table of pages tells neither.
        own_q = query.shape[1] if offsets_q is None else query.shape[0]
        own_k = key.shape[1] if offsets_k is None else key.shape[0]
        longest_q = own_q if offsets_q is None else self.longest[0] or own_q
        longest_k = self.longest[1] or own_k if self.paged or offsets_k is not None else own_k
        keys = offsets_k, self.used, longest_k
        return packed((offsets_q, longest_q), keys, batch, query.shape[-2], self.band)

    def forward(self) -> Cost:
        """Two products over the pairs, and the softmax."""
        pairs = self.pairs()
        each = 3 + (self.scale != 1) + 2 * (self.dropout > 0) + self.extra
        each += _SOFTCAP * (self.softcap > 0)
        return cost(
            {**pairs.symbols, "d": self.query.shape[-1], "d_v": self.value.shape[-1]},
            contraction=f"2·h·{pairs.count}·(d + d_v)",
            other=f"h·({each}·{pairs.count} − {pairs.rows})",
            note=pairs.note,
        )

    def backward(self) -> Cost:
        """The scores again and four products, over the pairs that ran forward."""
        pairs, key = self.pairs(), self.key
        each = 4 + 2 * (self.scale != 1) + 4 * (self.dropout > 0) + self.extra
        each += _SOFTCAP_BACKWARD * (self.softcap > 0)
        symbols = {**pairs.symbols, "d": self.query.shape[-1], "d_v": self.value.shape[-1]}
        shared = "0"
        if key.shape[-2] < self.query.shape[-2]:
            tokens = key.numel() // (key.shape[-1] * key.shape[-2] or 1)
            symbols |= {"h_kv": key.shape[-2], "tokens": tokens}
            shared = "(h − h_kv)·tokens·(d + d_v)"
        return cost(
            symbols,
            contraction=f"2·h·{pairs.count}·(3·d + 2·d_v)",
            other=total(f"h·({each}·{pairs.count} + {pairs.rows}·(2·d_v − 1))", shared),
            note=pairs.note,
        )


def _band(causal: bool, left: int, right: int) -> Band:
    return Band(limit(left), 0 if causal else limit(right))


# --- flash_attn ----------------------------------------------------------------------------------


def _flash_attn(call: Call) -> _Attention:
    if call.get("leftpad_k") is not None:
        raise NoFormulaError(call.operator)  # keys begin where another tensor says
    return _Attention(
        call["q"],
        call["k"],
        call["v"],
        _band(call["causal"], call["window_size_left"], call["window_size_right"]),
        offsets=(call.get("cu_seqlens_q"), call.get("cu_seqlens_k")),
        longest=(call.get("max_seqlen_q"), call.get("max_seqlen_k")),
        used=call.get("seqused_k"),
        paged=call.get("block_table") is not None,
        scale=call["softmax_scale"],
        dropout=call["dropout_p"],
        softcap=call["softcap"],
        # ALiBi adds a multiple of the distance to each score.
        extra=0 if call["alibi_slopes"] is None else 2,
    )


@formula(
    "flash_attn::_flash_attn_forward",
    "flash_attn::_flash_attn_varlen_forward",
    by_value=True,
    dtype_from="q",
)
def flash_attn(call: Call) -> Cost:
    """flash_attn 2: attention inside each sequence, over the pairs that its window leaves."""
    return _flash_attn(call).forward()


@formula(
    "flash_attn::_flash_attn_backward",
    "flash_attn::_flash_attn_varlen_backward",
    by_value=True,
    dtype_from="q",
)
def flash_attn_backward(call: Call) -> Cost:
    """flash_attn 2: the scores again and four products."""
    return _flash_attn(call).backward()


# --- flash_attn_3 --------------------------------------------------------------------------------


def _flash_attn_3(call: Call) -> _Attention:
    rare = ("leftpad_k", "rotary_cos", "k_new", "qv", "q_v")
    if any(call.get(name) is not None for name in rare) or call.get("attention_chunk"):
        raise NoFormulaError(call.operator)
    causal = call["causal"] if "causal" in call else call["is_causal"]
    return _Attention(
        call["q"],
        call["k"],
        call["v"],
        _band(causal, call["window_size_left"], call["window_size_right"]),
        offsets=(call["cu_seqlens_q"], call["cu_seqlens_k"]),
        longest=(call["max_seqlen_q"], call["max_seqlen_k"]),
        used=call["seqused_k"] if "seqused_k" in call else call["sequed_k"],
        paged=call.get("page_table") is not None,
        scale=call["softmax_scale"],
        softcap=call["softcap"],
    )


@formula("flash_attn_3::_flash_attn_forward", "flash_attn_3::fwd", by_value=True, dtype_from="q")
def flash_attn_3(call: Call) -> Cost:
    """flash_attn 3: as flash_attn 2; caches that grow in the call have no formula."""
    return _flash_attn_3(call).forward()


@formula("flash_attn_3::_flash_attn_backward", "flash_attn_3::bwd", by_value=True, dtype_from="q")
def flash_attn_3_backward(call: Call) -> Cost:
    """flash_attn 3: the scores again and four products."""
    return _flash_attn_3(call).backward()


@formula("flash_attn_3::fwd_combine", dtype_from="out_partial")
def flash_attn_3_combine(call: Call) -> Cost:
    """Results over parts of the keys are weighed by their logsumexp and added up.

    For each row and part a difference, an exponential, a sum and a quotient; for each output a
    product and a sum.
    """
    partial, rows = call["out_partial"], call["lse_partial"]
    symbols = {"parts": partial.numel(), "n": partial[0].numel(), "rows": rows.numel()}
    return cost(
        symbols, other="2·parts − n + 4·rows", note="parts: elements of all partial results"
    )


# --- xformers ------------------------------------------------------------------------------------


def _xformers(call: Call) -> _Attention:
    if call.get("leftpad_k") is not None:
        raise NoFormulaError(call.operator)
    tables = call.get("block_tables"), call.get("block_table")
    return _Attention(
        call["query"],
        call["key"],
        call["value"],
        _band(call["is_causal"], call["window_left"], call["window_right"]),
        offsets=(call["cu_seqlens_q"], call["cu_seqlens_k"]),
        longest=(call["max_seqlen_q"], call["max_seqlen_k"]),
        used=call.get("seqused_k"),
        paged=any(table is not None for table in tables),
        scale=call["softmax_scale"],
        dropout=call.get("p", 0.0),
    )


@formula(
    "xformers_flash::flash_fwd", "xformers_flash3::flash_fwd", by_value=True, dtype_from="query"
)
def xformers_flash(call: Call) -> Cost:
    """Xformers' way to flash_attn: attention inside each sequence."""
    return _xformers(call).forward()


@formula(
    "xformers_flash::flash_bwd", "xformers_flash3::flash_bwd", by_value=True, dtype_from="query"
)
def xformers_flash_backward(call: Call) -> Cost:
    """Xformers' way to flash_attn: the scores again and four products."""
    return _xformers(call).backward()


@formula("xformer::memory_efficient_attention_forward", dtype_from="q")
def xformers_attention(call: Call) -> Cost:
    """Every query of (b, s, h, d) with every key; a bias is added where there is one."""
    attention = _Attention(
        call["q"], call["k"], call["v"], Band(), scale=call["scale"], dropout=call["p"] or 0.0
    )
    if call["q"].dim() == 3:  # one head
        one = (call[name].unsqueeze(2) for name in "qkv")
        attention = replace(attention, **dict(zip(("query", "key", "value"), one, strict=True)))
    return replace(attention, extra=int(call["b"] is not None)).forward()
