"""What a formula can find out about nested and sparse tensors, and about those without values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private import FakeTensor, FunctionalTensor, nested_sizes, stored_values

_SPARSE_LAYOUTS = frozenset(
    (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
)


def is_nested(*tensors: Tensor | None) -> bool:
    """Whether one of the tensors is nested."""
    return any(tensor is not None and tensor.is_nested for tensor in tensors)


def component_shapes(tensor: Tensor) -> list[tuple[int, ...]]:
    """The shapes of what a nested tensor holds; of any other tensor, those along its first dim.

    The sizes of a (strided) nested tensor are a table in host memory, so that reading them neither
    waits for a device nor needs the values.

    Examples
    --------
    >>> component_shapes(torch.zeros(2, 3, 4))
    [(3, 4), (3, 4)]
    """
    if tensor.is_nested:
        return [tuple(sizes) for sizes in nested_sizes(tensor).tolist()]
    return [tuple(tensor.shape[1:])] * tensor.shape[0]


def last_size(tensor: Tensor) -> int:
    """The size of the last dim, which the components of a nested tensor have in common."""
    if tensor.is_nested:
        return max((shape[-1] for shape in component_shapes(tensor)), default=0)
    return tensor.shape[-1]


@dataclass(slots=True)
class MissedValues:
    """Whether a formula asked for the values of a tensor that has none."""

    missed: bool = False

    def __bool__(self) -> bool:
        return self.missed


#: Those who want to know it of the formula that runs in this context: each thread has its own.
_ASKING: ContextVar[tuple[MissedValues, ...]] = ContextVar("ipyflops_missed_values", default=())


@contextmanager
def noting_missed_values() -> Iterator[MissedValues]:
    """Note whether a formula that runs in the block asks for values that are not there.

    Examples
    --------
    >>> with noting_missed_values() as missed:
    ...     has_values(torch.zeros(2, device="meta"))
    False
    >>> bool(missed)
    True
    """
    noted = MissedValues()
    token = _ASKING.set((*_ASKING.get(), noted))
    try:
        yield noted
    finally:
        _ASKING.reset(token)


def can_be_read(tensor: Tensor) -> bool:
    """Whether the elements can be read: not those of a meta, fake or functional tensor.

    Nor those on a GPU while a graph is being captured there: nothing runs yet, and reading would
    spoil the graph.
    """
    if tensor.is_meta or isinstance(tensor, (FakeTensor, FunctionalTensor)):
        return False
    cuda: Any = torch.cuda
    return not (tensor.is_cuda and cuda.is_current_stream_capturing())


def has_values(tensor: Tensor) -> bool:
    """Whether the elements can be read, as `can_be_read`; a formula that asks has missed them."""
    if not can_be_read(tensor):
        for noted in _ASKING.get():
            noted.missed = True
        return False
    return True


def is_sparse(*tensors: Tensor) -> bool:
    """Whether one of the tensors keeps only some of its values."""
    return any(tensor.layout in _SPARSE_LAYOUTS for tensor in tensors)


def stored(tensor: Tensor) -> int:
    """The number of values that a tensor keeps: all of them, unless it is sparse.

    A sparse tensor on the meta device, or a fake one, does not know; then it is all of them, too.

    Examples
    --------
    >>> stored(torch.eye(3)), stored(torch.eye(3).to_sparse())
    (9, 3)
    """
    if not is_sparse(tensor) or not has_values(tensor):
        return tensor.numel()
    if tensor.layout is torch.sparse_coo:
        return stored_values(tensor).numel()
    return tensor.values().numel()
