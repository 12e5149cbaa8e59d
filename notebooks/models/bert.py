"""BERT's encoder (Devlin et al., 2018, "Pre-training of Deep Bidirectional Transformers").

Tokens in; a vector for each token and one for the whole sequence out. The heads that a task puts on
top are not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attention import Implementation, attention, merge_heads, split_heads


@dataclass(frozen=True)
class BertConfig:
    """Sizes of a BERT; the defaults are BERT-base (uncased), but for its dropout of 0.1.

    ``positions`` is the longest sequence, ``segments`` the kinds of sentence that can be told
    apart, ``hidden`` the inner size of each layer's feed-forward part.
    """

    vocabulary: int = 30_522
    positions: int = 512
    segments: int = 2
    layers: int = 12
    heads: int = 12
    width: int = 768
    hidden: int = 3072
    dropout: float = 0.0
    attention: Implementation = "fused"


class Embeddings(nn.Module):
    """The sum of what the token, its place and its segment say."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.positions, config.width)
        self.segment = nn.Embedding(config.segments, config.width)
        self.norm = _layer_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """Return vectors ``(batch, length, width)`` for ``tokens`` ``(batch, length)``."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.word(tokens) + self.position(positions) + self.segment(segments)
        return self.dropout(self.norm(x))


class SelfAttention(nn.Module):
    """Multi-head attention in which every token sees every token that is not padding."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mix the tokens of ``x``; ``mask`` is true where they may look."""
        mixed = attention(
            split_heads(self.query(x), self.config.heads),
            split_heads(self.key(x), self.config.heads),
            split_heads(self.value(x), self.config.heads),
            implementation=self.config.attention,
            mask=mask,
            dropout=self.config.dropout if self.training else 0.0,
        )
        return self.dropout(self.output(merge_heads(mixed)))


class FeedForward(nn.Module):
    """Two linear layers, wider in between, with a GELU."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.widen = nn.Linear(config.width, config.hidden)
        self.gelu = nn.GELU()
        self.narrow = nn.Linear(config.hidden, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token of ``x`` by itself."""
        return self.dropout(self.narrow(self.gelu(self.widen(x))))


class Layer(nn.Module):
    """Attention, then a feed-forward part, each added to what came in and normalised after."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = _layer_norm(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = _layer_norm(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the next layer's tokens for ``x`` of shape ``(batch, length, width)``."""
        x = self.attention_norm(x + self.attention(x, mask))
        return self.feed_forward_norm(x + self.feed_forward(x))


class Pooler(nn.Module):
    """A vector for the sequence, made from its first token's."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.tanh = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, width)`` for ``x`` of shape ``(batch, length, width)``."""
        return self.tanh(self.dense(x[:, 0]))


class Bert(nn.Module):
    """The encoder with its pooler.

    Parameters
    ----------
    config : BertConfig, optional
        The sizes; BERT-base if left out.
    """

    def __init__(self, config: BertConfig | None = None) -> None:
        super().__init__()
        config = config or BertConfig()
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.pooler = Pooler(config)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(
        self, tokens: Tensor, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode a batch of sequences.

        Parameters
        ----------
        tokens : Tensor
            Token numbers, of shape ``(batch, length)``.
        segments : Tensor, optional
            The segment of each token; all of them in the first if left out.
        mask : Tensor, optional
            Boolean, true where a token is not padding; none is padding if left out.

        Returns
        -------
        tuple of Tensor
            The tokens' vectors ``(batch, length, width)`` and the sequences' ``(batch, width)``.
        """
        if segments is None:
            segments = torch.zeros_like(tokens)
        if mask is not None:
            mask = mask[:, None, None, :]
        x = self.embeddings(tokens, segments)
        for layer in self.layers:
            x = layer(x, mask)
        return x, self.pooler(x)


def _layer_norm(config: BertConfig) -> nn.LayerNorm:
    """Make a layer norm with BERT's epsilon."""
    return nn.LayerNorm(config.width, eps=1e-12)


def bert_base(attention: Implementation = "fused") -> Bert:
    """Make BERT-base: 109,482,240 parameters, pooler included."""
    return Bert(BertConfig(attention=attention))
