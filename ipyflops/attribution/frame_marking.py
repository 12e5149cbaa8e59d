"""Marks frames with the place, the line and the phase of what runs in them; see `locator`."""

from __future__ import annotations

from sys import gettrace
from threading import RLock
from types import FrameType
from typing import Any

from torch import is_grad_enabled

from ipyflops.attribution.arrivals import USUAL_PHASES, Arrivals
from ipyflops.attribution.backward import BackwardPasses
from ipyflops.attribution.code_kinds import CodeKinds
from ipyflops.attribution.frames import (
    COMPILED,
    ENGINE,
    FOLLOWED,
    SELF,
    SHAPE_PROPAGATION,
    SUSPENDABLE,
    USER,
    by_higher_order,
    may_compute_loss,
    self_of,
)
from ipyflops.attribution.location_table import LocationTable
from ipyflops.attribution.mark_table import MarkTable
from ipyflops.attribution.marks import (
    EngineFrame,
    Location,
    Mark,
    MethodFrame,
    UserFrame,
    is_followed_at,
    method_line_around,
)
from ipyflops.attribution.places import Place
from ipyflops.attribution.sequence import NodeMap
from ipyflops.attribution.this_thread import THREAD
from ipyflops.torch_private import runs_eagerly

EAGERLY = (
    "compiled code was run and counted as the eager code that it was compiled from, which draws "
    "other random numbers, rounds otherwise and may need more memory"
)
NOT_EAGERLY = "not counted: compiled code after torch.compiler.set_stance was called"


