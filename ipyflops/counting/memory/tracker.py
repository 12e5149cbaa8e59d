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

from ipyflops.attribution import Location, Locator
from ipyflops.counting.memory.accumulation import Held, may_add_in_place
from ipyflops.counting.memory.allocators import Allocators
from ipyflops.counting.memory.kinds import (
    ExistingStorages,
    copies_inputs,
    later_kind,
    left_for_backward,
)
from ipyflops.counting.memory.live_bytes import LiveBytes
from ipyflops.counting.memory.parts import parts_of, tensors_in
from ipyflops.counting.memory.storages import (
    BACKWARD,
    EXISTED,
    FORWARD,
    RANKS,
    Spot,
    StorageRecord,
)
from ipyflops.formulas import operator_name
from ipyflops.torch_private import base_of, is_view

_storage_of = Tensor.untyped_storage
_is_grad_enabled = torch.is_grad_enabled
_getframe = sys._getframe
#: What most other arguments are, in which there is no tensor.
_NUMBERS = frozenset({int, float, bool, complex, type(None), str, torch.dtype, torch.device})
#: What ``torch.tensor`` ends with: its argument is new, although no operator has made it.
_LIFT = {"aten::lift_fresh", "aten::lift"}
#: What FSDP fills the storages of whole parameters with.
_FILLS = "fsdp::split_with_sizes_copy"


class MemoryTracker(LiveBytes):
    """What holds the memory of the tensors of a count.

    Attributes
    ----------
    locator : Locator
        That of the count; set where the block begins.
    """

    locator: Locator

    def __init__(self) -> None:
        super().__init__()
        self.allocators = Allocators()
        #: Bytes that are left for a backward pass that has not come when the block ends.
        self._left: dict[Spot, int] = {}
        self._existing = ExistingStorages()
        #: Whether a block has ended: nobody knows what was live between that and the next one.
        self._was_ended = False

    # --- for every operator --------------------------------------------------------------------

    def note(  # noqa: C901, PLR0912 - calls of further methods would take half of its time
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        location: Location,
    ) -> None:
        """Note what an operator has read, and what it gave."""
        if self._held is not None:
            self._settle()
        self.number = number = self.number + 1
        self.phase = phase = RANKS[location.phase]
        if self._resizable:
            self._look_at_resized(func, location)
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
                    record = self._made(storage, tensor, func, location, source, grad, args)
                elif record.bytes != storage.nbytes():
                    self._resized(record, storage, func, location)
        except (NotImplementedError, RuntimeError):
            record = self._note_parts(func, args, out, location)
        if record is not None and self._held is None:
            spot = record.spot
            device = spot.device
            if spot.location is not location:
                spot = device.spots.get(location) or self._spot(device, location)
            spot.peak = max(spot.peak, device.live)

    def runner(self, func: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        """Return what runs an operator that computes nothing, and notes what it touches.

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

    def watcher(self, func: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        """Return what runs an operator of FSDP, which resizes the storages of whole parameters.

        It does so by hand: before they are filled, and when they are not needed any more.
        """
        name = operator_name(func)
        if name == "fsdp::all_gather_copy_in":
            return partial(self._run_gathering, run)
        return partial(self._run_filling, func, run) if name == _FILLS else run

    def _run_gathering(self, run: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        location = self.locator.locate(_getframe(1).f_back)
        for shard in tensors_in(args[0] if args else None):
            record = self._read(shard, location)
            if record.made == EXISTED:
                record.kind = "parameters"
        return run(*args, **kwargs)

    def _run_filling(self, func: Any, run: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        location = self.locator.locate(_getframe(1).f_back)
        for tensor in tensors_in(kwargs.get("out")):
            storage = _storage_of(tensor)
            record = self.records.get(id(storage))
            if record is None or record.made == EXISTED:  # it had no bytes until now
                device = self.devices.get(tensor.device) or self._device(tensor.device)
                if record is not None:
                    device.existed -= record.bytes
                spot = self._spot(device, location)
                record = self._record(storage, spot)
                self._grown(device, record.bytes, func, spot)
            self._resizable[record.key] = record
        return run(*args, **kwargs)

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

    def _made(
        self,
        storage: Any,
        tensor: Tensor,
        func: Any,
        location: Location,
        source: StorageRecord | None,
        grad: bool,
        args: Sequence[Any] = (),
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
        if spot.rank == BACKWARD and may_add_in_place(func):
            first = self.records.get(id(_storage_of(args[0]))) if args else None
            # A view holds its base, so that its storage is not its own to be written to.
            if first is not None and first is not source and base_of(args[0]) is None:
                self._held = Held(func, spot, first)
                return record
        curve = device.curve
        if live > device.peak or live > curve.top or self.number >= curve.end:
            self._raised(device, live, func, spot)
        return record

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
        self._settle()
        self.allocators.end()
        self._left = self.left() or self._left
        for record in list(self.records.values()):
            device = record.spot.device
            if record.birth <= device.at:
                device.freed[id(record)] = record
        records, self.records = self.records, {}
        self._resizable = {}
        for device in self.devices.values() if records else ():
            # What is left is found again when another block touches it.
            device.at_end, device.live = device.live, -device.existed
        self._was_ended = bool(self.devices)

    def left(self) -> dict[Spot, int]:
        """Return the bytes that each spot has left for a backward pass that has not come yet."""
        self._settle()
        left = dict(self._left)
        for record in left_for_backward(list(self.records.values()), self.has_backward):
            left[record.spot] = left.get(record.spot, 0) + record.bytes
        return left
