"""The bytes that are live on each device, and their peaks, as storages come and go."""

from __future__ import annotations

from typing import Any

import torch

from ipyflops.attribution import Location, Place, parameter_bytes
from ipyflops.counting.memory.accumulation import Held
from ipyflops.counting.memory.kinds import kind_at_end
from ipyflops.counting.memory.storages import (
    BACKWARD,
    EXISTED,
    FORWARD,
    OPTIMIZER,
    Device,
    Spot,
    StorageRecord,
)
from ipyflops.torch_private import current_backward_pass


class LiveBytes:
    """What lives, since when, and how much that is.

    Attributes
    ----------
    devices : dict
        By PyTorch's device.
    records : dict of int to StorageRecord
        The storages that are alive.
    parameters : dict of Place to (int, int)
        Bytes of the parameters of modules, and of those that are trained.
    number : int
        How many operators there were.
    phase : int
        That of the last operator.
    has_backward : bool
        Whether anything has run in a backward pass.
    """

    def __init__(self) -> None:
        self.devices: dict[torch.device, Device] = {}
        self.records: dict[int, StorageRecord] = {}
        self.parameters: dict[Place, tuple[int, int]] = {}
        self.number = 0
        self.phase = FORWARD
        self.has_backward = False
        #: An operator whose bytes do not count yet.
        self._held: Held | None = None
        #: Those of the storages that are resized by no operator.
        self._resizable: dict[int, StorageRecord] = {}
        #: Backward passes after a forward are of one epoch; when the last of what they need was
        #: read, and when the one before began.
        self._epoch = 0
        self._last_read = self._epoch_start = -1

    def _device(self, where: torch.device) -> Device:
        return self.devices.setdefault(where, Device(str(where)))

    def _spot(self, device: Device, location: Location) -> Spot:
        for place in location.place.enclosing():
            if place in self.parameters:
                break
            if place.kind == "module" and place.holder is not None:
                self.parameters[place] = parameter_bytes(place.holder)
        return device.spots.setdefault(location, Spot(device, location))

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

    def _resized(
        self, record: StorageRecord, storage: Any, func: Any, location: Location
    ) -> StorageRecord:
        """Note that a storage has another size now: the old one is freed, and a new one made."""
        before = record.kind, record.made, record.read, record.grad
        device, key = record.spot.device, record.key
        self._freed(record)
        spot = device.spots.get(location) or self._spot(device, location)
        record = self._record(storage, spot)
        assert record.key == key
        record.kind, record.made, record.read, record.grad = before
        self._grown(device, record.bytes, func, spot)
        return record

    def _freed(self, record: StorageRecord) -> None:
        """Note that a storage is freed; PyTorch calls this in that moment."""
        if self.records.get(record.key) is not record:
            return  # the block has ended
        held = self._held
        if held is not None:
            self._settle(record)
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
            if held is not None and held.replaced is record and device.at == self.number:
                return  # what was made in its place was live at the peak
            record.died = self.number
            device.freed[id(record)] = record

    def _settle(self, freed: StorageRecord | None = None) -> None:
        """Count the operator that was waited for; `freed` is what is freed now, first of all."""
        held = self._held
        if held is None:
            return
        self._held = None
        spot, device = held.spot, held.spot.device
        live = device.live - (held.replaced.bytes if held.replaced is freed else 0)
        self._raised(device, live, held.operator, spot)
        spot.peak = max(spot.peak, live)

    def _look_at_resized(self, func: Any, location: Location) -> None:
        """Look at the storages that are resized by no operator, as FSDP does."""
        for key, record in list(self._resizable.items()):
            storage = record()
            if storage is None or self.records.get(key) is not record:
                del self._resizable[key]
            elif storage.nbytes() != record.bytes:
                self._resizable[key] = self._resized(record, storage, func, location)
