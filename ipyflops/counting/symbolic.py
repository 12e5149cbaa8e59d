"""Sizes that are symbols: those of fake tensors whose shapes are dynamic.

A count needs numbers. It takes those that the symbols stand for at the moment, and leaves no guard
behind, so that what the user finds out about the shapes is what it would be without a count.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ipyflops.formulas import Call
from ipyflops.torch_private import FakeTensor


def without_guards(call: Call) -> AbstractContextManager[Any]:
    """Give a block in which the sizes of a call's tensors are read as the numbers they have now."""
    for tensor in (*call.inputs(), *call.outputs()):
        if isinstance(tensor, FakeTensor):
            sizes: Iterable[Any] = tensor.shape  # torch's types say that all of them are int
            for size in sizes:
                if isinstance(size, torch.SymInt) and size.node.shape_env is not None:
                    guards: AbstractContextManager[Any] = size.node.shape_env.suppress_guards()
                    return guards
    return nullcontext()
