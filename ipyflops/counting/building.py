"""From the running sums of a count to a `Report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipyflops.attribution import LineKey, Location, Locator, Place
from ipyflops.cells import source_lines
from ipyflops.costs import Convention, within_layer
from ipyflops.counting import first_calls
from ipyflops.counting.entries import Entry
from ipyflops.counting.memory import MEMORY_NOTE, MemoryResult, MemoryTracker
from ipyflops.counting.module_shapes import ModuleShapeRecorder
from ipyflops.counting.recording import Recorder
from ipyflops.counting.source_code import FollowedLines, counted_code, methods
from ipyflops.report import (
    NO_SHAPES,
    VIEWS_ONLY,
    Excerpt,
    Line,
    Memory,
    Report,
    Row,
    Scope,
    Signature,
)

#: The most modules that a note names.
MAX_NAMES = 4


def build_report(
    locator: Locator | None,
    recorder: Recorder,
    *,
    convention: Convention,
    complete: bool,
    error: str,
    no_times: str = "",
    more_notes: Sequence[str] = (),
    tracker: MemoryTracker | None = None,
    busy_share: float | None = None,
    shapes: ModuleShapeRecorder | None = None,
) -> Report:
    """Build the report of what was counted so far.

    Parameters
    ----------
    locator : Locator or None
        None where nothing was ever counted.
    recorder : Recorder
    convention, complete, error
        See `Report`.
    no_times : str
        A note on why no kernel time is known; empty where all are.
    more_notes : sequence of str
        Of what runs on a device.
    tracker : MemoryTracker or None
        What holds memory, where that is asked for.
    busy_share : float or None
        See `Report`.
    shapes : ModuleShapeRecorder or None
        What went into the modules, where that is asked for.
    """
    tables = _Tables(locator, shapes, timed=not no_times)
    tables.add(locator.locations.root if locator is not None else Place(None, "", "", "root"))
    memory = None if tracker is None else tables.memory(tracker)
    excerpts = tables.excerpts()
    notes = [*(locator.notes if locator is not None else ()), *tables.notes()]
    notes += [
        f"the formula of {operator} failed: {reason}"
        for operator, reason in recorder.failures.items()
    ]
    # While a CUDA graph is captured nothing runs at all: a note of the device says so.
    if recorder.saw_views and not tables.rows and not more_notes:
        notes.append(VIEWS_ONLY)
    if recorder.without_values:
        notes.append(
            "values tell what these cost, and there were none, so that it is a typical cost or an "
            f"upper bound: {', '.join(recorder.without_values)}"
        )
    if recorder.partly_outside:
        notes.append(
            "counted without what they compute outside PyTorch, as in NumPy: "
            f"{', '.join(recorder.partly_outside)}"
        )
    notes += recorder.other_paths.notes()
    notes += more_notes
    notes += shapes.notes() if shapes is not None else []
    notes += [MEMORY_NOTE] if memory is not None else []
    notes += [no_times] if no_times else first_calls.notes(recorder)
    return Report(
        scopes=tuple(tables.scopes),
        lines=tuple(tables.lines),
        signatures=tuple(tables.signatures),
        rows=tuple(tables.rows),
        convention=convention,
        complete=complete,
        error=error,
        notes=tuple(notes),
        device=tables.device(),
        excerpts=excerpts,
        memory=memory,
        busy_share=busy_share,
    )


class _Tables:
    """The report's tables while they are filled, each entry kept once."""

    def __init__(
        self, locator: Locator | None, shapes: ModuleShapeRecorder | None, *, timed: bool
    ) -> None:
        self._locator = locator
        self._shapes = shapes
        self._timed = timed
        self._locations = {} if locator is None else locator.locations.by_place()
        #: The places in which something ran, or in one inside of which.
        self._at_work = {
            around
            for place, locations in self._locations.items()
            if place.kind in ("code", "function") and any(one.entries for one in locations)
            for around in place.enclosing()
        }
        self.scopes: list[Scope] = []
        self.lines: list[Line] = []
        self.signatures: dict[Signature, int] = {}
        self.rows: list[Row] = []
        self._line_of: dict[LineKey, int] = {}
        self._scope_of: dict[Place, int] = {}
        self._sources: dict[str, list[str]] = {}
        self._opaque: dict[str, list[str]] = {}
        self._on_lines = FollowedLines()
        #: The FLOPs and the calls of each device.
        self._work: dict[str, tuple[int, int]] = {}

    def device(self) -> str:
        """The device on which most FLOPs ran; without any, most calls."""
        return max(self._work, key=lambda one: self._work[one], default="cpu")

    def notes(self) -> list[str]:
        """Notes for the reader on what the tables do not show."""
        notes: list[str] = []
        for reason, places in self._opaque.items():
            names = ", ".join(places[:MAX_NAMES])
            more = len(places) - MAX_NAMES
            notes.append(
                f"{reason} does not show its submodules: {names}"
                f"{f' and {more} more' if more > 0 else ''} counted as a whole"
            )
        return notes

    def add(self, root: Place) -> None:
        """Add a place and all below it; a loop, because models may be nested a thousand deep."""
        waiting: list[tuple[Place, int]] = [(root, -1)]
        while waiting:
            place, parent = waiting.pop()
            locations = self._locations.get(place, ())
            if place.kind in ("code", "function") and place not in self._at_work:
                continue  # a line that made views and no more
            index = self._scope_of[place] = parent
            if place.opaque_because:
                self._opaque.setdefault(place.opaque_because, []).append(place.name)
            if not place.folded:
                index = self._scope_of[place] = len(self.scopes)
                self.scopes.append(
                    Scope(
                        parent,
                        place.name,
                        place.type,
                        place.kind,
                        place.times_called,
                        place.parameters,
                        place.instances,
                        NO_SHAPES if self._shapes is None else self._shapes.of_place(place),
                    )
                )
            for location in locations:
                self._add_rows(location, index)
            waiting.extend((child, index) for child in reversed(place.children()))

    def _add_rows(self, location: Location, scope: int) -> None:
        line = self._line(location)
        for entry in list(location.entries.values()):
            signature = _signature(entry, location)
            index = self.signatures.setdefault(signature, len(self.signatures))
            flops, before = self._work.get(entry.device, (0, 0))
            cost, times = signature.cost, 1 if signature.summed else entry.calls
            flops += times * (cost.contraction.value + cost.other.value + cost.integer.value)
            self._work[entry.device] = (flops, before + entry.calls)
            calls, nanoseconds = entry.calls, entry.nanoseconds if self._timed else 0
            if location.method_line is not None:
                self._on_lines.add(
                    location.method_line,
                    location.phase,
                    index,
                    signature.summed,
                    calls,
                    nanoseconds,
                )
            self.rows.append(
                Row(
                    scope,
                    line,
                    location.phase,
                    index,
                    calls,
                    nanoseconds,
                    sample=entry.sample or 0,
                )
            )

    def excerpts(self) -> tuple[Excerpt, ...]:
        """The source of the counted code, and of the methods whose lines were followed."""
        if self._locator is None:
            return ()
        numbers = [number for _, number in self._line_of]
        counted = counted_code(self._locator.user_file, self._locator.file_label, numbers)
        return (*counted, *methods(self._on_lines.counts()))

    def memory(self, tracker: MemoryTracker) -> Memory:
        """What held memory, by the scopes and lines of these tables."""
        return MemoryResult(tracker, self._scope_of, self._line).memory()

    def _line(self, location: Location) -> int:
        key = location.line
        if key is None:
            return -1
        index = self._line_of.get(key)
        if index is None:
            index = self._line_of[key] = len(self.lines)
            filename, number = key
            label = self._locator.file_label if self._locator is not None else filename
            text = self._sources.get(filename)
            if text is None:
                text = self._sources[filename] = source_lines(filename)
            line = text[number - 1].rstrip() if 0 < number <= len(text) else ""
            self.lines.append(Line(label, number, line))
        return index


def _signature(entry: Entry, location: Location) -> Signature:
    """The signature of an entry, with what its calls cost at this location."""
    signature = entry.signature
    if entry.sums is not None and not entry.sums.alike:
        signature = replace(
            signature,
            shapes="various",
            cost=entry.sums.cost.total(),
            bytes=entry.sums.bytes,
            summed=True,
            communicated=entry.sums.communicated,
            activations=entry.sums.activations,
        )
    cost = within_layer(signature.cost, location.place.layer)
    return replace(signature, cost=cost) if cost is not signature.cost else signature
