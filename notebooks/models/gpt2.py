"""GPT-2 (Radford et al., 2019, "Language Models are Unsupervised Multitask Learners").

Module names are those of OpenAI's checkpoint: ``wte`` and ``wpe`` are the embeddings of tokens and
positions, ``h`` the blocks. The output layer shares its weight with ``wte``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attention import Implementation, attention, merge_heads, split_heads


@dataclass(frozen=True)
class GPT2Config:
    """Sizes of a GPT-2; the defaults are the small one.

    ``context`` is the longest sequence, ``width`` the size of a token's vector, and ``dropout``
    stands in three places: after the embeddings, in the attention, at the end of each branch.
    """

    vocabulary: int = 50_257
    context: int = 1024
    layers: int = 12
    heads: int = 12
    width: int = 768
    dropout: float = 0.0
    attention: Implementation = "fused"


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which a token sees itself and the tokens before it."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.c_attn = nn.Linear(config.width, 3 * config.width)
        self.c_proj = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens of ``x``, of shape ``(batch, length, width)``."""
        query, key, value = (
            split_heads(part, self.config.heads) for part in self.c_attn(x).chunk(3, dim=-1)
        )
        mixed = attention(
            query,
            key,
            value,
            implementation=self.config.attention,
            causal=True,
            dropout=self.config.dropout if self.training else 0.0,
        )
        return self.dropout(self.c_proj(merge_heads(mixed)))


class MLP(nn.Module):
    """Two linear layers, four times as wide in between, with GPT-2's tanh form of GELU."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.width, 4 * config.width)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token of ``x`` by itself."""
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention, then an MLP, each on normalised input and added to what came in."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next layer's tokens for ``x`` of shape ``(batch, length, width)``."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """The language model: token numbers in, scores of the next token out.

    Parameters
    ----------
    config : GPT2Config, optional
        The sizes; the small GPT-2 if left out.
    """

    def __init__(self, config: GPT2Config | None = None) -> None:
        super().__init__()
        config = config or GPT2Config()
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # Each block adds two branches to the stream: their last layers start smaller, so
                # that the sum's variance does not grow with depth.
                smaller = math.sqrt(2 * config.layers) if "c_proj" in name else 1.0
                nn.init.normal_(parameter, std=0.02 / smaller)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores ``(batch, length, vocabulary)`` for ``tokens`` ``(batch, length)``."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.drop(self.wte(tokens) + self.wpe(positions))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


def gpt2_small(attention: Implementation = "fused") -> GPT2:
    """Make the small GPT-2: 124,439,808 parameters."""
    return GPT2(GPT2Config(attention=attention))
