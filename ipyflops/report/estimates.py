"""The least time of a report's work on a device, by the numbers of its data sheet.

Each operator takes at least as long as its FLOPs take at the peak of their dtype, and as its bytes
take to get from and to the memory. Operators are taken as they are, one after the other: nothing is
fused, and nothing stays in a cache, unless the device says how much its cache holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ipyflops.report.devices import Device, check_efficiency, read_device
from ipyflops.report.estimate_parts import Bound, Part, TimeSum, bytes_moved, flops_of
from ipyflops.report.run import Run
from ipyflops.report.shown_tables import ShownAsTable
from ipyflops.report.tables import NANOSECONDS, Row
from ipyflops.report.tree import Node

if TYPE_CHECKING:
    import matplotlib.axes

#: A device by its name, with or without an efficiency, or described.
AnyDevice: TypeAlias = str | Device
_HOUR = 3600.0


@dataclass(frozen=True)
class Estimate(ShownAsTable):
    """The least time of a report's work on a device, by its data sheet.

    Attributes
    ----------
    report : Report
    device : Device
    efficiency : float
        The share of the peaks that is reached; 1 for the least time.
    per : (int, str) or None
        How many items the run worked on, and what one is called.
    """

    report: Run
    device: Device
    efficiency: float = 1.0
    per: tuple[int, str] | None = None

    # --- the whole -------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Time of the run at the stated efficiency."""
        return self.least_seconds / self.efficiency

    @property
    def least_seconds(self) -> float:
        """Time of the run if every operator reaches the peak that limits it."""
        return self._sums[0].least

    @property
    def bound(self) -> Bound:
        """What limits the run as a whole: ``compute`` or ``memory``."""
        return self.whole.bound

    @property
    def fits(self) -> bool | None:
        """Whether the peak of live bytes fits; None without ``memory=True`` or a size."""
        return self.whole.fits

    @property
    def items_per_second(self) -> float | None:
        """Items a second, such as tokens; None if the estimate has no items."""
        return self.per[0] / self.seconds if self.per and self.seconds else None

    def device_hours(self, items: float | None = None) -> float:
        """Return the hours that one device needs for this many items; for one run by default.

        Raises
        ------
        ValueError
            If the number of items of a run is unknown (``per=(128, "token")``).
        """
        if items is None:
            return self.seconds / _HOUR
        if self.per is None:
            raise ValueError(
                'how many items a run has is not known: report.on(…, per=(128, "token"))'
            )
        return self.seconds * items / self.per[0] / _HOUR

    # --- its parts -------------------------------------------------------------------------------

    @cached_property
    def whole(self) -> Part:
        """The run as one part."""
        return self._part("", self._sums[0], self._fits(self.report.tree.scope))

    def find(self, path: str) -> Part:
        """Return the part of a module by its path, as `Report.find` takes it.

        Raises
        ------
        KeyError
            As `Report.find`.
        """
        node = self.report.find(path)
        return self._part(node.path, self._sums[node.scope], self._fits(node.scope))

    def walk(self) -> Iterator[Part]:
        """The parts of all modules, parents before what is inside them."""
        for node in self.report.walk():
            yield self._part(node.path, self._sums[node.scope], self._fits(node.scope))

    @cached_property
    def by_operator(self) -> dict[str, Part]:
        """The part of each operator, the longest first."""
        sums: dict[str, TimeSum] = {}
        for row in self.report.rows:
            operator = self.report.signatures[row.signature].operator
            self._add_row(sums.setdefault(operator, TimeSum()), row)
        ordered = sorted(sums.items(), key=lambda item: -item[1].least)
        return {name: self._part(name, one, None) for name, one in ordered}

    @cached_property
    def unknown_dtypes(self) -> tuple[str, ...]:
        """The dtypes for which the device has no rate: only the bytes of their work take time."""
        missing: dict[str, None] = {}
        for row in self.report.rows:
            signature = self.report.signatures[row.signature]
            if flops_of(signature, self.report) and self.device.rate(signature.dtype) is None:
                missing[signature.dtype] = None
        return tuple(missing)

    # --- as a report -----------------------------------------------------------------------------

    def as_report(self) -> Any:
        """Return the report with these times, as if they had been measured, and the device's peaks.

        So you can draw a roofline of a dry run, and make any table with times. A note says that the
        times are estimates. They are whole nanoseconds, rounded so that they add up.
        """
        rows = []
        lost = 0.0
        for row in self.report.rows:
            exact = self._seconds(row) / self.efficiency * NANOSECONDS + lost
            whole = round(exact)
            lost = exact - whole
            rows.append(replace(row, nanoseconds=whole))
        return replace(
            self.report,
            rows=tuple(rows),
            peak=self.device.peak,
            timing=None,
            device=self.device.name,
            busy_share=None,
            notes=(*self.report.notes, self._what_times_are()),
        )

    def _what_times_are(self) -> str:
        at = "" if self.efficiency == 1 else f" at {self.efficiency:.3g} of its peaks"
        return (
            f"times are the least ones on {self.device.name}{at}, by its data sheet: none was "
            "measured"
        )

    def widget(self, **options: Any) -> Any:
        """Return the estimate as a widget: the tree with least times, and the device's roofline.

        Parameters
        ----------
        **options
            As for `Report.widget`.
        """
        return self.as_report().widget(**options)

    def plot(
        self, kind: Literal["bar", "roofline"] = "roofline", ax: Any = None, **options: Any
    ) -> matplotlib.axes.Axes:
        """Draw the estimate: its roofline, or bars of the least time.

        The arguments are those of `Report.plot`.
        """
        from ipyflops.views import plot

        axes: matplotlib.axes.Axes = plot(self, kind, ax, **options)
        return axes

    # --- how -------------------------------------------------------------------------------------

    @cached_property
    def _times(self) -> list[tuple[float, float]]:
        """The time of the FLOPs and of the bytes of one call, by signature."""
        times = []
        for signature in self.report.signatures:
            flops = flops_of(signature, self.report)
            rate = self.device.rate(signature.dtype) if flops else None
            # So much may be in the cache already, and as much of the result may stay there.
            moved = max(0.0, bytes_moved(signature) - 2 * self.device.cache)
            times.append((flops / rate if rate else 0.0, moved / self.device.bandwidth))
        return times

    def _add_row(self, total: TimeSum, row: Row) -> None:
        total.add(*self._times[row.signature], self._calls(row))

    def _calls(self, row: Row) -> int:
        return 1 if self.report.signatures[row.signature].summed else row.calls

    def _seconds(self, row: Row) -> float:
        return max(self._times[row.signature]) * self._calls(row)

    @cached_property
    def _sums(self) -> list[TimeSum]:
        """By scope, what is inside included."""
        scopes = self.report.scopes
        sums = [TimeSum() for _ in scopes]
        for row in self.report.rows:
            self._add_row(sums[row.scope], row)
        # A parent's index is smaller than its children's.
        for index in range(len(scopes) - 1, 0, -1):
            sums[scopes[index].parent].add_sum(sums[index])
        return sums

    def _part(self, name: str, one: TimeSum, fits: bool | None) -> Part:
        whole = self._sums[0].least
        return Part(
            name,
            one.least / self.efficiency,
            one.compute,
            one.memory,
            one.least / whole if whole else 0.0,
            fits,
        )

    def _fits(self, scope: int) -> bool | None:
        memory = self.report.memory
        if memory is None or self.device.memory is None:
            return None
        peak = memory.peak if scope == 0 else self._places[scope].peak_bytes
        return peak <= self.device.memory

    @cached_property
    def _places(self) -> dict[int, Node]:
        return {node.scope: node for node in self.report.walk()}

    def __repr__(self) -> str:
        at = "" if self.efficiency == 1 else f" at {self.efficiency:g}"
        return f"<Estimate on {self.device.name}{at}: {self.seconds:.3g} s, {self.bound}>"


