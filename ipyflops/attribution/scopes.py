"""Where an operator runs: its module, its source line and its phase, read from the Python stack.

No hook is registered anywhere. Below every operator lie the Python frames that called it:

- a frame whose ``self`` is a module says that the operator belongs to that module, and the module
  frames below it say by which path it was reached;
- the frame that drives the autograd engine says that this is the backward pass; there the number
  of the autograd node at work tells which forward operator made it (see `sequence`), and
  module frames *inside* the engine's frame mean that a forward is recomputed (checkpointing);
- a frame whose ``self`` is an optimizer says that this is its step.

Reading a frame's variables costs more than everything else here, and the path of a module cannot
change while its frame is alive. So each frame is read once and then marked (see `marks`).
While a tracer is at work (a debugger, coverage), frames are remembered outside instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import gettrace
from threading import RLock, get_ident
from types import CodeType, FrameType

import torch

from ipyflops.attribution import marks
from ipyflops.attribution.arrivals import Arrivals
from ipyflops.attribution.engine_frames import EngineFrames
from ipyflops.attribution.frames import (
    CALL,
    COMPILED,
    CONSTRUCTOR,
    DROPOUT,
    ENGINE,
    FOLLOWED,
    REHEARSAL,
    SELF,
    SUSPENDABLE,
    USER,
    by_higher_order,
    calls_itself,
    classify,
    is_outside_torch,
    self_of,
)
from ipyflops.attribution.marks import (
    EngineFrame,
    LineKey,
    Location,
    Mark,
    MethodFrame,
    Site,
    UserFrame,
    site_around,
)
from ipyflops.attribution.marks_held import HeldMarks
from ipyflops.attribution.places import Place, common, original
from ipyflops.attribution.sequence import NodeMap
from ipyflops.report.tables import Phase
from ipyflops.torch_private import (
    CALL_CODE,
    WRAPPED_CALL_CODE,
    current_node,
    current_sequence_number,
    sequence_number_of,
)

EAGERLY = "compiled code was counted as the eager code that it was compiled from"


class Scopes:
    """Says where each operator runs.

    Parameters
    ----------
    user_file : str
        The file name of the code whose lines are wanted.
    file_label : str
        What to call that file, as ``In[5]``.
    follow_methods : bool
        Whether to tell the lines of the modules' methods apart, too, wherever these are written.
    """

    def __init__(self, user_file: str, file_label: str, *, follow_methods: bool = False) -> None:
        self.root = Place(None, "", "", "root")
        self.user_file = user_file
        self.file_label = file_label
        #: The sites of lines of methods lie inside this one; None where they are not followed.
        self._sites = Site(CALL_CODE, 0) if follow_methods else None
        self._nowhere = Place(None, "", "")
        self._nodes = NodeMap()
        #: The thread that entered the block first; its frames know the user's variables.
        self._thread = get_ident()
        self._arrivals = Arrivals(self.root, user_file, self._thread)
        # By id; the code objects are kept so that their ids stay their own.
        self._kinds: dict[int, int] = {}
        self._codes: list[CodeType] = []
        self._engine_frames = EngineFrames(self, user_file, self._thread)
        self._held = HeldMarks()
        #: Where the node was made that each thread has worked on last.
        self._last_backward: dict[int, Location] = {}
        #: Held while a place is found or made: several threads may arrive at one at once.
        self._arriving = RLock()
        #: What a reader has to know of how the block was counted; a set that keeps its order.
        self.notes: dict[str, None] = {}

    # --- what the counter asks -----------------------------------------------------------------

    def locate(self, frame: FrameType | None) -> Location:
        """Say where the operator runs that was called from `frame`.

        There is no frame where a thread of the autograd engine runs it.
        """
        mark = None if frame is None else frame.f_trace
        location: Location
        if mark is None:
            location = self._called_before(frame) or self._locate(frame)
        elif type(mark) is Location and mark.scopes is self:
            location = mark
        elif type(mark) is EngineFrame and mark.scopes is self:
            location = self._backward(mark)
        else:
            location = self._locate(frame)
        number = current_sequence_number()
        sequence = self._nodes.only
        if sequence is None or number != sequence.next_number:
            sequence = self._nodes.of_this_thread()
            if number != sequence.next_number:
                if location.place is self._nowhere:
                    pass  # the operator that is rehearsed comes next; the nodes are its own
                elif location is sequence.last:
                    sequence.next_number = number
                else:
                    sequence.note(location)
        return location

    def begin_thread(self) -> None:
        """Begin, or go on, to count what this thread runs."""
        self._nodes.begin_thread()

    def in_own_thread(self) -> bool:
        """Whether this is a thread that was stepped into; the autograd engine has others."""
        return get_ident() in self._nodes.threads

    def release(self, frame: FrameType | None) -> None:
        """Take the marks from the frames that go on living, and forget all frames."""
        self.root.finish()
        self._held.clear()
        self._kinds.clear()
        self._codes.clear()
        while frame is not None:
            marks.erase(frame, self)
            frame = frame.f_back

    # --- from marks to locations ---------------------------------------------------------------

    def _location(self, mark: Mark, frame: FrameType | None) -> Location:
        """Where an operator runs now that is called from a marked frame."""
        if type(mark) is Location:
            return mark
        if type(mark) is EngineFrame:
            return self._backward(mark)
        assert frame is not None
        if type(mark) is MethodFrame:
            return self._in_method(mark, frame)
        assert type(mark) is UserFrame
        number = frame.f_lineno
        location = mark.lines.get(number)
        if location is None:
            line = (self.user_file, number)
            place = self._code_place(line) if mark.place is self.root else mark.place
            location = self._interned(place, line, mark.phase, mark.constructing, mark.site)
            mark.lines[number] = location
        return location

    def _in_method(self, mark: MethodFrame, frame: FrameType) -> Location:
        number = frame.f_lineno
        location = mark.lines.get(number)
        if location is None:
            outer = site_around(mark.around, mark.phase) or self._sites
            assert outer is not None
            site = outer.inside(frame.f_code, number)
            location = self._interned(mark.place, mark.around.line, mark.phase, False, site)
            mark.lines[number] = location
        return location

    def _interned(
        self,
        place: Place,
        line: LineKey | None,
        phase: Phase,
        constructing: bool,
        site: Site | None = None,
    ) -> Location:
        key = (line, phase, constructing, site)
        location = place.locations.get(key)
        if location is None:
            made = Location(self, place, line, phase, constructing, site)
            # In one step: another thread may have made it meanwhile, and counts there.
            location = place.locations.setdefault(key, made)
        return location

    def _code_place(self, line: LineKey | None) -> Place:
        """The place of code outside any module: the line itself, as ``In[5]:3``."""
        return self.root if line is None else self.root.code(f"{self.file_label}:{line[1]}")

    def _backward(self, mark: EngineFrame) -> Location:
        """Where the autograd node at work runs: at the place whose forward made it.

        Sums of gradients run between two nodes, or in one that belongs to a parameter and has no
        number: they are those of the node before.
        """
        node = current_node()
        origin = None
        if node is not None:
            number = sequence_number_of(node)
            known = mark.last
            if known is not None and known[0] == number:
                return known[1]  # one node runs several operators
            origins = self._nodes.origins_of(number, mark.thread)
            if origins:
                origin = origins[0] if len(origins) == 1 else self._around(origins, mark.line)
        if origin is not None:
            self._last_backward[get_ident()] = origin
            location = self._interned(origin.place, mark.line, "backward", False, origin.site)
            if self._nodes.only is not None:
                mark.last = (number, location)
            return location
        origin = self._last_backward.get(get_ident())
        if origin is None:
            return self._interned(self._code_place(mark.line), mark.line, "backward", False)
        return self._interned(origin.place, mark.line, "backward", False, origin.site)

    def _around(self, locations: Sequence[Location], line: LineKey | None) -> Location:
        """What holds all these locations: no module is blamed for what may be another's."""
        place = common([location.place for location in locations])
        if place is None or place is self.root:
            place = self._code_place(line)
        return self._interned(place, line, "backward", False)

    # --- from frames to marks ------------------------------------------------------------------

    def _locate(self, frame: FrameType | None) -> Location:
        """Find the nearest marked frame, mark those above it that tell something, and locate."""
        fresh: list[tuple[FrameType, int]] = []
        kinds = self._kinds
        current: FrameType | None = frame
        mark: Mark | None = None
        while current is not None:
            if current.f_trace is not None:
                mark = marks.read(current, self)
            if mark is None and self._held:
                mark = self._held.find(current)
            if mark is not None:
                break
            code = current.f_code
            kind = kinds.get(id(code))
            if kind is None:
                kind = classify(code, self.user_file)
                if self._sites is not None and kind & SELF and is_outside_torch(code):
                    kind |= FOLLOWED
                kinds[id(code)] = kind
                self._codes.append(code)
            if kind:
                fresh.append((current, kind))
            current = current.f_back
        if mark is None:
            self._held.forget_thread()
            mark = self._outermost()
        around = self._location(mark, current)
        innermost = current
        while fresh:
            innermost, kind = fresh.pop()
            called = None
            if kind & CALL and fresh and fresh[-1][1] & SELF:
                # The module's own forward comes next; that tells the module too.
                called = innermost
                innermost, kind = fresh.pop()
            with self._arriving:
                mark = self._enter(innermost, kind, around, called)
            around = self._location(mark, innermost)
        return around

    def _called_before(self, frame: FrameType | None) -> Location | None:
        """What `_locate` finds for most operators, only faster; None in all other cases.

        That is: the forward of a module, which a marked frame has called through
        `torch.nn.Module`, or a method or plain function that this forward has called.
        """
        if frame is None or self._held or gettrace() is not None:
            return None
        kinds = self._kinds
        methods: list[FrameType] = []
        while True:
            kind = kinds.get(id(frame.f_code))
            called = frame.f_back
            if called is None or kind is None or kind & ~SELF:
                return None
            if kind and called.f_code is CALL_CODE:
                break
            if kind:
                methods.append(frame)
            frame = called
            mark = frame.f_trace
            if mark is not None:
                if type(mark) is not Location or mark.scopes is not self:
                    return None
                return self._in_methods(methods, mark)
        around = called.f_back
        if around is not None and around.f_code is WRAPPED_CALL_CODE:
            around = around.f_back
        if around is None or called.f_trace is not None:
            return None
        mark = around.f_trace
        if not (type(mark) is Location or type(mark) is UserFrame) or mark.scopes is not self:
            return None
        outer = self._location(mark, around)
        holder = self_of(frame)
        location = outer.callees.get(id(holder))
        if location is not None and location.place.holder is holder:
            location.place.calls += 1
            frame.f_trace = called.f_trace = location
        else:
            with self._arriving:
                mark = self._enter(frame, kind, outer, called)
            location = self._location(mark, frame)
        return self._in_methods(methods, location)

    def _in_methods(self, methods: list[FrameType], location: Location) -> Location | None:
        """Where methods run that were called at a location, the outermost last.

        None, and no mark, if they are not of the module that the location is of.
        """
        if not methods:
            return location
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

    def _outermost(self) -> Mark:
        """What surrounds a stack without any mark."""
        if self.in_own_thread():
            return self._interned(self.root, None, "forward", False)
        mark, is_another = self._engine_frames.of_engine_thread()
        if is_another:
            self._last_backward.pop(get_ident(), None)
        return mark

    def _enter(
        self, frame: FrameType, kind: int, around: Location, called: FrameType | None
    ) -> Mark:
        """Mark a frame that was called at `around`.

        `called` is the frame through which a module was called, if that is what this is about.
        """
        if kind & ENGINE:
            self._last_backward.pop(get_ident(), None)
            mark: Mark = self._engine_frames.started_at(around.line, get_ident())
            self._held.keep(frame, mark)
            return mark
        if kind & REHEARSAL:
            # Marked like any other frame, but with a place that no report shows.
            mark = self._interned(self._nowhere, around.line, around.phase, False)
            self._held.keep(frame, mark)
            return mark
        if kind & COMPILED and not by_higher_order(frame):
            self.notes[EAGERLY] = None
        place, phase, constructing = around.place, around.phase, around.constructing
        again = True  # whether the same call from here would lead to the same place
        if place.kind == "code":
            place = self.root
        if kind & DROPOUT:
            place = place.dropout()
        elif kind & (SELF | CALL):
            found = self_of(frame)
            if called is not None and not issubclass(type(found), torch.nn.Module):
                # What the module calls as its forward is a method of something else.
                found = self_of(called)
            holder = self._arrivals.counted_as(found, frame)
            is_call = called is not None or bool(kind & CALL)
            if is_call and place.holder is holder and calls_itself(called or frame, found):
                is_call = again = False  # its own `__call__` was the call
            if issubclass(type(holder), torch.nn.Module) and original(holder) is holder:
                constructing = (constructing or bool(kind & CONSTRUCTOR)) and not is_call
                if not constructing:
                    place, phase = self._arrivals.module(holder, frame, place, phase, is_call)
            elif issubclass(type(holder), torch.optim.Optimizer):
                place, phase = self._arrivals.optimizer(holder, frame, place), "optimizer"
        elif phase == "optimizer" and torch.is_grad_enabled():
            # A closure in the user's file that the optimizer calls: it computes the loss.
            place, phase = self.root, "forward"
        site = site_around(around, phase)
        if kind & USER:
            key = (phase, constructing, site)
            mark = place.user_frames.get(key) or place.user_frames.setdefault(
                key, UserFrame(self, place, phase, constructing, site)
            )
        elif kind & FOLLOWED and place.kind == "module" and not constructing:
            mark = MethodFrame(self, around, place, phase)
        else:
            at = place if place is not self.root else self._code_place(around.line)
            mark = self._interned(at, around.line, phase, constructing, site)
            if called is not None and again:
                around.callees[id(place.holder)] = mark
        if not kind & SUSPENDABLE:
            self._held.keep(frame, mark)
        if called is not None:
            # So that hooks, which run beside the forward, are not taken for another call.
            called_at = self._interned(place, around.line, phase, constructing, site)
            self._held.keep(called, called_at)
        return mark
