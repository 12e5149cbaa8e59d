"""What a storage is for: a parameter, a gradient, an activation that the backward needs, …

No hook says what autograd saves. But what was made in the forward, and is read in the backward or
freed by it, was kept for it. In the same way a gradient is what a backward pass makes and leaves,
and an optimizer's state is what a step makes and leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ipyflops.attribution import Location, Place
from ipyflops.counting.memory.storages import (
    BACKWARD,
    FORWARD,
    OPTIMIZER,
    RECOMPUTE,
    StorageRecord,
)
from ipyflops.formulas import operator_name
from ipyflops.report import MemoryKind
from ipyflops.torch_private import BUFFERS, base_of, current_node_name

#: Copies of inputs are inputs, as a batch that is moved to a device.
_COPIES = frozenset({"aten::_to_copy", "aten::clone", "aten::stack", "aten::cat"})
#: The nodes in which a gradient is added to the one that is there.
_ADDS_GRADIENTS = "AccumulateGrad"


def is_parameter(tensor: Tensor) -> bool:
    """Whether a tensor is a parameter, or a view of one."""
    return isinstance(tensor, torch.nn.Parameter) or isinstance(base_of(tensor), torch.nn.Parameter)


def copies_inputs(operator: Any) -> bool:
    """Whether what an operator makes of inputs is an input as well."""
    return operator_name(operator) in _COPIES


class ExistingStorages:
    """Says what a storage is that was there before the block, from how it is first touched."""

    def __init__(self) -> None:
        #: The storages of each optimizer's state that was there before, by the optimizer's id.
        self._states: dict[int, frozenset[int]] = {}

    def kind(self, tensor: Tensor, key: int, location: Location, phase: int) -> MemoryKind:
        """Say what the storage of a tensor is; `key` is the id of the storage."""
        if is_parameter(tensor):
            return "parameters"
        if phase == OPTIMIZER:
            return self._of_optimizer(location.place, key)
        if phase == BACKWARD:
            # Gradients are added up in nodes of their own.
            is_gradient = current_node_name().endswith(_ADDS_GRADIENTS)
            return "gradients" if is_gradient else "activations"
        return "other" if key in _storages(_buffers(location.place)) else "inputs"

    def _of_optimizer(self, place: Place, key: int) -> MemoryKind:
        optimizer = next((one.holder for one in place.enclosing() if one.kind == "optimizer"), None)
        if optimizer is None:
            return "gradients"  # what clips and unscales gradients
        known = self._states.get(id(optimizer))
        if known is None:
            state = getattr(optimizer, "state", None)
            known = frozenset(
                key
                for values in (list(state.values()) if isinstance(state, Mapping) else ())
                if isinstance(values, Mapping)
                for key in _storages(values)
            )
            self._states[id(optimizer)] = known
        return "optimizer state" if key in known else "gradients"


def of_record(record: StorageRecord, *, is_alive: bool, has_backward: bool) -> MemoryKind:
    """Say what a storage is for that was live at the peak, once its life is known.

    Parameters
    ----------
    record : StorageRecord
    is_alive : bool
        Whether it lives on at the end of the block.
    has_backward : bool
        Whether there was a backward pass in the block.
    """
    if record.kind is not None:
        return record.kind
    if (
        record.made == FORWARD
        and record.grad
        and _is_left_for_backward(record, is_alive=is_alive, has_backward=has_backward)
    ):
        return "activations"
    if not is_alive:
        return "temporaries"
    if record.made == BACKWARD:
        return "gradients"
    if record.made == OPTIMIZER and record.spot.location.place.kind == "optimizer":
        return "optimizer state"
    return "other"


def _is_left_for_backward(record: StorageRecord, *, is_alive: bool, has_backward: bool) -> bool:
    """Whether what no backward pass of the block has read is left for one that may come.

    It lives on, and something has read it: a result that nothing has read is the user's. Where no
    backward pass is in the block, what was not read for a while before its end was kept for one.
    """
    was_read = record.last > record.birth
    if is_alive:
        return was_read
    return not has_backward and was_read and record.died - record.last > 1


def left_for_backward(
    records: Iterable[StorageRecord], has_backward: bool
) -> Iterator[StorageRecord]:
    """Give those of the living storages that are left for a backward pass that has not come."""
    for record in records:
        if record.made == FORWARD and record.kind is None:
            kind = of_record(record, is_alive=True, has_backward=has_backward)
            if kind == "activations":
                yield record


def later_kind(record: StorageRecord, phase: int) -> MemoryKind | None:
    """Say what a storage is that is read in a later phase than that in which it was made."""
    if record.made == FORWARD and phase in (RECOMPUTE, BACKWARD):
        return "activations"
    if record.made == RECOMPUTE and phase == BACKWARD:
        return "activations"
    if record.made == BACKWARD and phase == OPTIMIZER:
        return "gradients"
    return None


def kind_at_end(record: StorageRecord, phase: int, *, in_engine: bool) -> MemoryKind | None:
    """Say what a storage is that is freed now; None if its end does not tell.

    Parameters
    ----------
    record : StorageRecord
    phase : int
        Of the last operator.
    in_engine : bool
        Whether the autograd engine frees it.
    """
    if record.made == FORWARD and in_engine:
        return "activations"
    if record.made == BACKWARD and not in_engine:
        return "gradients"
    if record.made == OPTIMIZER and phase != OPTIMIZER:
        is_state = record.spot.location.place.kind == "optimizer"
        return "optimizer state" if is_state else "other"
    return None


def _buffers(place: Place) -> Mapping[str, Any]:
    holder = place.holder
    return vars(holder).get(BUFFERS) or {} if isinstance(holder, torch.nn.Module) else {}


def _storages(values: Mapping[Any, Any]) -> Iterator[int]:
    for value in list(values.values()):
        if isinstance(value, Tensor):
            try:
                yield id(value.untyped_storage())
            except (NotImplementedError, RuntimeError):
                continue  # a tensor that has none, as a sparse one
