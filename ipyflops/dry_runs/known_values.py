"""Tensors whose values a dry run knows: small ones of whole numbers, and what is made of them.

Of fractions it knows single numbers, and what `torch.ones`, `zeros` and `full` make in the run.

Example: a mask of ones that a program makes or has, the numbers of a diffusion's time steps, the
lengths of a batch. Libraries decide by them, as by the shapes. PyTorch's fake tensors keep the
value of a single number; here they keep up to `MAX_ELEMENTS` of them. What is computed from such
tensors alone is known too, and what is written to by anything else is known no more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private import FakeTensor, forget_value, schema_of, tree_leaves

#: Elements of the largest tensor that is computed for its values.
MAX_COMPUTED = 1 << 22
#: Elements of the largest tensor whose values are kept.
MAX_ELEMENTS = 1 << 16
aten = torch.ops.aten
#: Operators that make a tensor of equal numbers, by its shape.
_OF_SHAPE = frozenset((aten.ones.default, aten.zeros.default, aten.full.default))
#: Operators that make a tensor of equal numbers, as large as another one.
_LIKE = frozenset((aten.ones_like.default, aten.zeros_like.default, aten.full_like.default))
#: Where a range begins and ends, by its arguments.
_RANGES: Mapping[Any, Callable[..., tuple[Any, Any, Any]]] = {
    aten.arange.default: lambda end: (0, end, 1),
    aten.arange.start: lambda start, end: (start, end, 1),
    aten.arange.start_step: lambda start, end, step=1: (start, end, step),
}
MAKERS = frozenset((*_OF_SHAPE, *_LIKE, *_RANGES, aten.scalar_tensor.default))


class KnownCopies:
    """Copies of the user's small tensors. Those that share memory have copies that share it too."""

    def __init__(self) -> None:
        self._storages: dict[int, tuple[Tensor, torch.UntypedStorage]] = {}

    def copy(self, tensor: Tensor) -> Tensor | None:
        """Return a copy of a tensor whose values are kept; None for all others."""
        if type(tensor) is not Tensor or tensor.device.type != "cpu" or tensor.requires_grad:
            return None
        storage = tensor.untyped_storage()
        few = 0 < storage.nbytes() <= MAX_ELEMENTS * tensor.element_size()
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex or not few:
            return tensor.detach().clone() if tensor.dim() == 0 else None
        key = storage.data_ptr()
        if key not in self._storages:
            self._storages[key] = (tensor, storage.clone())
        copied = self._storages[key][1]
        made = torch.empty(0, dtype=tensor.dtype)
        return made.set_(copied, tensor.storage_offset(), tensor.shape, tensor.stride())


def made_known(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Tensor | None:
    """Run an operator that makes a tensor, if its values are to be known; else None."""
    size = _size_made(func, args)
    device = kwargs.get("device")
    if not 0 < size <= MAX_ELEMENTS or (device is not None and torch.device(device).type != "cpu"):
        return None
    if func in _LIKE:
        if device is None and args[0].device.type != "cpu":
            return None
        args = (torch.empty(args[0].shape, dtype=args[0].dtype), *args[1:])
    # A program that has no mask makes one by `torch.ones(shape)`, which has fractions by default.
    fractions = size == 1 or func in _OF_SHAPE
    dtype = kwargs.get("dtype")
    if not fractions and dtype is not None and dtype.is_floating_point:
        return None
    made: Tensor = func(*args, **kwargs)
    whole = not made.dtype.is_floating_point and not made.dtype.is_complex
    return made if whole or (fractions and not made.is_complex()) else None


def _size_made(func: Any, args: Any) -> int:
    if func in _OF_SHAPE:
        return math.prod(map(int, args[0]))
    if func in _LIKE:
        return int(args[0].numel()) if isinstance(args[0], FakeTensor) else 0
    if func in _RANGES:
        start, end, step = _RANGES[func](*args)
        size: int = math.ceil((end - start) / step)
        return size
    return 1


@contextmanager
def as_unknown_if_large(func: Any, args: Any) -> Iterator[None]:
    """Keep known values from an operator that may make a large tensor of them.

    PyTorch computes what is made of known values before it sees whether that is small enough to be
    kept: a mask of 100,000 × 100,000, made of two ranges, would take 10 GB.
    """
    tensors = [one for one in args if type(one) is FakeTensor and one.constant is not None]
    if not tensors or _most_made(tensors, args) <= MAX_COMPUTED:
        yield
        return
    known = [(one, one.constant) for one in tensors]
    for one in tensors:
        one.constant = None
    try:
        yield
    finally:
        if not schema_of(func).is_mutable:
            for one, values in known:
                one.constant = values


def _most_made(tensors: list[FakeTensor], args: Any) -> int:
    """At most how many elements an operator makes: of the shapes together, times a given size."""
    sizes = itertools.zip_longest(*(reversed(one.shape) for one in tensors), fillvalue=1)
    given = [abs(n) for one in args if type(one) in (list, tuple) for n in one if type(n) is int]
    return math.prod(map(max, sizes)) * math.prod(n for n in given if n)


def values_of(tensor: Any) -> Tensor | None:
    """The values of a fake tensor, if they are known."""
    constant = tensor.constant if isinstance(tensor, FakeTensor) else None
    return constant if isinstance(constant, Tensor) else None


def forget_lists(args: Any) -> None:
    """Forget the values of tensors in lists that an operator writes to, if not all are known.

    PyTorch does so for tensors that are arguments by themselves.
    """
    tensors = [one for one in tree_leaves(args) if isinstance(one, FakeTensor)]
    if any(values_of(one) is None for one in tensors):
        for one in tensors:
            forget_value(one)
