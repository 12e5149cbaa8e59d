"""An oracle that looks at every storage it has ever met, after every operator.

It holds PyTorch's own weak pointers to the storages, and asks each of them whether it has expired.
So nothing is called back, and no order of events matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class BruteForce(TorchDispatchMode):
    """Adds up the storages that live, at the end of every operator.

    Parameters
    ----------
    existing : iterable of Tensor
        What the program is going to touch that is there already.

    Attributes
    ----------
    peaks : dict of str to int
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.met: dict[int, tuple[StorageWeakRef, str]] = {}
        self.peaks: dict[str, int] = {}
        self._added: tuple[int, str, StorageWeakRef, int] | None = None
        for tensor in existing:
            self.meet(tensor)
        self.look()

    def meet(self, tensor: Tensor) -> None:
        reference = StorageWeakRef(tensor.untyped_storage())
        self.met.setdefault(reference.cdata, (reference, str(tensor.device)))

    def sums(self) -> dict[str, int]:
        """The bytes that live on each device."""
        sums: dict[str, int] = {}
        for key, (reference, device) in list(self.met.items()):
            storage = torch.UntypedStorage._new_with_weak_ptr(reference.cdata)
            if storage is None:
                del self.met[key]
                continue
            sums[device] = sums.get(device, 0) + storage.nbytes()
        return sums

    def look(self) -> None:
        for device, live in self.sums().items():
            self.peaks[device] = max(live, self.peaks.get(device, 0))

    def settle(self) -> None:
        """Count a sum of gradients, now that it is known whether its first one lives on.

        If not, autograd would have added in place without a mode.
        """
        if self._added is not None:
            live, device, first, size = self._added
            self._added = None
            live -= size if first.expired() else 0
            self.peaks[device] = max(live, self.peaks.get(device, 0))

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.settle()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.settle()
        if any(hasattr(kind, "__tensor_flatten__") for kind in types):
            return NotImplemented  # then what it wraps comes here
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, out)):
            if isinstance(tensor, Tensor):
                self.meet(tensor)
        # No program here has a backward of its own, so that all such sums are the engine's.
        if func is torch.ops.aten.add.Tensor and torch._C._current_graph_task_id() >= 0:
            first, device = args[0].untyped_storage(), str(args[0].device)
            size = first.nbytes()
            self._added = (self.sums()[device], device, StorageWeakRef(first), size)
        else:
            self.look()
        return out


class Saved(torch.autograd.graph.saved_tensors_hooks):
    """What autograd really saves: the distinct storages, without those that are given."""

    def __init__(self, without: Iterable[Tensor] = ()) -> None:
        self._without = {one.untyped_storage().data_ptr() for one in without}
        self.kept: dict[int, Tensor] = {}
        super().__init__(self._pack, lambda tensor: tensor)

    def _pack(self, tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage().data_ptr()
        if key not in self._without:
            self.kept[key] = tensor
        return tensor

    @property
    def bytes(self) -> int:
        return sum(one.untyped_storage().nbytes() for one in self.kept.values())
