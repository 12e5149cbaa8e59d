"""Triton kernels of flash-linear-attention, by their names.

A sequence is cut into chunks of BT tokens. A state of K×V goes from chunk to chunk; inside a chunk
every query meets every key, and those behind it are masked. So with `pairs` for the pairs inside
of all chunks a head takes tokens·K·V multiply-accumulates for the state and pairs·K or pairs·V for
each product inside.
"""

from __future__ import annotations

from itertools import pairwise

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.offsets import offsets_of
from ipyflops.formulas.registry import NoFormulaError, formula


def _sizes(call: Call, heads: str, *needed: str) -> dict[str, int]:
    """The symbols of a call, over all sequences and heads.

    Raises
    ------
    NoFormulaError
        If another library's kernel of that name has other arguments, or offsets have no values.
    """
    if not all(name in call for name in (heads, "T", "K", "V", "BT", "cu_seqlens", *needed)):
        raise NoFormulaError(call.operator)
    length, chunk, cut = call["T"], call["BT"], call["cu_seqlens"]
    tensor = call[needed[0]]  # (b, T, heads, size)
    lengths = [length] * tensor.shape[0]
    if cut is not None:
        ends = offsets_of(cut)
        if ends is None:
            raise NoFormulaError(call.operator)
        lengths = [end - begin for begin, end in pairwise(ends)]
    pairs = sum(one // chunk * chunk**2 + (one % chunk) ** 2 for one in lengths)
    chunks = sum(-(-one // chunk) for one in lengths)
    return {
        "h": call[heads],
        "tokens": sum(lengths),
        "pairs": pairs,
        "chunks": chunks,
        "K": call["K"],
        "V": call["V"],
    }


_NOTE = "pairs: of a query and a key inside of the chunks, which the kernel computes whole"


def _decays(call: Call) -> bool:
    """Whether each token has a number by which the state decays."""
    return call.get("g") is not None or call.get("g_gamma") is not None


@formula("triton::chunk_fwd_kernel_h", by_value=True)
def chunk_states(call: Call) -> Cost:
    """The states between chunks: kᵀ·v of every token, added to a state that may decay.

    A decay by token is an exponential for each, one of each chunk, and their products with the
    values and the state; by token and key or value it is one for each of these numbers.
    """
    sizes = _sizes(call, "H", "k", "v", "h", "gk", "gv")
    other = "0"
    if _decays(call):
        other = "h·(3·tokens + 2·chunks + tokens·V + chunks·K·V)"
    for name, size in (("gk", "K"), ("gv", "V")):
        if call[name] is not None:
            other = total(other, f"h·(3·tokens·{size} + chunks·({size} + K·V))")
    return cost(sizes, contraction="2·h·tokens·K·V", other=other)


@formula("triton::chunk_fwd_kernel_o", by_value=True)
def chunk_outputs(call: Call) -> Cost:
    """The outputs: q·state, and the values weighed by q·kᵀ inside of the chunk; both are scaled."""
    sizes = _sizes(call, "HV", "v", "q", "k", "h", "o")
    other = "3·h·tokens·V"
    if _decays(call):
        other = total(other, "h·(tokens + tokens·V + 3·pairs)")
    contraction = "2·h·(tokens·K·V + pairs·K + pairs·V)"
    return cost(sizes, contraction=contraction, other=other, note=_NOTE)


@formula("triton::chunk_bwd_kernel_dv", by_value=True)
def chunk_value_gradients(call: Call) -> Cost:
    """The gradients of the values: k·dstate, and the outputs' weighed by k·qᵀ, which is scaled."""
    sizes = _sizes(call, "HV", "do", "q", "k", "dh", "dv")
    other = "h·pairs"
    if _decays(call):
        other = total(other, "h·(3·pairs + 2·tokens + tokens·V)")
    contraction = "2·h·(tokens·K·V + pairs·K + pairs·V)"
    return cost(sizes, contraction=contraction, other=other, note=_NOTE)


@formula("triton::chunk_bwd_kernel_dv_local", by_value=True)
def chunk_value_gradients_inside(call: Call) -> Cost:
    """Those inside of the chunks alone; k·qᵀ may be given."""
    sizes = _sizes(call, "HV", "do", "q", "k", "A", "dv")
    if call["A"] is not None:
        return cost(sizes, contraction="2·h·pairs·V", note=_NOTE)
    other = total("h·pairs", "3·h·pairs" if _decays(call) else "0")
    return cost(sizes, contraction="2·h·pairs·(K + V)", other=other, note=_NOTE)


@formula("triton::chunk_bwd_kernel_dh", by_value=True)
def chunk_state_gradients(call: Call) -> Cost:
    """The gradients of the states: (q·scale)ᵀ·do of every token, added to one that may decay."""
    sizes = _sizes(call, "HQ", "do", "q", "dh", "gk", "gv")
    other = "h·tokens·K"
    if _decays(call):
        other = total(other, "h·(tokens·(1 + K) + chunks·(1 + K·V))")
    for name, size in (("gk", "K"), ("gv", "V")):
        if call[name] is not None:
            other = total(other, f"h·(2·tokens·{size} + chunks·({size} + K·V))")
    return cost(sizes, contraction="2·h·tokens·K·V", other=other)


@formula("triton::chunk_bwd_kernel_dqkwg", by_value=True)
def chunk_query_and_key_gradients(call: Call) -> Cost:
    """The gradients of queries and keys, and of what the delta rule and the decay have beside them.

    From the states do·stateᵀ and v·dstateᵀ; inside of the chunk do·vᵀ weighs the keys and the
    queries. The delta rule has one more product with the states, whose sign changes. A decay by
    token is three exponents (and what they are taken of), the products with them, and its own
    gradient: sums of the states', queries' and keys' products with their gradients.
    """
    sizes = _sizes(call, "HV", "do", "q", "k", "v", "h", "dh", "dq", "dk", "dw")
    contraction = "2·h·(2·tokens·K·V + pairs·V + 2·pairs·K)"
    other = "3·h·tokens·K"
    if _decays(call):
        other = "h·(3·tokens + 3·tokens·K + 4·pairs)"
    if call.get("g") is not None:
        other = total(other, "h·(tokens + 6·tokens·K + chunks·(2·K·V + 2))")
    if call["dw"] is not None:
        contraction = "2·h·(3·tokens·K·V + pairs·V + 2·pairs·K)"
        other = total(other, "h·tokens·K")
    return cost(sizes, contraction=contraction, other=other, note=_NOTE)
