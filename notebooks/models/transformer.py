"""A small transformer language model that trains a step in well under a second on a CPU.

Where GPT-2 shows the classic block, this is today's: root-mean-square norms, a gated feed-forward
part, no biases.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import attention, merge_heads, split_heads


class SelfAttention(nn.Module):
    """Multi-head attention in which a token sees itself and the tokens before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens of ``x``, of shape ``(batch, length, width)``."""
        query, key, value = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, -1))
        mixed = attention(query, key, value, causal=True)
        return self.out(merge_heads(mixed))


class GatedFeedForward(nn.Module):
    """SwiGLU (Shazeer, 2020): one linear layer opens and shuts the other, entry by entry."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token of ``x`` by itself."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """Attention, then a feed-forward part, each on normalised input and added to what came in."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(width)
        self.attention = SelfAttention(width, heads)
        self.feed_forward_norm = nn.RMSNorm(width)
        self.feed_forward = GatedFeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next layer's tokens for ``x`` of shape ``(batch, length, width)``."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class TransformerLM(nn.Module):
    """A decoder-only language model; the defaults make 2.6 million parameters.

    Parameters
    ----------
    vocabulary : int
        How many tokens there are.
    context : int
        The longest sequence.
    layers, heads, width : int
        Blocks, attention heads in each, size of a token's vector.
    tied : bool
        Whether the output layer shares the token embedding's weight.
    """

    def __init__(
        self,
        vocabulary: int = 4096,
        context: int = 128,
        layers: int = 4,
        heads: int = 3,
        width: int = 192,
        tied: bool = True,
    ) -> None:
        super().__init__()
        # Three matrices of 8/3 the width hold as many numbers as two of 4 times the width.
        hidden = 8 * width // 3
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.layers = nn.ModuleList(Block(width, heads, hidden) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.head.weight = self.tokens.weight
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores ``(batch, length, vocabulary)`` for ``tokens`` ``(batch, length)``."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.positions(places)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))
