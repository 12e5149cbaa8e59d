"""What an architecture's products cost, worked out beside the model and not by the counter.

Layers are added up by a hook each, from the shape of what they give; the products that a model
writes out itself say what they cost where they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

_tallies: list[list[int]] = []
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def add(flops: int) -> None:
    """Say what the product on the next line costs."""
    for tally in _tallies:
        tally.append(flops)


def _layer(module: Any, inputs: Any, output: Tensor) -> None:
    kernel = prod(getattr(module, "kernel_size", ()))
    if isinstance(module, nn.Linear):
        add(2 * output.numel() * module.in_features)
    elif isinstance(module, nn.ConvTranspose2d):
        add(2 * inputs[0].numel() * module.out_channels // module.groups * kernel)
    else:
        add(2 * output.numel() * module.in_channels // module.groups * kernel)


@contextmanager
def tally(*models: nn.Module) -> Iterator[list[int]]:
    """Collect the FLOPs of the products that run in the block."""
    own: list[int] = []
    handles = [
        part.register_forward_hook(_layer)
        for model in models
        for part in model.modules()
        if isinstance(part, (nn.Linear, *CONVOLUTIONS))
    ]
    _tallies.append(own)
    try:
        yield own
    finally:
        _tallies.remove(own)
        for handle in handles:
            handle.remove()


def products(run: Callable[[], object], *models: nn.Module) -> int:
    """FLOPs of the products of a run."""
    with tally(*models) as flops, torch.no_grad():
        run()
    return sum(flops)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention in two products: every query with every key."""
    add(2 * q.numel() * k.shape[-2])
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + mask
    add(2 * scores.numel() * v.shape[-1])
    return scores.softmax(-1) @ v


def split(x: Tensor, heads: int) -> Tensor:
    """From (…, tokens, width) to (…, heads, tokens, width of a head)."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def join(x: Tensor) -> Tensor:
    """Back again."""
    return x.transpose(-3, -2).flatten(-2)
