"""What can be known of tensors that are not plain: nested, sparse, or without values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor

_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


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
        return [tuple(sizes) for sizes in tensor._nested_tensor_size().tolist()]
    return [tuple(tensor.shape[1:])] * tensor.shape[0]


def last_size(tensor: Tensor) -> int:
    """The size of the last dim, which the components of a nested tensor have in common."""
    if tensor.is_nested:
        return max((shape[-1] for shape in component_shapes(tensor)), default=0)
    return tensor.shape[-1]


def has_values(tensor: Tensor) -> bool:
    """Whether the elements can be read: not those of a meta, fake or functional tensor."""
    global _values_missed
    if tensor.is_meta or isinstance(tensor, (FakeTensor, FunctionalTensor)):
        _values_missed += 1
        return False
    return True


def values_missed() -> int:
    """How often a formula asked for values that are not there, and had to do without."""
    return _values_missed


_values_missed = 0


def is_sparse(*tensors: Tensor) -> bool:
    """Whether one of the tensors keeps only some of its values."""
    return any(
        tensor.layout in _COMPRESSED or tensor.layout is torch.sparse_coo for tensor in tensors
    )


def broadcast(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The shape that two shapes are broadcast to.

    Examples
    --------
    >>> broadcast((3, 1), (2, 1, 4))
    (2, 3, 4)
    """
    longest = max(len(first), len(second))
    padded = [(1,) * (longest - len(shape)) + tuple(shape) for shape in (first, second)]
    return tuple(b if a == 1 else a for a, b in zip(*padded, strict=True))


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
        return tensor._values().numel()
    return tensor.values().numel()
