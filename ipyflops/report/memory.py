"""What held memory in a run, and when it was the most: plain data.

Bytes are those of the storages that the run made or touched. They are kept by device, because each
device has a memory of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from ipyflops.costs import with_printable_repr
from ipyflops.report.tables import Phase

MemoryKind: TypeAlias = Literal[
    "parameters",
    "gradients",
    "optimizer state",
    "activations",
    "temporaries",
    "inputs",
    "other",
]
MEMORY_KINDS: tuple[MemoryKind, ...] = get_args(MemoryKind)


class MemoryPoint(NamedTuple):
    """A point of the curve of live bytes.

    Attributes
    ----------
    operator : int
        The number of an operator, counted from 1.
    bytes : int
        That were live at its end.
    phase : {"forward", "backward", "recompute", "optimizer"}
        In which it ran.
    """

    operator: int
    bytes: int
    phase: Phase


class PlaceMemory(NamedTuple):
    """The memory of a place of the tree.

    Attributes
    ----------
    parameter_bytes, trainable_bytes : int
        Bytes of its parameters, and of those that require a gradient; its children's included,
        each counted once.
    saved_bytes : int
        Bytes that it made itself in the forward pass and that the backward pass needed. If there
        are several forward passes with a backward pass each, the most.
    peak_bytes : int
        The most bytes that were live while it ran, its children not included.
    """

    parameter_bytes: int = 0
    trainable_bytes: int = 0
    saved_bytes: int = 0
    peak_bytes: int = 0


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Holding:
    """Bytes at the peak of storages of one kind that were made at one place.

    Attributes
    ----------
    scope, line : int
        Indices in the report's tables: where the storages were made, or first touched if they had
        existed before. `line` is -1 where no source line is known.
    phase : {"forward", "backward", "recompute", "optimizer"}
        In which that was.
    kind : str
        One of `MEMORY_KINDS`.
    bytes, storages : int
        Their bytes, and how many they are.
    existed : bool
        Whether they existed before the run.
    """

    scope: int
    line: int
    phase: Phase
    kind: MemoryKind
    bytes: int
    storages: int
    existed: bool = False


@with_printable_repr
@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The memory of one device.

    Attributes
    ----------
    name : str
        Such as ``cuda:0``.
    peak : int
        The most bytes of tensors that were live at the end of an operator.
    operator : str
        The first operator at whose end the peak was reached, such as ``aten::mm``.
    number : int
        The number of that operator, as in `curve`.
    scope, line : int
        Where it ran, as in `Holding`.
    phase : {"forward", "backward", "recompute", "optimizer"}
    holdings : tuple of Holding
        What was live then, the most bytes first. They add up to `peak`.
    curve : tuple of MemoryPoint
        Live bytes over operators. A point may stand for several operators in a row; then it has the
        most bytes among them, so the peak is one of the points.
    allocator_peak : int or None
        The peak of PyTorch's allocator in the same time; None if it is not known.
    """

    name: str
    peak: int
    operator: str = ""
    number: int = 0
    scope: int = 0
    line: int = -1
    phase: Phase = "forward"
    holdings: tuple[Holding, ...] = ()
    curve: tuple[MemoryPoint, ...] = ()
    allocator_peak: int | None = None

    @property
    def at_peak(self) -> dict[MemoryKind, int]:
        """Bytes that were live at the peak, by kind; those of all kinds add up to `peak`."""
        sums: dict[str, int] = defaultdict(int)
        for holding in self.holdings:
            sums[holding.kind] += holding.bytes
        return {kind: sums[kind] for kind in MEMORY_KINDS if kind in sums}


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Memory:
    """What used memory in a run (see `Report.memory`).

    Attributes
    ----------
    devices : tuple of DeviceMemory
        The one with the largest peak first.
    places : tuple of PlaceMemory
        By the index of the scope.
    """

    devices: tuple[DeviceMemory, ...]
    places: tuple[PlaceMemory, ...] = ()

    @property
    def device(self) -> DeviceMemory:
        """The device with the largest peak."""
        return self.devices[0] if self.devices else DeviceMemory("cpu", 0)

    @property
    def peak(self) -> int:
        """The peak of the device with the largest, in bytes."""
        return self.device.peak

    @property
    def at_peak(self) -> dict[MemoryKind, int]:
        """What was live at that peak: bytes by kind. They add up to the peak."""
        return self.device.at_peak

    @property
    def by_device(self) -> Mapping[str, DeviceMemory]:
        """The devices by name, the one with the largest peak first."""
        return {device.name: device for device in self.devices}

    @property
    def curve(self) -> tuple[MemoryPoint, ...]:
        """The curve of live bytes of the device with the largest peak."""
        return self.device.curve

    def of_place(self, scope: int) -> PlaceMemory:
        """Return what is known of a scope."""
        return self.places[scope] if scope < len(self.places) else PlaceMemory()
