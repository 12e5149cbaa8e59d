"""What is counted: a stack of tiny layers, a ResNet-50, a GPT-2 small, a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from models import gpt2_small, resnet50
from torch import Tensor, nn


@dataclass(frozen=True)
class Workload:
    """Code to count.

    Attributes
    ----------
    name : str
    run : callable
        Runs it once.
    model : torch.nn.Module
    inputs : tuple of Tensor
    forward_only : bool
        Whether it is one call of the model, which is all that some tools can count.
    inner : int
        How often it runs in a round, so that a round is long enough for the clock.
    """

    name: str
    run: Callable[[], object]
    model: nn.Module
    inputs: tuple[Tensor, ...]
    forward_only: bool
    inner: int = 1


def _tiny() -> nn.Module:
    layers = [layer for _ in range(50) for layer in (nn.Linear(16, 16), nn.ReLU())]
    return nn.Sequential(*layers)


def _forward(name: str, model: nn.Module, *inputs: Tensor, inner: int = 1) -> Workload:
    model.eval()

    def run() -> object:
        with torch.no_grad():
            return model(*inputs)

    return Workload(name, run, model, inputs, True, inner)


def tiny_forward() -> Workload:
    return _forward("50 × (Linear(16) + ReLU), forward", _tiny(), torch.randn(8, 16), inner=20)


def tiny_training() -> Workload:
    model, x = _tiny(), torch.randn(8, 16)

    def run() -> object:
        return model(x).sum().backward()

    return Workload(
        "50 × (Linear(16) + ReLU), forward and backward", run, model, (x,), False, inner=10
    )


def resnet_forward() -> Workload:
    return _forward("ResNet-50, 224 × 224, forward", resnet50(), torch.randn(1, 3, 224, 224))


def gpt2_forward() -> Workload:
    return _forward("GPT-2 small, 128 tokens, forward", gpt2_small(), _tokens(128))


def gpt2_training() -> Workload:
    model, tokens = gpt2_small().train(), _tokens(129)
    optimizer: Any = torch.optim.AdamW(model.parameters())

    def run() -> object:
        optimizer.zero_grad()
        scores = model(tokens[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        return optimizer.step()

    return Workload("GPT-2 small, 128 tokens, training step", run, model, (tokens,), False)


def _tokens(length: int) -> Tensor:
    return torch.randint(50_257, (1, length))


ALL = (tiny_forward, tiny_training, resnet_forward, gpt2_forward, gpt2_training)


def each(names: list[str]) -> Iterator[Workload]:
    """Those whose function is named, or all; each is made when its turn comes."""
    for make in ALL:
        if not names or make.__name__ in names:
            torch.manual_seed(0)
            yield make()
