"""The values of offsets: small tensors of integers that tell where groups or sequences end.

What a product of groups costs, or attention over packed sequences, they decide. On a CPU they are
read at every call. On another device reading waits for all that runs there, so it is done once for
each tensor: the layers of a model and their backward passes share one.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ipyflops.formulas.call import tensors
from ipyflops.formulas.special_tensors import can_be_read
from ipyflops.torch_private import version_of

Values = tuple[int, ...]


@dataclass(slots=True)
class OffsetsRead:
    """The offsets on devices that were read in this process, as long as their tensors live.

    A tensor that is written to in place has another version, and is read again.
    """

    _known: dict[int, tuple[weakref.ref[Tensor], object, Values]] = field(default_factory=dict)

    def values(self, tensor: Tensor) -> Values:
        """The values of a tensor on a device."""
        if tensor.is_inference():  # it has no version
            return _read(tensor)
        version, number = version_of(tensor), id(tensor)
        known = self._known.get(number)
        if known is not None and known[0]() is tensor and known[1] == version:
            return known[2]
        values = _read(tensor)
        reference = weakref.ref(tensor, lambda _: self._known.pop(number, None))
        self._known[number] = (reference, version, values)
        return values

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


#: Those of the process.
OFFSETS = OffsetsRead()


def offsets_of(tensor: Tensor) -> Values | None:
    """The values of some offsets; None where there are none to read.

    Examples
    --------
    >>> offsets_of(torch.tensor([3, 8])), offsets_of(torch.empty(2, device="meta"))
    ((3, 8), None)
    """
    if not can_be_read(tensor):
        return None
    try:
        return _read(tensor) if tensor.device.type == "cpu" else OFFSETS.values(tensor)
    except (RuntimeError, NotImplementedError):  # a device that gives no values
        return None


def offsets_among(values: Iterable[object]) -> tuple[Values | None, ...]:
    """The offsets among the arguments of a call: its one-dimensional tensors of integers."""
    return tuple(
        offsets_of(tensor)
        for tensor in tensors(list(values))
        if tensor.dtype in (torch.int32, torch.int64) and tensor.dim() == 1
    )


def sizes(ends: Sequence[int], whole: int) -> list[int]:
    """The sizes of groups that end at these offsets, inside a whole of so many.

    Examples
    --------
    >>> sizes([3, 8, 8, 12], 16)
    [3, 5, 0, 4]
    """
    cut = [min(max(end, 0), whole) for end in ends]
    return [max(end - begin, 0) for begin, end in zip([0, *cut], cut, strict=False)]


def _read(tensor: Tensor) -> Values:
    return tuple(map(int, tensor.tolist()))
