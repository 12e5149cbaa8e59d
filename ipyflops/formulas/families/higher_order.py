"""Higher-order operators that are kernels of their own: flexible attention, Triton kernels.

All other higher-order operators (``cond``, ``scan``, ``map``, …) only call the functions that they
are given, which are counted as they run.

Only the author of a Triton kernel can say what it costs. So each kernel that PyTorch launches
(``torch.library.wrap_triton``) counts as an operator of its own, ``triton::`` and its name. It is
unknown until a formula is registered for it (`families.linear_attention_kernels` has some). A
kernel that is launched by hand passes no dispatcher and is not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ipyflops.costs import Cost, conventions
from ipyflops.formulas.call import Call
from ipyflops.formulas.operator_names import TRITON_LAUNCHES
from ipyflops.formulas.registry import (
    REGISTRY,
    Formula,
    NoFormulaError,
    formula,
    lookup,
)
from ipyflops.formulas.special_tensors import has_values
from ipyflops.torch_private import TorchDispatchMode, launched_triton_constants

# Positions in the flat form of a BlockMask.
_BLOCKS, _INDICES, _FULL_BLOCKS, _FULL_INDICES = 2, 3, 4, 5
_QUERY_BLOCK, _KEY_BLOCK = -3, -2


@formula("higher_order::flex_attention", by_value=True, dtype_from=0)
def flex_attention(call: Call) -> Cost:
    """Attention over the blocks of a mask: two products, softmax, and the user's score function.

    The scores of p pairs of a query and a key are computed, those of all blocks that the mask
    keeps, whole: p·d multiply-accumulates for the scores, p·d_v for the values. Beside these, for
    each pair the scaling, the score function (counted by running it on one pair), and a softmax
    over the pairs of each row: 3·p − rows.
    """
    query, score_function = call.args[0], call.args[3]
    return _over_pairs(
        call,
        mask_position=4,
        contraction="2·p·(d + d_v)",
        other="p·(1 + f) + 3·p − rows",
        f=_cost_of_one(score_function, query),
    )


@formula("higher_order::flex_attention_backward", by_value=True, dtype_from=0)
def flex_attention_backward(call: Call) -> Cost:
    """Five products over the same pairs, and the softmax backwards.

    The scores are computed again (d), then the gradients of the values (d_v), of the
    probabilities (d_v), of queries (d) and keys (d). Per pair: scale and exponential for the
    probability, subtract and multiply for the gradient of the softmax, and its scaling: 5. The
    row sums of gradient times output take 2·d_v for each row.
    """
    return _over_pairs(
        call, mask_position=9, contraction="2·p·(3·d + 2·d_v)", other="5·p + 2·rows·d_v"
    )


def _over_pairs(
    call: Call, *, mask_position: int, contraction: str, other: str, **symbols: int
) -> Cost:
    """Cost in the symbols p (pairs), d and d_v (sizes of a key and a value), rows, and others."""
    query, value = call.args[0], call.args[2]
    pairs, rows, note = _pairs(call, mask_position)
    sizes = {"p": pairs, "d": query.shape[-1], "d_v": value.shape[-1], **symbols, "rows": rows}
    return Cost.of(contraction=contraction, other=other, note=note, **sizes)


def _pairs(call: Call, mask_position: int) -> tuple[int, int, str]:
    """Pairs of queries and keys in the blocks that the mask keeps, rows of queries, and a note."""
    query, key, mask = call.args[0], call.args[1], call.args[mask_position]
    batch, heads, queries = query.shape[:3]
    keys = key.shape[2]
    rows = batch * heads * queries
    without_values = rows * keys, rows, "the mask has no values here: all pairs are counted"
    if mask[_BLOCKS] is not None and not has_values(mask[_BLOCKS]):
        return without_values
    try:
        pairs = sum(
            _pairs_of(mask[blocks], mask[indices], mask, batch, heads, queries, keys)
            for blocks, indices in ((_BLOCKS, _INDICES), (_FULL_BLOCKS, _FULL_INDICES))
            if mask[blocks] is not None
        )
    except (RuntimeError, NotImplementedError):
        return without_values
    return pairs, rows, "the pairs in the blocks that the mask keeps"


def _pairs_of(
    counts: torch.Tensor,
    indices: torch.Tensor,
    mask: tuple[Any, ...],
    batch: int,
    heads: int,
    queries: int,
    keys: int,
) -> int:
    """Pairs in blocks of one kind; the last block of a row or column may be cut off."""
    width, height = mask[_KEY_BLOCK], mask[_QUERY_BLOCK]
    # One mask may serve all heads, or the whole batch.
    repeats = (batch // counts.shape[0]) * (heads // counts.shape[1])
    kept = torch.arange(indices.shape[-1], device=counts.device) < counts[..., None]
    columns = (keys - indices * width).clamp(0, width) * kept
    starts = torch.arange(counts.shape[-1], device=counts.device) * height
    lengths = (queries - starts).clamp(0, height)
    return int((columns.sum(-1) * lengths).sum().item()) * repeats


class _Sum(TorchDispatchMode):
    """Adds up the FLOPs of what runs under it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        verdict = lookup(func)
        if isinstance(verdict, Formula):
            self.flops += conventions.flops(
                verdict(Call(func, args, kwargs or {}, out)), "standard"
            )
        return out


def _cost_of_one(function: Callable[..., Any], query: torch.Tensor) -> int:
    """FLOPs of a score function for one pair: it is run on a score and four indices."""
    with _Sum() as total, torch.no_grad():
        index = torch.zeros((), dtype=torch.int64, device=query.device)
        score = torch.zeros((), dtype=torch.float32, device=query.device)
        function(score, index, index, index, index)
    return int(total.flops)


@formula(*TRITON_LAUNCHES, by_value=True)
def triton_kernel(call: Call) -> Cost:
    """What a user or this package has registered for the kernel, called with its own arguments.

    The formula reads these by their names, and the grid of the launch as ``grid``.
    """
    registered = REGISTRY.kernel_verdict(call.operator)
    if not isinstance(registered, Formula):
        raise NoFormulaError(call.operator)
    constants = launched_triton_constants(call.kwargs["constant_args_idx"])
    arguments = {"grid": call.kwargs["grid"], **constants, **call.kwargs["kwargs"]}
    return registered(Call(call.func, (), arguments, call.out, name=call.operator))
