"""ResNet with bottleneck blocks (He et al., 2015, "Deep Residual Learning for Image Recognition").

The layout is torchvision's "v1.5": a block that halves the image does so in its 3×3 convolution,
not in the first 1×1. Module names are torchvision's too, so its checkpoints fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

EXPANSION = 4  # a bottleneck gives out this many times the channels that its 3×3 works on


class Bottleneck(nn.Module):
    """Narrow (1×1), convolve (3×3), widen (1×1), and add the input.

    Parameters
    ----------
    in_channels : int
        Channels that come in.
    channels : int
        Channels of the 3×3 convolution; ``EXPANSION`` times as many go out.
    stride : int
        Step of the 3×3 convolution: 2 halves the image.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = channels * EXPANSION
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        # The input can be added as it is only if the block keeps its shape.
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features for ``x`` of shape ``(batch, in_channels, h, w)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    """A residual network for images: a stem, four stages of bottlenecks, a linear classifier.

    Parameters
    ----------
    blocks : sequence of four int
        Bottlenecks in each stage.
    num_classes : int
        Outputs of the classifier.
    width : int
        Channels of the stem; each stage doubles them. 64 is the paper's.
    """

    def __init__(
        self, blocks: Sequence[int] = (3, 4, 6, 3), num_classes: int = 1000, width: int = 64
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, blocks[0], stride=1)
        self.layer2 = _stage(width * EXPANSION, width * 2, blocks[1], stride=2)
        self.layer3 = _stage(width * 2 * EXPANSION, width * 4, blocks[2], stride=2)
        self.layer4 = _stage(width * 4 * EXPANSION, width * 8, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width * 8 * EXPANSION, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores for images ``x`` of shape ``(batch, 3, height, width)``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """Chain bottlenecks, the first of which changes the shape."""
    first = Bottleneck(in_channels, channels, stride)
    rest = (Bottleneck(channels * EXPANSION, channels) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def resnet50(num_classes: int = 1000) -> ResNet:
    """Make a ResNet-50: 25,557,032 parameters with 1,000 classes."""
    return ResNet((3, 4, 6, 3), num_classes)
