"""Scaled dot-product attention, fused or spelled out.

Both compute the same numbers. They reach PyTorch's dispatcher differently, as one kernel or as
matrix products around a softmax, which is why the models here let the caller choose.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Implementation = Literal["fused", "explicit"]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Reshape ``(batch, length, width)`` to ``(batch, heads, length, width / heads)``."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Undo :func:`split_heads`."""
    return x.transpose(1, 2).flatten(2)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    implementation: Implementation = "fused",
    mask: Tensor | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """Let every query position attend to the key positions it may see.

    Parameters
    ----------
    query, key, value : Tensor
        Of shape ``(batch, heads, length, width)``.
    implementation : {"fused", "explicit"}
        PyTorch's fused kernel, or two matrix products around a softmax.
    mask : Tensor, optional
        Boolean, broadcastable to ``(batch, heads, queries, keys)``; true where a query may look.
    causal : bool
        Whether a position sees only itself and what came before it; goes without a mask.
    dropout : float
        Share of the attention weights that is dropped. The caller passes 0 in evaluation.
    """
    if implementation == "fused":
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal
        )
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = F.dropout(scores.softmax(dim=-1), dropout)
    return weights @ value
