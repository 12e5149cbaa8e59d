"""The locations of a count, each made once: what its sums are kept by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import FrameType

from ipyflops.attribution.functions import place_of_function
from ipyflops.attribution.lines import Function, LineKey, MethodLine
from ipyflops.attribution.marks import Location, MethodFrame, UserFrame, method_line_around
from ipyflops.attribution.places import Place
from ipyflops.report import Phase
from ipyflops.torch_private import CALL_CODE


class LocationTable:
    """All locations of a count, and the marks that lead to them.

    Several threads may ask for the same location at once, and get the same one.

    Parameters
    ----------
    owner : object
        Whose marks these are.
    user_file : str
        The file name of the code whose lines are wanted.
    file_label : str
        What to call that file, as ``In[5]``.

    Attributes
    ----------
    root : Place
        The place that holds all others.
    """

    def __init__(self, owner: object, user_file: str, file_label: str) -> None:
        self.root = Place(None, "", "", "root")
        self._owner = owner
        self._user_file = user_file
        self._file_label = file_label
        self._locations: dict[
            tuple[Place, LineKey | None, Phase, bool, MethodLine | None], Location
        ] = {}
        self._user_frames: dict[tuple[Place, Phase, bool, MethodLine | None], UserFrame] = {}
        #: The beginning of all chains of lines of methods.
        self._no_method_line = MethodLine(CALL_CODE, 0)

    def at(
        self,
        place: Place,
        line: LineKey | None,
        phase: Phase,
        constructing: bool = False,
        method_line: MethodLine | None = None,
    ) -> Location:
        """Give the location of a place, a line and a phase."""
        key = (place, line, phase, constructing, method_line)
        location = self._locations.get(key)
        if location is None:
            made = Location(self._owner, place, line, phase, constructing, method_line)
            # In one step: another thread may have made it meanwhile, and counts there.
            location = self._locations.setdefault(key, made)
        return location

    def in_phase(self, location: Location, phase: Phase) -> Location:
        """Give the location of another phase at the same place and line."""
        return self.at(location.place, location.line, phase, False, location.method_line)

    def by_place(self) -> Mapping[Place, Sequence[Location]]:
        """Give the locations of each place, in the order in which they were made."""
        locations: dict[Place, list[Location]] = defaultdict(list)
        # In one step: other threads may go on making locations.
        for location in list(self._locations.values()):
            locations[location.place].append(location)
        return locations

    def code_place(self, line: LineKey | None) -> Place:
        """Give the place of code outside any module: the line itself, as ``In[5]:3``."""
        return self.root if line is None else self.root.code(f"{self._file_label}:{line[1]}")

    def or_line(self, place: Place, line: LineKey | None) -> Place:
        """Give a place itself, or that of a line for what is in none."""
        return place if place is not self.root else self.code_place(line)

    def of_function(self, around: Location, function: Function) -> Location:
        """Give the location of a function that was called at another one.

        One thread at a time may ask. What `around` knows of functions is not None.
        """
        base = self.root if around.place.kind == "code" else around.place
        place = place_of_function(base, function)
        location = around
        if place is not base:
            location = self.at(place, around.line, around.phase, method_line=around.method_line)
        if around.functions is not None:
            around.functions[function] = location
        return location

    def mark_of_user_frame(
        self, place: Place, phase: Phase, constructing: bool, method_line: MethodLine | None
    ) -> UserFrame:
        """Give the mark of the frames of the user's file in which a place runs."""
        key = (place, phase, constructing, method_line)
        return self._user_frames.get(key) or self._user_frames.setdefault(
            key, UserFrame(self._owner, place, phase, constructing, method_line)
        )

    def of_user_frame(self, mark: UserFrame, frame: FrameType) -> Location:
        """Give the location of the line that a frame of the user's file is at."""
        number = mark.line_of(frame)
        location = mark.lines.get(number)
        if location is None:
            line = (self._user_file, number)
            place = self.code_place(line) if mark.place is self.root else mark.place
            location = self.at(place, line, mark.phase, mark.constructing, mark.method_line)
            mark.lines[number] = location
        return location

    def of_method_frame(self, mark: MethodFrame, frame: FrameType) -> Location:
        """Give the location of the line that a frame of a module's method is at."""
        number = mark.line_of(frame)
        location = mark.lines.get(number)
        if location is None:
            outer = method_line_around(mark.around, mark.phase) or self._no_method_line
            method_line = outer.inside(frame.f_code, number)
            location = self.at(mark.place, mark.around.line, mark.phase, False, method_line)
            mark.lines[number] = location
        return location
