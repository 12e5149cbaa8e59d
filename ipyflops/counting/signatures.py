"""What a report says of a call: its shapes, and the bytes that it reads and writes.

Sizes may be symbols: those of fake tensors whose shapes are dynamic. A count needs numbers, so it
takes those that the symbols stand for at the moment (see `without_guards`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ipyflops.formulas import Call
from ipyflops.torch_private import FakeTensor, stored_indices, stored_values

_STRIDED = torch.strided


def without_guards(call: Call) -> AbstractContextManager[Any]:
    """Return a block in which the sizes of a call's tensors are read as the numbers they have now.

    It leaves no guard behind. So what the user finds out about the shapes is what it would be
    without a count.
    """
    for tensor in (*call.inputs(), *call.outputs()):
        if isinstance(tensor, FakeTensor):
            sizes: Iterable[Any] = tensor.shape  # torch's types say that all of them are int
            for size in sizes:
                if isinstance(size, torch.SymInt) and size.node.shape_env is not None:
                    guards: AbstractContextManager[Any] = size.node.shape_env.suppress_guards()
                    return guards
    return nullcontext()


def shapes_of(call: Call) -> str:
    """The shapes of the input tensors, such as ``128×768, 768×3072``; long lists are summed up."""
    parts: list[str] = []
    for value in (*call.args, *(v for name, v in call.kwargs.items() if name != "out")):
        if isinstance(value, Tensor):
            parts.append(shape_of(value))
        elif isinstance(value, (list, tuple)):
            tensors = [item for item in value if isinstance(item, Tensor)]
            if len(tensors) > 4:
                elements = sum(tensor.numel() for tensor in tensors)
                parts.append(f"[{len(tensors)} tensors of {elements:,} elements]")
            elif tensors:
                parts.append(f"[{', '.join(map(shape_of, tensors))}]")
    return ", ".join(parts)


def shape_of(tensor: Tensor) -> str:
    """The shape of a tensor, such as ``128×768``."""
    if tensor.is_nested and tensor.layout is _STRIDED:
        return f"{tensor.size(0)}×…"
    return "×".join(map(str, tensor.shape)) if tensor.dim() else "scalar"


def bytes_of(call: Call, *, pure_move: bool) -> int:
    """Bytes of the tensors read and written, each once.

    A free operator that works in place (a fill, a copy) does not read what it overwrites.
    """
    overwritten = {id(tensor) for tensor in call.outputs()} if pure_move else set()
    read = {id(tensor): tensor for tensor in call.inputs() if id(tensor) not in overwritten}
    written = {id(tensor): tensor for tensor in call.outputs()}
    return sum(map(_size, read.values())) + sum(map(_size, written.values()))


def _size(tensor: Tensor) -> int:
    if tensor.layout == torch.strided:
        return tensor.numel() * tensor.element_size()
    if tensor.layout == torch.sparse_coo:
        return _size(stored_indices(tensor)) + _size(stored_values(tensor))
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        return tensor.numel() * tensor.element_size()
    return sum(map(_size, parts))