@dataclass(frozen=True)
class Estimates(ShownAsTable, Sequence[Estimate]):
    """The same report on several devices, side by side.

    Attributes
    ----------
    estimates : tuple of Estimate
    """

    estimates: tuple[Estimate, ...]

    def __len__(self) -> int:
        return len(self.estimates)

    def __getitem__(self, index: Any) -> Any:
        return self.estimates[index]

    def __repr__(self) -> str:
        return f"<Estimates: {', '.join(map(repr, self.estimates))}>"


@dataclass(frozen=True)
class SweepEstimate(ShownAsTable):
    """The time of each point of a sweep on one or several devices.

    Attributes
    ----------
    names : tuple of str
        The variables.
    points : tuple of (tuple of int, tuple of Estimate)
        The values of a point, and its time on each device.
    """

    names: tuple[str, ...]
    points: tuple[tuple[tuple[int, ...], tuple[Estimate, ...]], ...]

    def __repr__(self) -> str:
        return f"<SweepEstimate of {len(self.points)} points>"


def estimates_of(
    report: Run,
    devices: AnyDevice | Iterable[AnyDevice],
    efficiency: float | None = None,
    per: tuple[int, str] | None = None,
) -> tuple[Estimate, ...]:
    """Return what a report would take on each of some devices.

    Raises
    ------
    ValueError
        If there is no such device, or that is no efficiency.
    """
    listed = [devices] if isinstance(devices, str | Device) else list(devices)
    found: list[Estimate] = []
    for one in listed:
        for device, stated in _read(one):
            share = stated if efficiency is None else check_efficiency(efficiency)
            found.append(Estimate(report, device, share, per))
    if not found:
        raise ValueError("name a device, as H100 SXM")
    return tuple(found)


def on(
    report: Run,
    device: AnyDevice | Iterable[AnyDevice],
    *,
    efficiency: float | None = None,
    per: tuple[int, str] | None = None,
) -> Estimate | Estimates:
    """Give one estimate, or several where several devices are named; see `Report.on`."""
    found = estimates_of(report, device, efficiency, per)
    several = len(found) > 1 or not isinstance(device, str | Device)
    return Estimates(found) if several else found[0]


def _read(device: AnyDevice) -> list[tuple[Device, float]]:
    if isinstance(device, Device):
        return [(device, 1.0)]
    return [read_device(name) for name in device.split(",")]
