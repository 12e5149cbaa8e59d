"""Text: Llama with a cache, T5, a mixture of experts, a state-space model and a seq2seq LSTM."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.by_hand import add, attention, join, split

VOCABULARY = 17
Cache = list[tuple[Tensor, Tensor] | None]


class GroupedAttention(nn.Module):
    """Four heads of queries share two heads of keys and values."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads, self.groups = heads, groups
        small = width // heads * groups
        self.q, self.k = nn.Linear(width, width, bias=False), nn.Linear(width, small, bias=False)
        self.v, self.o = nn.Linear(width, small, bias=False), nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        start = past[0].shape[-2] if past else 0
        q = rotate(split(self.q(x), self.heads), start)
        k, v = rotate(split(self.k(x), self.groups), start), split(self.v(x), self.groups)
        if past:
            k, v = torch.cat([past[0], k], -2), torch.cat([past[1], v], -2)
        times = self.heads // self.groups
        mask = torch.full((q.shape[-2], k.shape[-2]), -1e9).triu(start + 1)
        out = attention(q, k.repeat_interleave(times, 1), v.repeat_interleave(times, 1), mask)
        return self.o(join(out)), (k, v)


def rotate(x: Tensor, start: int) -> Tensor:
    """Rotary positions."""
    half = x.shape[-1] // 2
    angles = torch.arange(start, start + x.shape[-2])[:, None] / 10 ** torch.arange(half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


class LlamaLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = GroupedAttention(width, 4, 2)
        self.gate, self.up = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.down = nn.Linear(3 * width, width)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, past = self.attention(self.norm1(x), past)
        x = x + y
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y)), past


class Llama(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(LlamaLayer(width) for _ in range(2))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        cache = [None] * len(self.layers) if cache is None else cache
        x = self.embed(tokens)
        for index, layer in enumerate(self.layers):
            x, cache[index] = layer(x, cache[index])
        return self.head(self.norm(x))  # type: ignore[no-any-return]

    @torch.no_grad()
    def generate(self, tokens: Tensor, steps: int) -> Tensor:
        cache: Cache = [None] * len(self.layers)
        new = tokens
        for _ in range(steps):
            new = self(new, cache)[:, -1:].argmax(-1)
            tokens = torch.cat([tokens, new], 1)
        return tokens


class T5Layer(nn.Module):
    """Attention to itself with positions as a bias, then to the encoder where there is one."""

    def __init__(self, width: int, crossed: bool) -> None:
        super().__init__()
        self.bias = nn.Embedding(16, 2)
        self.qkv, self.out = (
            nn.Linear(width, 3 * width, bias=False),
            nn.Linear(width, width, bias=False),
        )
        self.q = nn.Linear(width, width, bias=False) if crossed else None
        self.kv = nn.Linear(width, 2 * width, bias=False) if crossed else None
        self.norm = nn.RMSNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, encoded: Tensor | None = None) -> Tensor:
        tokens = torch.arange(x.shape[1])
        bias = self.bias((tokens[:, None] - tokens).clamp(-8, 7) + 8).permute(2, 0, 1)
        q, k, v = (split(part, 2) for part in self.qkv(self.norm(x)).chunk(3, -1))
        x = x + self.out(join(attention(q, k, v, bias)))
        if self.q is not None and self.kv is not None and encoded is not None:
            k, v = (split(part, 2) for part in self.kv(encoded).chunk(2, -1))
            x = x + join(attention(split(self.q(x), 2), k, v))
        return x + self.mlp(x)  # type: ignore[no-any-return]


class T5(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.encoder = nn.ModuleList(T5Layer(width, False) for _ in range(2))
        self.decoder = nn.ModuleList(T5Layer(width, True) for _ in range(2))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        x = self.embed(source)
        for layer in self.encoder:
            x = layer(x)
        y = self.embed(target)
        for layer in self.decoder:
            y = layer(y, x)
        add(2 * y.numel() * VOCABULARY)
        return y @ self.embed.weight.T


class Mixture(nn.Module):
    """Each token goes to the two of four experts that a router finds best."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.router = nn.Linear(width, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(4)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens).flatten(0, 1)
        weights, chosen = self.router(x).softmax(-1).topk(2)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, place = (chosen == number).nonzero(as_tuple=True)
            out = out.index_add(0, rows, expert(x[rows]) * weights[rows, place, None])
        return out


class Mamba(nn.Module):
    """A selective scan: a state that each token changes by what it says."""

    def __init__(self, width: int = 8, states: int = 4) -> None:
        super().__init__()
        self.states = states
        self.embed = nn.Embedding(VOCABULARY, width)
        self.inner, self.gate = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.conv = nn.Conv1d(2 * width, 2 * width, 3, padding=2, groups=2 * width)
        self.select = nn.Linear(2 * width, 2 * states + 1)
        self.decay = nn.Parameter(torch.ones(2 * width, states))
        self.out = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        # Contiguous, so that the layer's bias goes into its product and is no operator of its own.
        u = F.silu(
            self.conv(self.inner(x).transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        ).contiguous()
        step, b, c = self.select(u).split([1, self.states, self.states], -1)
        step = F.softplus(step)
        state = torch.zeros(len(u), u.shape[-1], self.states)
        outputs = []
        for t in range(u.shape[1]):
            state = state * torch.exp(-step[:, t, None] * self.decay)
            state = state + (step * u)[:, t, :, None] * b[:, t, None]
            add(2 * state.numel())
            outputs.append((state @ c[:, t, :, None]).squeeze(-1))
        return self.out(torch.stack(outputs, 1) * F.silu(self.gate(x)))  # type: ignore[no-any-return]


class Seq2Seq(nn.Module):
    """An LSTM reads, another one writes and looks back."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(VOCABULARY, width)
        self.reader = nn.LSTM(width, width, batch_first=True)
        self.writer = nn.LSTMCell(width, width)
        self.out = nn.Linear(2 * width, VOCABULARY)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        cell = 2 * len(source) * 4 * self.width * 2 * self.width
        add(source.shape[1] * cell)
        memory, (h, c) = self.reader(self.embed(source))
        h, c = h[0], c[0]
        outputs = []
        for token in self.embed(target).unbind(1):
            add(cell)
            h, c = self.writer(token, (h, c))
            seen = attention(h[:, None], memory, memory)[:, 0]
            outputs.append(self.out(torch.cat([h, seen], -1)))
        return torch.stack(outputs, 1)
