"""Operators of NVIDIA's TransformerEngine, by their names: it need not be installed.

Its matrix products, norms and fused attention are called from C++, past PyTorch's dispatcher, and
cannot be seen. What it gives the dispatcher are softmaxes, and tokens that are sent to experts and
back.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost, total
from ipyflops.formulas.families.attention_pairs import Pairs, all_pairs, causal
from ipyflops.formulas.registry import formula, mark_free

_TRIANGLE = ("te_softmax::scaled_upper_triang_masked_softmax", False)
_ALIGNED = ("te_softmax::scaled_aligned_causal_masked_softmax", True)


def _pairs(call: Call, scores: Tensor) -> tuple[Pairs, dict[str, int]]:
    """The scores of each matrix that the operator works on, and its symbols."""
    queries, keys = scores.shape[-2:]
    pairs = all_pairs(queries, keys)
    for name, bottom_right in (_TRIANGLE, _ALIGNED):
        if call.operator.startswith(name):
            pairs = causal(queries, keys, bottom_right=bottom_right)
    return pairs, {"b": scores.shape[:-2].numel(), **pairs.symbols}


@formula(
    "te_softmax::scaled_softmax_fwd",
    "te_softmax::scaled_masked_softmax_fwd",
    "te_softmax::scaled_upper_triang_masked_softmax_fwd",
    "te_softmax::scaled_aligned_causal_masked_softmax_fwd",
)
def scaled_softmax(call: Call) -> Cost:
    """A product with the scale, and a softmax of each row: 3·features − 1 as everywhere.

    A mask takes elements out by their values; it is counted as if it took none.
    """
    pairs, symbols = _pairs(call, call["inputs"])
    other = f"b·(4·{pairs.count} − {pairs.rows})"
    return cost(symbols, other=other, note=pairs.note)


@formula(
    "te_softmax::scaled_softmax_bwd",
    "te_softmax::scaled_masked_softmax_bwd",
    "te_softmax::scaled_upper_triang_masked_softmax_bwd",
    "te_softmax::scaled_aligned_causal_masked_softmax_bwd",
)
def scaled_softmax_backward(call: Call) -> Cost:
    """Gradient scale·y·(g − Σ g·y): two products, a sum, a difference and the scale."""
    pairs, symbols = _pairs(call, call["softmax_results"])
    other = f"b·(5·{pairs.count} − {pairs.rows})"
    return cost(symbols, other=other, note=pairs.note)


@formula("te_moe::unpermute_index_map_fwd", dtype_from="inp")
def unpermuted(call: Call) -> Cost:
    """The results of a token's experts, times their probabilities if there are any, added up."""
    rows, out = call["inp"], first_output(call)
    weighed = "n" if call["probs"].numel() else "0"
    symbols = {"n": rows.numel(), "out": out.numel()}
    return cost(symbols, other=total(weighed, "n − out"), note="n: results of all experts")


@formula("te_moe::unpermute_mask_map_fwd", dtype_from="inp")
def unpermuted_by_mask(call: Call) -> Cost:
    """As with an index; how many experts a token has follows from the rows."""
    rows, out = call["inp"], first_output(call)
    weighed = "0" if call["merging_probs"] is None else "n"
    symbols = {"n": rows.numel(), "out": min(out.numel(), rows.numel())}
    return cost(symbols, other=total(weighed, "n − out"), note="n: results of all experts")


@formula("te_moe::unpermute_index_map_bwd", dtype_from="fwd_input")
def unpermuted_backward(call: Call) -> Cost:
    """Each expert's gradient is the token's times its probability, whose own is a dot product."""
    return _weighed_back(call["fwd_input"], bool(call["probs"].numel()))


@formula("te_moe::unpermute_mask_map_bwd_with_probs", dtype_from="fwd_input")
def unpermuted_by_mask_backward(call: Call) -> Cost:
    """Each expert's gradient is the token's times its probability, whose own is a dot product."""
    return _weighed_back(call["fwd_input"], weighed=True)


def _weighed_back(rows: Tensor, weighed: bool) -> Cost:
    symbols = {"n": rows.numel(), "rows": rows.shape[0]}
    return cost(symbols, other="3·n − rows" if weighed and rows.numel() else "0")


@formula("te_moe::permute_index_map_bwd", dtype_from="grad_permuted_act")
def permuted_backward(call: Call) -> Cost:
    """The gradients of a token's copies are added up."""
    out = first_output(call)
    symbols = {"n": call["grad_permuted_act"].numel(), "out": out.numel()}
    return cost(symbols, other="n − out", note="n: gradients of all copies")


@formula("te_moe::permute_mask_map_bwd", dtype_from="permuted_act_grad")
def permuted_by_mask_backward(call: Call) -> Cost:
    """The gradients of a token's copies are added up."""
    copies, out = call["permuted_act_grad"].numel(), first_output(call).numel()
    symbols = {"n": copies, "out": min(out, copies)}
    return cost(symbols, other="n − out", note="n: gradients of all copies")


mark_free(
    "moves tokens: it does no arithmetic",
    "te_attention::convert_bshd_to_thd",
    "te_attention::convert_thd_to_bshd",
    "te_attention::fa_prepare_bwd",
    "te_attention::fa_prepare_fwd",
    "te_kv_cache::convert_bshd_to_thd",
    "te_kv_cache::convert_thd_to_bshd",
    "te_kv_cache::copy_to_kv_cache",
    "te_moe::chunk_sort_bwd",
    "te_moe::chunk_sort_fwd",
    "te_moe::permute_index_map",
    "te_moe::permute_mask_map_fwd",
    "te_moe::unpermute_mask_map_bwd_no_probs",
)
