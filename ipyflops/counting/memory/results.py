"""From the records of a tracker to the `Memory` of a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from ipyflops.attribution import Location, Place
from ipyflops.counting.memory.kinds import of_record
from ipyflops.counting.memory.storages import EXISTED, FORWARD, RANKS, Device, StorageRecord
from ipyflops.counting.memory.tracker import MemoryTracker
from ipyflops.formulas import operator_name
from ipyflops.report import (
    DeviceMemory,
    Holding,
    Memory,
    MemoryKind,
    MemoryPoint,
    Phase,
    PlaceMemory,
)

_PHASE_OF: dict[int, Phase] = {rank: phase for phase, rank in RANKS.items()}  # type: ignore[misc]
#: What a reader has to know of all these numbers.
NOTE = (
    "memory is that of the tensors' storages: what PyTorch's allocator adds (rounding, blocks that "
    "it keeps) and what kernels allocate for themselves while they run is not seen"
)


class MemoryResult:
    """What a tracker has found, as the tables of a report have it.

    Parameters
    ----------
    tracker : MemoryTracker
    scopes : mapping of Place to int
        The indices of the scopes in the report.
    line_of : callable
        Gives the index of a location's line.
    """

    def __init__(
        self,
        tracker: MemoryTracker,
        scopes: Mapping[Place, int],
        line_of: Callable[[Location], int],
    ) -> None:
        self._tracker = tracker
        self._scopes = scopes
        self._line_of = line_of

    def memory(self) -> Memory:
        """Return the result."""
        devices = [self._device(one) for one in self._tracker.devices.values()]
        devices.sort(key=lambda device: -device.peak)
        return Memory(tuple(devices), self._places())

    def _scope(self, location: Location) -> int:
        """The index of a location's scope, or of the nearest around it that is shown."""
        return next(
            (self._scopes[one] for one in location.place.enclosing() if one in self._scopes), 0
        )

    def _device(self, device: Device) -> DeviceMemory:
        holdings = self._holdings(device)
        spot = device.spot
        return DeviceMemory(
            device.name,
            sum(holding.bytes for holding in holdings),
            operator=operator_name(device.operator) if device.operator else "",
            number=device.at,
            scope=self._scope(spot.location) if spot else 0,
            line=self._line_of(spot.location) if spot else -1,
            phase=spot.location.phase if spot else "forward",
            holdings=holdings,
            curve=self._curve(device),
            allocator_peak=self._tracker.allocators.peak(device.name),
        )

    def _curve(self, device: Device) -> tuple[MemoryPoint, ...]:
        existed = device.existed
        points = [
            MemoryPoint(number, live + existed, _PHASE_OF[phase])
            for number, live, phase in device.curve.points()
        ]
        last = device.live if device.at_end is None else device.at_end
        phase = points[-1].phase if points else "forward"
        return (*points, MemoryPoint(self._tracker.number, last + existed, phase))

    def _holdings(self, device: Device) -> tuple[Holding, ...]:
        sums: dict[tuple[int, int, Phase, MemoryKind, bool], list[int]] = defaultdict(
            lambda: [0, 0]
        )
        for record, is_alive in self._at_peak(device):
            kind = of_record(record, is_alive=is_alive, has_backward=self._tracker.has_backward)
            location = record.spot.location
            key = (
                self._scope(location),
                self._line_of(location),
                location.phase,
                kind,
                record.made == EXISTED,
            )
            sums[key][0] += record.bytes
            sums[key][1] += 1
        return tuple(
            sorted(
                (
                    Holding(scope, line, phase, kind, size, number, existed)
                    for (scope, line, phase, kind, existed), (size, number) in sums.items()
                ),
                key=lambda holding: -holding.bytes,
            )
        )

    def _at_peak(self, device: Device) -> Iterator[tuple[StorageRecord, bool]]:
        """What was live at a device's peak, and whether it lives on."""
        for record in list(device.freed.values()):
            yield record, record.died < 0
        for record in list(self._tracker.records.values()):
            if record.spot.device is device and record.birth <= device.at:
                yield record, True

    def _places(self) -> tuple[PlaceMemory, ...]:
        saved: dict[int, int] = defaultdict(int)
        peaks: dict[int, int] = defaultdict(int)
        left: dict[int, int] = defaultdict(int)
        for device in self._tracker.devices.values():
            for spot in list(device.spots.values()):
                scope = self._scope(spot.location)
                peaks[scope] = max(peaks[scope], spot.peak + device.existed)
                saved[scope] += spot.saved if spot.rank == FORWARD else 0
        for spot, size in self._tracker.left().items():
            left[self._scope(spot.location)] += size
        sizes: dict[int, tuple[int, int]] = {}
        for place, scope in self._scopes.items():
            if place in self._tracker.parameters and not place.folded:
                sizes[scope] = self._tracker.parameters[place]
        return tuple(
            PlaceMemory(*sizes.get(scope, (0, 0)), max(saved[scope], left[scope]), peaks[scope])
            for scope in range(max(self._scopes.values(), default=-1) + 1)
        )
