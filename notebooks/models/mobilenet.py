"""MobileNet-v2 (Sandler et al., 2018, "Inverted Residuals and Linear Bottlenecks").

Nearly all of its 3×3 convolutions are depthwise: one filter to a channel. Layout and module names
are torchvision's, so its checkpoints fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Stage(NamedTuple):
    """A row of the paper's table 2: blocks that give out the same number of channels."""

    expansion: int
    channels: int
    blocks: int
    stride: int


STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1),
    Stage(expansion=6, channels=24, blocks=2, stride=2),
    Stage(expansion=6, channels=32, blocks=3, stride=2),
    Stage(expansion=6, channels=64, blocks=4, stride=2),
    Stage(expansion=6, channels=96, blocks=3, stride=1),
    Stage(expansion=6, channels=160, blocks=3, stride=2),
    Stage(expansion=6, channels=320, blocks=1, stride=1),
)


class InvertedResidual(nn.Module):
    """Widen (1×1), filter each channel (3×3), narrow (1×1) with no activation.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels that come in and go out.
    stride : int
        Step of the depthwise convolution.
    expansion : int
        How many times wider the block is inside; at 1 the first convolution is left out.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.adds_input = stride == 1 and in_channels == out_channels
        hidden = in_channels * expansion
        widen = [_conv_bn_relu6(in_channels, hidden, kernel=1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            _conv_bn_relu6(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features for ``x`` of shape ``(batch, in_channels, h, w)``."""
        out: Tensor = self.conv(x)
        return x + out if self.adds_input else out


class MobileNetV2(nn.Module):
    """A small network for images, made of inverted residuals.

    Parameters
    ----------
    num_classes : int
        Outputs of the classifier.
    width : float
        Factor on the channels of every layer.
    stages : sequence of Stage
        The groups of blocks between the stem and the classifier.
    dropout : float
        Share of the features dropped before the classifier in training.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width: float = 1.0,
        stages: Sequence[Stage] = STAGES,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        channels = _multiple_of_8(32 * width)
        last = _multiple_of_8(1280 * max(1.0, width))
        layers: list[nn.Module] = [_conv_bn_relu6(3, channels, kernel=3, stride=2)]
        for stage in stages:
            out_channels = _multiple_of_8(stage.channels * width)
            for block in range(stage.blocks):
                stride = stage.stride if block == 0 else 1
                layers.append(InvertedResidual(channels, out_channels, stride, stage.expansion))
                channels = out_channels
        layers.append(_conv_bn_relu6(channels, last, kernel=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores for images ``x`` of shape ``(batch, 3, height, width)``."""
        x = self.features(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.classifier(x)


def _conv_bn_relu6(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make a convolution that keeps the image's size (at stride 1), a batch norm, a ReLU6."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


def _multiple_of_8(channels: float) -> int:
    """Round to a multiple of 8, at least 8 and never down by more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def mobilenet_v2(num_classes: int = 1000) -> MobileNetV2:
    """Make a MobileNet-v2 of width 1.0: 3,504,872 parameters with 1,000 classes."""
    return MobileNetV2(num_classes)
