"""Gradients that autograd adds up: in place without a mode, and beside the old one with one.

Where a tensor is used twice, the engine adds its gradients. If nobody else holds the first, it adds
in place, so that no memory is taken; under any dispatch mode it makes a third tensor and frees the
first at once. What is told is what happens without the counter. So the bytes of such an operator
count when the next storage is freed: if that is the first gradient, it would have been reused.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

import torch

from ipyflops.counting.memory.storages import Spot, StorageRecord
from ipyflops.torch_private import ENGINE_CODE

_ADD: Any = torch.ops.aten.add.Tensor


class Held(NamedTuple):
    """An operator whose bytes wait for what is freed next.

    Attributes
    ----------
    operator
    spot : Spot
    replaced : StorageRecord
        The gradient that is reused without a mode, if it is freed first.
    """

    operator: Any
    spot: Spot
    replaced: StorageRecord


def may_add_in_place(func: Any) -> bool:
    """Whether the autograd engine itself runs an operator that adds two gradients.

    The engine's call has no frame of Python between the mode and the backward pass.
    """
    if func is not _ADD or torch.is_grad_enabled():
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "__torch_dispatch__":
        frame = frame.f_back
    outer = None if frame is None else frame.f_back
    return outer is None or outer.f_code is ENGINE_CODE
