"""Follows the storages that operators make and touch, and notices when they are freed.

This runs for every operator of a count with ``memory=True``. What it needs for each tensor is the
Python object of its storage: PyTorch keeps that as long as the storage lives, so its id is a key.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.attribution import Location, Locator, Place, parameter_bytes
from ipyflops.counting.memory.allocators import Allocators
from ipyflops.counting.memory.kinds import (
    ExistingStorages,
    copies_inputs,
    kind_at_end,
    later_kind,
    left_for_backward,
)
from ipyflops.counting.memory.parts import parts_of, tensors_in
from ipyflops.counting.memory.storages import (
    BACKWARD,
    EXISTED,
    FORWARD,
    OPTIMIZER,
    RANKS,
    Device,
    Spot,
    StorageRecord,
)
from ipyflops.formulas import operator_name
from ipyflops.torch_private import current_backward_pass, is_view

_storage_of = Tensor.untyped_storage
_is_grad_enabled = torch.is_grad_enabled
_getframe = sys._getframe
#: What most other arguments are, in which there is no tensor.
_NUMBERS = frozenset({int, float, bool, complex, type(None), str, torch.dtype, torch.device})
#: What ``torch.tensor`` ends with: its argument is new, although no operator has made it.
_LIFT = {"aten::lift_fresh", "aten::lift"}


class MemoryTracker:
    """What holds the memory of the tensors of a count.

    Attributes
    ----------
    locator : Locator
        That of the count; set where the block begins.
    devices : dict
        By PyTorch's device.
    records : dict of int to StorageRecord
        The storages that are alive.
    number : int
        How many operators there were.
    phase : int
        That of the last operator.
    has_backward : bool
        Whether anything has run in a backward pass.
    """

    locator: Locator

    def __init__(self) -> None:
        self.allocators = Allocators()
        #: Bytes of the parameters of modules, and of those that are trained.
        self.parameters: dict[Place, tuple[int, int]] = {}
        #: Bytes that are left for a backward pass that has not come when the block ends.
        self._left: dict[Spot, int] = {}
        self.devices: dict[torch.device, Device] = {}
        self.records: dict[int, StorageRecord] = {}
        self.number = 0
        self.phase = FORWARD
        self.has_backward = False
        self._existing = ExistingStorages()
        #: Whether a block has ended: nobody knows what was live between that and the next one.
        self._was_ended = False
        #: Backward passes after a forward are of one epoch; when the last of what they need was
        #: read, and when the one before began.
        self._epoch = 0
        self._last_read = self._epoch_start = -1

    # --- for every operator --------------------------------------------------------------------

    def note(  # noqa: C901 - calls of further methods would take half of its time
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        location: Location,
    ) -> None:
        """Note what an operator has read, and what it gave."""
        self.number = number = self.number + 1
        self.phase = phase = RANKS[location.phase]
        records = self.records
        record: StorageRecord | None = None
        grad = False
        if kwargs:
            args = (*args, *kwargs.values())
        try:
            for value in args:
                kind = type(value)
                if kind is Tensor or kind is Parameter:
                    record = records.get(id(_storage_of(value)))
                    if record is None:
                        record = self._found(value, location)
                    if record.read < phase:
                        self._read_later(record, phase)
                    record.last = number
                    if record.grad:
                        grad = True
                    if kind is Parameter:
                        record.kind = "parameters"
                elif kind not in _NUMBERS:
                    for tensor in tensors_in(value):
                        record = self._read(tensor, location)
                        grad |= record.grad
            grad = grad and _is_grad_enabled()
            source = record
            for tensor in (out,) if type(out) is Tensor else tensors_in(out):
                storage = _storage_of(tensor)
                record = records.get(id(storage))
                if record is None:
                    record = self._made(storage, tensor, func, location, source, grad)
                elif record.bytes != storage.nbytes():
                    self._resized(record, storage, func, location)
        except (NotImplementedError, RuntimeError):
            record = self._note_parts(func, args, out, location)
        if record is not None:
            spot = record.spot
            device = spot.device
            if spot.location is not location:
                spot = device.spots.get(location) or self._spot(device, location)
            spot.peak = max(spot.peak, device.live)

    def runner(self, func: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        """Give what runs an operator that computes nothing, and notes what it touches.

        Views touch what they look into. All others make storages, as ``empty``, and need to know
        their location.
        """
        name = operator_name(func)
        if is_view(func) and name not in _LIFT:
            return partial(self._run_view, run)
        return partial(self._run_free, func, run, name in _LIFT)

    def _run_view(self, run: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        records = self.records
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is Parameter or isinstance(value, Tensor):
                try:
                    record = records.get(id(_storage_of(value)))
                except (NotImplementedError, RuntimeError):
                    continue  # what computes with it comes later
                if record is None:
                    location = self.locator.locate(_getframe(1).f_back)
                    record = self._found(value, location)
                record.last = self.number + 1
                if kind is Parameter:
                    record.kind = "parameters"
        return run(*args, **kwargs)

    def _run_free(
        self, func: Any, run: Callable[..., Any], is_new: bool, /, *args: Any, **kwargs: Any
    ) -> Any:
        location = self.locator.locate(_getframe(1).f_back)
        out = run(*args, **kwargs)
        self.note(func, () if is_new else args, kwargs, out, location)
        return out

    def unwrapped(self, values: Sequence[Any]) -> None:
        """Note which of the tensors that others wrap are parameters."""
        for value in tensors_in(values):
            if isinstance(value, Parameter):
                for part in parts_of(value):
                    record = self.records.get(id(_storage_of(part)))
                    if record is None:
                        record = self._found(part, self.locator.locate(_getframe(2)), value)
                    record.kind = "parameters"

    # --- what happens to a storage -------------------------------------------------------------

    def _read(self, tensor: Tensor, location: Location) -> StorageRecord:
        """Note that an operator has read a tensor."""
        record = self.records.get(id(_storage_of(tensor)))
        if record is None:
            record = self._found(tensor, location)
        if record.read < self.phase:
            self._read_later(record, self.phase)
        record.last = self.number
        if isinstance(tensor, Parameter):
            record.kind = "parameters"
        return record

    def _read_later(self, record: StorageRecord, phase: int) -> None:
        """Note that a storage was read in a later phase than ever before."""
        record.read = phase
        if record.kind is None:
            kind = later_kind(record, phase)
            record.kind = kind
            if kind == "activations" and record.made == FORWARD:
                self._was_saved(record)

    def _was_saved(self, record: StorageRecord) -> None:
        """Note that a backward pass needs what the forward has made."""
        self.has_backward = True
        if record.birth > self._last_read:
            self._epoch += 1
            self._epoch_start = self._last_read
        is_older = record.birth <= self._epoch_start
        self._last_read = self.number
        record.spot.add_saved(record.bytes, self._epoch - is_older)

    def _record(self, storage: Any, spot: Spot) -> StorageRecord:
        record = StorageRecord(storage, self._freed)
        record.key = id(storage)
        record.bytes = storage.nbytes()
        record.spot = spot
        record.made = record.read = spot.rank
        record.birth = record.last = self.number
        record.died = -1
        record.grad = False
        record.kind = None
        self.records[record.key] = record
        return record

    def _made(
        self,
        storage: Any,
        tensor: Tensor,
        func: Any,
        location: Location,
        source: StorageRecord | None,
        grad: bool,
    ) -> StorageRecord:
        """Note a storage that an operator has made; `source` is one that it has read."""
        where = tensor.device
        device = self.devices.get(where) or self._device(where)
        spot = device.spots.get(location) or self._spot(device, location)
        record = self._record(storage, spot)
        if grad:
            record.grad = True
        if spot.outside and (source is None or (source.kind == "inputs" and copies_inputs(func))):
            record.kind = "inputs"
        device.live = live = device.live + record.bytes
        curve = device.curve
        if live > device.peak or live > curve.top or self.number >= curve.end:
            self._raised(device, live, func, spot)
        return record

    def _grown(self, device: Device, more: int, func: Any, spot: Spot) -> None:
        """Note that there are more live bytes than before."""
        device.live = live = device.live + more
        self._raised(device, live, func, spot)

    def _raised(self, device: Device, live: int, func: Any, spot: Spot) -> None:
        """Note a number of live bytes, which may be the largest so far."""
        number = self.number
        if live > device.peak:
            device.peak = live
            device.at = number
            device.spot = spot
            device.operator = func
            if device.freed:
                device.freed.clear()
        curve = device.curve
        if number >= curve.end or live > curve.top:
            curve.add(number, live, spot.rank)

    def _found(
        self, tensor: Tensor, location: Location, whole: Tensor | None = None
    ) -> StorageRecord:
        """Note a storage that no operator of the block has made; `whole` is what wraps it."""
        storage = _storage_of(tensor)
        where = tensor.device
        device = self.devices.get(where) or self._device(where)
        spot = device.spots.get(location) or self._spot(device, location)
        record = self._record(storage, spot)
        phase = record.made
        record.made = record.read = EXISTED
        record.grad = tensor.requires_grad or (whole is not None and whole.requires_grad)
        record.kind = self._existing.kind(
            tensor if whole is None else whole, record.key, location, phase
        )
        if self._was_ended or (record.kind == "inputs" and device.inputs_freed):
            # As the batches of a loader, of which each is there when it is needed.
            self._grown(device, record.bytes, "", spot)
        else:
            record.birth = -1
            device.existed += record.bytes
        return record

    def _resized(self, record: StorageRecord, storage: Any, func: Any, location: Location) -> None:
        """Note that a storage has another size now: the old one is freed, and a new one made."""
        before = record.kind, record.made, record.read, record.grad
        device, key = record.spot.device, record.key
        self._freed(record)
        spot = device.spots.get(location) or self._spot(device, location)
        record = self._record(storage, spot)
        assert record.key == key
        record.kind, record.made, record.read, record.grad = before
        self._grown(device, record.bytes, func, spot)

    def _freed(self, record: StorageRecord) -> None:
        """Note that a storage is freed; PyTorch calls this in that moment."""
        if self.records.get(record.key) is not record:
            return  # the block has ended
        del self.records[record.key]
        if record.kind is None:
            made = record.made
            in_engine = current_backward_pass() >= 0
            # Most are made and freed in the engine, or neither: that tells nothing.
            if in_engine is not (made == BACKWARD) or made == OPTIMIZER:
                record.kind = kind_at_end(record, self.phase, in_engine=in_engine)
                if record.kind == "activations":
                    self._was_saved(record)
        device = record.spot.device
        device.live -= record.bytes
        if record.made == EXISTED and record.kind == "inputs":
            device.inputs_freed = True
        if record.birth <= device.at:
            record.died = self.number
            device.freed[id(record)] = record

    def _device(self, where: torch.device) -> Device:
        return self.devices.setdefault(where, Device(str(where)))

    def _spot(self, device: Device, location: Location) -> Spot:
        for place in location.place.enclosing():
            if place in self.parameters:
                break
            if place.kind == "module" and place.holder is not None:
                self.parameters[place] = parameter_bytes(place.holder)
        return device.spots.setdefault(location, Spot(device, location))

    def _note_parts(
        self,
        func: Any,
        args: Sequence[Any],
        out: Any,
        location: Location,
    ) -> StorageRecord | None:
        """Note an operator on tensors that have no storage of their own, as sparse ones."""
        record = None
        for value in tensors_in(args):
            for part in parts_of(value):
                record = self._read(part, location)
        for value in tensors_in(out):
            for part in parts_of(value):
                storage = _storage_of(part)
                known = self.records.get(id(storage))
                record = known or self._made(storage, part, func, location, record, grad=False)
        return record

    # --- the end -------------------------------------------------------------------------------

    def begin_block(self, locator: Locator) -> None:
        """Begin to follow what is made in a block."""
        self.locator = locator
        self.allocators.begin()

    def end_block(self) -> None:
        """Forget all storages but those that were live at the peak; may be called twice."""
        self.allocators.end()
        self._left = self.left() or self._left
        for record in list(self.records.values()):
            device = record.spot.device
            if record.birth <= device.at:
                device.freed[id(record)] = record
        records, self.records = self.records, {}
        for device in self.devices.values() if records else ():
            # What is left is found again when another block touches it.
            device.at_end, device.live = device.live, -device.existed
        self._was_ended = bool(self.devices)

    def left(self) -> dict[Spot, int]:
        """Give the bytes that each spot has left for a backward pass that has not come yet."""
        left = dict(self._left)
        for record in left_for_backward(list(self.records.values()), self.has_backward):
            left[record.spot] = left.get(record.spot, 0) + record.bytes
        return left
