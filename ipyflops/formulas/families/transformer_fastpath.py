"""The fast path of transformer encoders and of multi-head attention: a whole layer in one operator.

It is taken in evaluation without gradients. It costs what the layer costs without it, only that the
queries are scaled (n·e) where other kernels scale the scores. n tokens of size e go through three
projections and, after attention, a fourth: 2·4·n·e². Every pair of a query and a key costs 2·e in
the scores and 2·e with the values, over all heads. The biases of all linear maps are in their
accumulators.

With padding removed (nested tensors, which an encoder makes of a padding mask) the linear maps run
on the tokens that are there. On a CPU the attention is padded again up to the longest sequence;
only the softmax is of each sequence's own length. On other devices a fused kernel takes the
sequences as they are, if the size of a head is a multiple of 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.activation_costs import GELU, GELU_TANH, RELU
from ipyflops.formulas.registry import formula, structured_formula
from ipyflops.formulas.special_tensors import component_shapes, last_size


@dataclass(frozen=True, slots=True)
class Tokens:
    """The sequences that a layer works on.

    Attributes
    ----------
    tokens, padded : str
        Expressions for how many tokens there are, and how many the attention works on.
    pairs : str
        Expression for the pairs of a query and a key.
    softmax : str
        Expression for the softmax of one head.
    symbols : dict of str to int
        The values of the symbols in these.
    note : str
        What a reader has to know of them.
    """

    tokens: str
    padded: str
    pairs: str
    softmax: str
    symbols: dict[str, int]
    note: str = ""


def tokens_of(sequences: Tensor, *, padded: bool) -> Tokens:
    """The tokens of sequences (b, s, e), or nested ones.

    Parameters
    ----------
    sequences : Tensor
        The sequences.
    padded : bool
        Whether the attention pads nested sequences.
    """
    if not sequences.is_nested:
        b, s = sequences.shape[:2]
        softmax = "b·s·(3·s − 1)"
        return Tokens("b·s", "b·s", "b·s²", softmax if s else "0", {"b": b, "s": s})
    lengths = [shape[0] for shape in component_shapes(sequences)]
    n, pairs = sum(lengths), sum(length**2 for length in lengths)
    symbols = {"n": n, "pairs": pairs}
    note = "n: the tokens that are not padding; pairs: each with all of its own sequence"
    if not padded:
        return Tokens("n", "n", "pairs", "(3·pairs − n)", symbols, note)
    symbols.update(b=len(lengths), s=max(lengths, default=0))
    note += "; the products of the attention run on b sequences padded to s tokens"
    return Tokens("n", "b·s", "b·s²", "(3·pairs − n)", symbols, note)


def _pads(call: Call, query: Tensor, heads: int) -> bool:
    """Whether nested sequences are padded for the attention."""
    on_cpu = query.device.type == "cpu"
    return on_cpu or bool(call.get("need_weights")) or last_size(query) // heads % 8 != 0


def _attention(tokens: Tokens) -> tuple[str, str]:
    """Expressions for multi-head attention with its four projections: products, and the rest."""
    products = f"8·{tokens.tokens}·e² + 4·{tokens.pairs}·e"
    return products, f"{tokens.padded}·e + h·{tokens.softmax}"


@formula("aten::_native_multi_head_attention", "aten::_triton_multi_head_attention", by_value=True)
@structured_formula(
    "nested", "aten::_native_multi_head_attention", "aten::_triton_multi_head_attention"
)
def multi_head_attention(call: Call) -> Cost:
    """Four projections, scores, softmax, weighted values; the mean of the weights over the heads.

    The mean is there if the weights are wanted and are to be averaged: a sum of h and a division
    for each pair.
    """
    query, heads = call["query"], call["num_head"]
    tokens = tokens_of(query, padded=_pads(call, query, heads))
    products, rest = _attention(tokens)
    averaged = call.get("need_weights") and call.get("average_attn_weights")
    return cost(
        {**tokens.symbols, "e": call["embed_dim"], "h": heads},
        contraction=products,
        other=total(rest, f"{tokens.pairs}·h" if averaged else "0"),
        note=tokens.note,
    )


@formula("aten::_transformer_encoder_layer_fwd", by_value=True)
@structured_formula("nested", "aten::_transformer_encoder_layer_fwd")
def transformer_encoder_layer(call: Call) -> Cost:
    """Multi-head attention, a feed-forward network of f hidden features, two norms, two sums.

    The network: 2·n·e·f twice, and an activation of each hidden feature (the GELU is the exact one
    on a CPU, its tanh approximation in cuBLAS). A layer norm: mean, difference, square and their
    mean as 4 for each element, eps and the root as 2 for each token, then difference, product,
    weight and bias as 4 for each element. The sums with what came in: n·e each.
    """
    source, heads = call["src"], call["num_heads"]
    if source.numel() == 0:
        return ZERO_COST
    tokens = tokens_of(source, padded=_pads(call, source, heads))
    products, rest = _attention(tokens)
    activation = RELU
    if call["use_gelu"]:
        activation = GELU_TANH if source.is_cuda else GELU
    n = tokens.tokens
    return cost(
        {
            **tokens.symbols,
            "e": call["embed_dim"],
            "h": heads,
            "f": call["ffn_weight_1"].shape[0],
        },
        contraction=f"{products} + 4·{n}·e·f",
        other=f"{rest} + {times(activation, f'{n}·f')} + 2·{n}·(8·e + 2) + 2·{n}·e",
        note=tokens.note,
    )


@formula("aten::_transform_bias_rescale_qkv", by_value=True)
@structured_formula("nested", "aten::_transform_bias_rescale_qkv")
def transform_bias_rescale_qkv(call: Call) -> Cost:
    """By itself: the biases of queries, keys and values are added, the queries scaled.

    On a CPU nested sequences are padded first.
    """
    projected = call["qkv"]
    tokens = tokens_of(projected, padded=projected.device.type == "cpu")
    e = last_size(projected) // 3
    return cost({**tokens.symbols, "e": e}, other=f"4·{tokens.padded}·e", note=tokens.note)


@formula("aten::_nested_tensor_softmax_with_shape", by_value=True)
@structured_formula("nested", "aten::_nested_tensor_softmax_with_shape")
def nested_tensor_softmax_with_shape(call: Call) -> Cost:
    """The softmax of padded scores (b, h, s, s), over the length of each sequence alone."""
    lengths = [shape[0] for shape in component_shapes(call["query"])]
    return Cost.of(
        other="h·(3·pairs − n)",
        note="n: the tokens that are not padding; pairs: each with all of its own sequence",
        h=call["self"].shape[1],
        n=sum(lengths),
        pairs=sum(length**2 for length in lengths),
    )
