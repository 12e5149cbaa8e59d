"""Llama 3 (Grattafiori et al., 2024), in the three published sizes, with a cache for generation.

The 405-billion-parameter one fits in no usual machine. It need not: under ``%%flops --fake``, or on
``torch.device("meta")``, its tensors have shapes and no memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a Llama; the defaults are those of the 8-billion-parameter one.

    Attributes
    ----------
    vocabulary : int
        How many tokens there are.
    layers, width, hidden : int
        Layers, size of a token's vector, size inside the feed-forward part.
    heads, kv_heads : int
        Heads of queries, and the fewer heads of keys and values that they share.
    theta : float
        Base of the rotary positions' wave lengths.
    """

    vocabulary: int = 128_256
    layers: int = 32
    width: int = 4096
    hidden: int = 14_336
    heads: int = 32
    kv_heads: int = 8
    theta: float = 500_000.0

    @property
    def head_width(self) -> int:
        """Size of a head's queries, keys and values."""
        return self.width // self.heads


LLAMA_8B = LlamaConfig()
LLAMA_70B = LlamaConfig(layers=80, width=8192, hidden=28_672, heads=64)
LLAMA_405B = LlamaConfig(layers=126, width=16_384, hidden=53_248, heads=128)


class Cache:
    """The keys and values of the tokens so far, so that each is computed once.

    Parameters
    ----------
    config : LlamaConfig
    batch, tokens : int
        How many sequences, and how long one can become.
    like : Tensor
        Has the dtype and device of the keys and values.
    filled : int
        How many tokens it has already, as for counting a step in the middle of a text.
    """

    def __init__(
        self, config: LlamaConfig, batch: int, tokens: int, like: Tensor, filled: int = 0
    ) -> None:
        shape = (batch, config.kv_heads, tokens, config.head_width)
        self.keys = [like.new_empty(shape) for _ in range(config.layers)]
        self.values = [like.new_empty(shape) for _ in range(config.layers)]
        self.length = filled

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep new keys and values of a layer; gives all that it has now."""
        end = self.length + keys.shape[2]
        self.keys[layer][:, :, self.length : end] = keys
        self.values[layer][:, :, self.length : end] = values
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]


class Attention(nn.Module):
    """Causal attention in which several heads of queries share one of keys and values."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_width = config.head_width
        shared = config.kv_heads * config.head_width
        self.q = nn.Linear(config.width, config.width, bias=False)
        self.k = nn.Linear(config.width, shared, bias=False)
        self.v = nn.Linear(config.width, shared, bias=False)
        self.o = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        """Mix the tokens of ``x``, of shape ``(batch, length, width)``."""
        q, k = rotate(self._heads(self.q(x)), *turn), rotate(self._heads(self.k(x)), *turn)
        v = self._heads(self.v(x))
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        new, known = q.shape[2], k.shape[2]
        mask = None
        if 1 < new < known:
            # The first new token sees what is in the cache and itself.
            mask = torch.ones(new, known, dtype=torch.bool, device=x.device).tril(known - new)
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=1 < new == known, enable_gqa=True
        )
        return self.o(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.head_width).transpose(1, 2)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair of numbers of a head by its token's angles (rotary positions)."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer, 2020): one linear layer opens and shuts the other, entry by entry."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token of ``x`` by itself."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    """Attention, then a feed-forward part, each on normalised input and added to what came in."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=1e-5)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=1e-5)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        """Return the next layer's tokens for ``x`` of shape ``(batch, length, width)``."""
        x = x + self.attention(self.attention_norm(x), turn, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """The whole model, from tokens to scores.

    Parameters
    ----------
    config : LlamaConfig
    """

    def __init__(self, config: LlamaConfig = LLAMA_8B) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config, number) for number in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-5)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Return scores ``(batch, length, vocabulary)`` for ``tokens`` ``(batch, length)``.

        With a cache, ``tokens`` are the new ones, and the cache has those before.
        """
        start = 0 if cache is None else cache.length
        x = self.tokens(tokens)
        turn = self._turn(start, start + tokens.shape[1], x)
        for layer in self.layers:
            x = layer(x, turn, cache)
        if cache is not None:
            cache.length += tokens.shape[1]
        return self.head(self.norm(x))

    def cache(self, batch: int, tokens: int, filled: int = 0) -> Cache:
        """Return a cache for sequences of up to so many tokens, as if some were there already."""
        return Cache(self.config, batch, tokens, self.head.weight, filled)

    @torch.no_grad()
    def generate(self, tokens: Tensor, steps: int) -> Tensor:
        """Return ``tokens`` ``(batch, length)`` with so many more, each the likeliest next one."""
        cache = self.cache(len(tokens), tokens.shape[1] + steps)
        new = tokens
        for _ in range(steps):
            new = self(new, cache)[:, -1:].argmax(-1)
            tokens = torch.cat([tokens, new], 1)
        return tokens

    def _turn(self, start: int, end: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """The cosine and sine of each position's angles."""
        half = self.config.head_width // 2
        lengths = self.config.theta ** (torch.arange(half, device=like.device) / half)
        angles = torch.arange(start, end, device=like.device)[:, None] / lengths
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def llama_8b() -> Llama:
    """Return Llama 3 8B, with 8,030,261,248 parameters: 32 GB of float32."""
    return Llama(LLAMA_8B)


def llama_70b() -> Llama:
    """Return Llama 3 70B, with 70,553,706,496 parameters: 282 GB of float32."""
    return Llama(LLAMA_70B)


def llama_405b() -> Llama:
    """Return Llama 3 405B, with 405,853,388,800 parameters: 1.6 TB of float32."""
    return Llama(LLAMA_405B)
