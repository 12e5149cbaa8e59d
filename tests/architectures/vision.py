"""Images: an EfficientNet, a U-Net, a ViT and windows as in Swin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.by_hand import attention, join, split


class MBConv(nn.Module):
    """Expand, filter each channel, weigh the channels, project."""

    def __init__(self, width: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.expand = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden), nn.SiLU())
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden)
        self.squeeze = nn.Conv2d(hidden, max(1, width // 4), 1)
        self.excite = nn.Conv2d(max(1, width // 4), hidden, 1)
        self.project = nn.Sequential(nn.Conv2d(hidden, out, 1), nn.BatchNorm2d(out))
        self.residual = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.depthwise(self.expand(x)))
        scale = self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))).sigmoid()
        y = self.project(y * scale)
        return x + y if self.residual else y  # type: ignore[no-any-return]


class EfficientNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.Sequential(MBConv(8, 8, 1, 1), MBConv(8, 12, 4, 2), MBConv(12, 12, 4, 1))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(F.silu(self.stem(x))).mean((2, 3)))  # type: ignore[no-any-return]


class UNet(nn.Module):
    def __init__(self, channels: int = 3, out: int = 2, width: int = 4) -> None:
        super().__init__()
        self.down = nn.ModuleList([self._block(channels, width), self._block(width, 2 * width)])
        self.middle = self._block(2 * width, 4 * width)
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
                nn.ConvTranspose2d(2 * width, width, 2, 2),
            ]
        )
        self.merge = nn.ModuleList(
            [self._block(4 * width, 2 * width), self._block(2 * width, width)]
        )
        self.out = nn.Conv2d(width, out, 1)

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(2, outputs), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([kept.pop(), up(x)], 1))
        return self.out(x)  # type: ignore[no-any-return]


class Block(nn.Module):
    """A transformer's layer over (batch, tokens, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (split(part, self.heads) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(join(attention(q, k, v, mask)))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class ViT(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 17, width))
        self.layers = nn.ModuleList(Block(width, 2) for _ in range(2))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])  # type: ignore[no-any-return]


class Swin(nn.Module):
    """Attention inside windows, which shift by half a window in every other layer."""

    def __init__(self, width: int = 8, window: int = 2) -> None:
        super().__init__()
        self.window = window
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.layers = nn.ModuleList(Block(width, 2) for _ in range(2))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        size, w = x.shape[1], self.window
        for index, layer in enumerate(self.layers):
            shift = index % 2 * (w // 2)
            x = torch.roll(x, (-shift, -shift), (1, 2))
            parts = x.unflatten(1, (-1, w)).unflatten(3, (-1, w)).transpose(2, 3)
            parts = layer(parts.reshape(-1, w * w, x.shape[-1]))
            parts = parts.view(-1, size // w, size // w, w, w, x.shape[-1]).transpose(2, 3)
            x = torch.roll(parts.reshape(x.shape), (shift, shift), (1, 2))
        return self.head(x.mean((1, 2)))  # type: ignore[no-any-return]
