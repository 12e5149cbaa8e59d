"""What is kept of each storage, of each place that makes some, and of each device.

A storage is the memory behind tensors: a view shares that of its tensor. It is known by a weak
reference, so that nothing is kept alive, and its end is noticed in the moment when it is freed.
"""

from __future__ import annotations

import weakref
from typing import Any

from ipyflops.attribution import Location
from ipyflops.counting.memory.curve import Curve
from ipyflops.report import MemoryKind

#: The phases in the order in which a training step has them. What was made in one and is read in a
#: later one was kept for it.
FORWARD, RECOMPUTE, BACKWARD, OPTIMIZER = range(4)
RANKS = {
    "forward": FORWARD,
    "recompute": RECOMPUTE,
    "backward": BACKWARD,
    "optimizer": OPTIMIZER,
}
#: In the place of a phase: it was there before the block.
EXISTED = 4


class Spot:
    """What a location did to the memory of one device.

    Attributes
    ----------
    device : Device
    location : Location
    rank : int
        Its phase, as a number of `RANKS`.
    outside : bool
        Whether it is outside of all modules and optimizers, in the forward.
    peak : int
        The most bytes that were live while something ran here, without `Device.existed`.
    saved : int
        The most bytes made here that one backward pass, or several after one forward, needed.
    """

    __slots__ = ("_epoch", "_sum", "device", "location", "outside", "peak", "rank", "saved")

    def __init__(self, device: Device, location: Location) -> None:
        self.device = device
        self.location = location
        self.rank = RANKS[location.phase]
        self.outside = self.rank == FORWARD and location.place.kind in ("code", "root")
        self.peak = -(1 << 62)
        self.saved = 0
        self._epoch = self._sum = 0

    def add_saved(self, size: int, epoch: int) -> None:
        """Add bytes that the backward of an epoch needs."""
        if epoch != self._epoch:
            self._epoch, self._sum = epoch, 0
        self._sum += size
        self.saved = max(self.saved, self._sum)


class StorageRecord(weakref.ref[Any]):
    """A storage that is alive, or was at the peak.

    Attributes
    ----------
    key : int
        The id of the storage's Python object, which is the same as long as the storage lives.
    bytes : int
    spot : Spot
        Where it was made; where it was first touched if it existed before.
    made : int
        The phase in which it was made, as a number of `RANKS`, or `EXISTED`.
    read : int
        The latest of the phases in which it was read.
    birth, last, died : int
        The numbers of the operators that made it, read it last, and after which it was freed; -1
        where that is not known.
    grad : bool
        Whether autograd follows it, so that it may have been saved for a backward pass.
    kind : str
        Its kind as far as it is known already, else empty.
    """

    __slots__ = (
        "birth",
        "bytes",
        "died",
        "grad",
        "key",
        "kind",
        "last",
        "made",
        "read",
        "spot",
    )

    key: int
    bytes: int
    spot: Spot
    made: int
    read: int
    birth: int
    last: int
    died: int
    grad: bool
    kind: MemoryKind | None


class Device:
    """The live bytes of a device, and its peak.

    What existed before the block was live all the time, but is found only when it is touched. So
    its bytes are kept apart, in `existed`, and belong to every number of live bytes.

    Attributes
    ----------
    name : str
    existed : int
    live, peak : int
        Without `existed`: may be below zero once something is freed that existed.
    at : int
        The number of the operator at whose end the peak stood.
    spot, operator
        Where that ran, and the operator itself.
    freed : dict
        The storages that were live at the peak and have been freed since, by the record's id.
    at_end : int or None
        What was live when the block ended.
    inputs_freed : bool
        Whether an input that was there before has been freed: further ones come one by one.
    spots : dict of Location to Spot
    """

    __slots__ = (
        "at",
        "at_end",
        "curve",
        "existed",
        "freed",
        "inputs_freed",
        "live",
        "name",
        "operator",
        "peak",
        "spot",
        "spots",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.existed = self.live = 0
        # Before the first operator nothing was live but what existed.
        self.peak = 0
        self.at = 0
        self.at_end: int | None = None
        self.spot: Spot | None = None
        self.operator: Any = None
        self.freed: dict[int, StorageRecord] = {}
        self.inputs_freed = False
        self.spots: dict[Location, Spot] = {}
        self.curve = Curve()
