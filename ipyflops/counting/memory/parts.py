"""Which tensors there are in the arguments of an operator, and what tensors are made of.

A sparse tensor has no storage; the tensors of its indices and values have. A tensor that wraps
others, as a DTensor, is what it wraps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private import stored_indices, stored_values

#: What gives the tensors of a sparse tensor, by its layout.
_COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Return the tensors in an argument or a result, in lists and tuples too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, Tensor):
                yield item
            elif isinstance(item, (list, tuple)):
                yield from tensors_in(item)


def parts_of(tensor: Tensor) -> Iterator[Tensor]:
    """Return the tensors with a storage that a tensor is made of; itself, mostly."""
    flatten = getattr(type(tensor), "__tensor_flatten__", None)
    if flatten is not None:
        for name in flatten(tensor)[0]:
            inner = getattr(tensor, name, None)
            if isinstance(inner, Tensor):
                yield from parts_of(inner)
    elif tensor.layout is torch.sparse_coo:
        yield from (stored_indices(tensor), stored_values(tensor))
    elif tensor.layout in _COMPRESSED:
        for name in _COMPRESSED[tensor.layout]:
            yield getattr(tensor, name)()
    else:
        try:
            tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return  # as one of oneDNN, whose memory nobody shows
        yield tensor