class FrameMarker:
    """Marks a frame that was called at a known location; the marks are its own.

    Parameters
    ----------
    user_file : str
        The file name of the code whose lines are wanted.
    file_label : str
        What to call that file, as ``In[5]``.
    follow_methods : bool
        Whether to tell the lines of the modules' methods apart, too, wherever these are written.

    Attributes
    ----------
    locations : LocationTable
        All locations so far, and the tree of their places.
    notes : dict
        What a reader has to know of how the block was counted, as its keys.
    """

    def __init__(self, user_file: str, file_label: str, *, follow_methods: bool) -> None:
        self.notes: dict[str, None] = {}
        #: The thread that entered the block first; its frames know the user's variables.
        thread = THREAD.token
        self.locations = LocationTable(self, user_file, file_label)
        self._root = self.locations.root
        #: Of operators that nobody asked for; no report shows it.
        self._hidden_place = Place(None, "", "")
        self._nodes = NodeMap()
        self._backward = BackwardPasses(self, self.locations, self._nodes, user_file, thread)
        #: Held while a place is found or made: several threads may arrive at one at once.
        self._arriving = RLock()
        self._marks = MarkTable(self, self._nodes)
        self._remembered = self._marks.beside  # asked for with every operator
        self._kinds = CodeKinds(user_file, follow_methods=follow_methods)
        functions = self._kinds.functions
        self._arrivals = Arrivals(self._root, user_file, thread, functions, self._marks.around)

    def _called(self, module: Any, around: Location) -> Location | None:
        """Where a module runs that was called at a location; None if that is to be found out."""
        location = around.callees.get(id(module))
        if location is not None:
            place = location.place
            if place.reference is not None and place.reference() is module:
                place.calls += 1
                return location
        with self._arriving:
            child = self._arrivals.of_child(module, around)
        if child is None:
            return None
        location = self.locations.at(child, around.line, around.phase, False, around.method_line)
        around.remember(module, location)
        return location

    def _mark_called(
        self, frame: FrameType, kind: int, around: Location, call_frame: FrameType | None
    ) -> Mark:
        """Mark a frame as `_mark_frame` does; what a module's call has led to is remembered."""
        if kind == SELF and call_frame is not None and around.phase in USUAL_PHASES:
            location = self._called(self_of(frame), around)
            if location is not None:
                self._marks.keep(frame, location)
                self._marks.keep(call_frame, location)
                return location
        with self._arriving:
            return self._mark_frame(frame, kind, around, call_frame)

    def _mark_frame(
        self, frame: FrameType, kind: int, around: Location, call_frame: FrameType | None
    ) -> Mark:
        """Mark a frame that was called at `around`.

        `call_frame` is the frame of PyTorch through which it was called as a module's forward.
        """
        if kind & ENGINE:
            mark: Mark = self._backward.started_at(around.line, self._nodes.of_engine_thread())
            self._marks.keep(frame, mark)
            return mark
        if kind & SHAPE_PROPAGATION:
            # Marked like any other frame, but with a place that no report shows.
            mark = self.locations.at(self._hidden_place, around.line, around.phase)
            self._marks.keep(frame, mark)
            return mark
        if kind & COMPILED and not by_higher_order(frame):
            self.notes[EAGERLY if runs_eagerly() else NOT_EAGERLY] = None
        arrival = self._arrivals.of_frame(frame, kind, around, call_frame)
        place, phase, constructing, repeats = arrival
        method_line = method_line_around(around, phase)
        if kind & USER:
            mark = self.locations.mark_of_user_frame(place, phase, constructing, method_line)
        elif kind & FOLLOWED and not constructing and is_followed_at(place, around, frame):
            mark = MethodFrame(self, around, self.locations.or_line(place, around.line), phase)
        else:
            at = self.locations.or_line(place, around.line)
            mark = self.locations.at(at, around.line, phase, constructing, method_line)
            if call_frame is not None and repeats:
                around.remember(place.holder, mark)
        undecided = phase == "optimizer" and is_grad_enabled() and may_compute_loss(frame, kind)
        if not (kind & SUSPENDABLE or undecided):
            self._marks.keep(frame, mark)
        if call_frame is not None:
            # So that hooks, which run beside the forward, are not taken for another call.
            called_at = self.locations.at(place, around.line, phase, constructing, method_line)
            self._marks.keep(call_frame, called_at)
        return mark

    def _mark_methods(self, methods: list[FrameType], location: Location) -> Location | None:
        """Mark methods that were called at a location, the outermost last.

        None, and no mark, if they are not of the module that the location is of.
        """
        place = location.place
        holder = place.holder
        if holder is None or location.constructing or place.folded or location.phase == "backward":
            return None
        for method in methods:
            if self_of(method) is not holder:
                return None
        for method in methods:
            method.f_trace = location
        return location

    def _mark_functions(
        self, frame: FrameType, user_frame: FrameType, mark: UserFrame
    ) -> Location | None:
        """Mark plain functions that a line of the user's file has called, but no generators.

        None, and no mark, where a loss may be computed for an optimizer, and where one of them has
        a row of its own.
        """
        if mark.phase == "optimizer":
            return None
        if mark.place.functions is not None and self._in_function(frame, user_frame):
            return None
        location = self._location_of(mark, user_frame)
        current: FrameType | None = frame
        while current is not None and current is not user_frame:
            if not self._kinds.known.get(id(current.f_code)):
                current.f_trace = location
            current = current.f_back
        return location

    def _in_function(self, frame: FrameType | None, outer: FrameType) -> bool:
        """Whether any frame from one to another around it is of a function that may have a row."""
        functions = self._kinds.functions
        while frame is not None and frame is not outer:
            if id(frame.f_code) in functions:
                return True
            frame = frame.f_back
        return False

    def _enter_function(
        self, frame: FrameType, kind: int, outer: Mark, around: Location
    ) -> Location:
        """Mark a plain function, or generator, that was called at a location; say where it runs.

        Outside of modules it may have a row. Below an optimizer it may compute a loss, and the
        autograd engine's frame is at another node with each call.
        """
        function = None
        if around.functions is not None:
            function = self._kinds.functions.get(id(frame.f_code))
        if function is None or around.functions is None:
            is_usual = around.phase in USUAL_PHASES and type(outer) is not EngineFrame
            if not kind and is_usual and gettrace() is None:
                self._marks.keep(frame, around)
            return around
        location = around.functions.get(function)
        if location is None:
            with self._arriving:
                location = self.locations.of_function(around, function)
        if not kind & SUSPENDABLE:
            location.place.enter_from(around.place)
            self._marks.keep(frame, location)
        return location

    def _location_of(self, mark: Mark, frame: FrameType | None) -> Location:
        """Where an operator runs now that is called from a marked frame."""
        if type(mark) is Location:
            return mark
        if type(mark) is EngineFrame:
            return self._backward.locate(mark)
        assert frame is not None
        if type(mark) is MethodFrame:
            return self.locations.of_method_frame(mark, frame)
        assert type(mark) is UserFrame
        return self.locations.of_user_frame(mark, frame)
