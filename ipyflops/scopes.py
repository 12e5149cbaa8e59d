"""Where an operator runs: its module, its source line and its phase, read from the Python stack.

No hook is registered anywhere. Below every operator lie the Python frames that called it:

- a frame whose ``self`` is a module says that the operator belongs to that module, and the module
  frames below it say by which path it was reached;
- the frame that drives the autograd engine says that this is the backward pass; there the number
  of the autograd node at work tells which forward operator made it (`SequenceMap`), and module
  frames *inside* the engine's frame mean that a forward is recomputed (checkpointing);
- a frame whose ``self`` is an optimizer says that this is its step.

Reading a frame's variables costs more than everything else here, and the path of a module cannot
change while its frame is alive. So each frame is read once and then *marked*: its ``f_trace``
attribute, which Python keeps for a debugger and looks at only while one is tracing, holds a `Mark`.
While a tracer is at work (a debugger, coverage), frames are remembered outside instead.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
from bisect import bisect_right
from types import CodeType, FrameType

import torch
from torch._C import _current_autograd_node
from torch._C._autograd import _get_sequence_nr

from ipyflops.names import read_variables, variable_name, variable_path
from ipyflops.places import LineKey, Location, Place
from ipyflops.tables import Phase

# What a code object can tell; a code object may be several of these.
_SELF = 1  # it has a variable `self`
_USER = 2  # it is in the file whose lines are wanted
_ENGINE = 4  # it drives the autograd engine
_DROPOUT = 8  # it is torch.nn.functional.dropout or a sibling
_CALL = 16  # it is the function through which a module is called
_CONSTRUCTOR = 32  # it is an __init__
_SUSPENDABLE = 64  # a generator or coroutine: its callers change while it lives

_MODULE_FILE = torch.nn.modules.module.__file__
_FUNCTIONAL_FILE = torch.nn.functional.__file__
_ENGINE_CODE = torch.autograd.graph._engine_run_backward.__code__
_DROPOUT_NAMES = frozenset(
    {
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
    }
)


class Mark:
    """What is known of a living frame: where operators run that it, or what it calls, runs.

    Attributes
    ----------
    scopes : Scopes
        Who made it; two counters may be at work at once.
    place : Place
    phase : {"forward", "backward", "recompute", "optimizer"}
    line : (str, int) or None
        The line of the user's file below this frame; None where the frame itself is in that file,
        so that the line has to be read anew each time.
    in_user_file, in_engine, in_constructor : bool
    location : Location or None
        Where operators run, if that cannot change while the frame lives.
    beside : Mark or None
        The mark of another counter on the same frame.
    """

    __slots__ = (
        "beside",
        "in_constructor",
        "in_engine",
        "in_user_file",
        "line",
        "location",
        "phase",
        "place",
        "scopes",
    )

    def __init__(
        self, scopes: Scopes, place: Place, phase: Phase, line: LineKey | None = None
    ) -> None:
        self.scopes = scopes
        self.place = place
        self.phase = phase
        self.line = line
        self.in_user_file = False
        self.in_engine = False
        self.in_constructor = False
        self.location: Location | None = None
        self.beside: Mark | None = None

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing: a tracer that starts while a frame is marked calls its ``f_trace``."""


class SequenceMap:
    """Which place made which autograd node, by the node's number.

    Nodes are numbered upwards in each thread, and most neighbours are of one place: kept are only
    the numbers at which the place changes, and of those the last `LIMIT`, so that a long run of
    training steps, whose graphs are long gone, takes no more memory than a short one.
    """

    LIMIT = 1 << 18
    __slots__ = ("_last_number", "_last_place", "_places", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._places: list[Place | None] = []
        self._last_number = _get_sequence_nr()
        self._last_place: Place | None = None

    def skip(self) -> None:
        """Leave out the nodes that were made since the last operator: they were not counted."""
        self._starts.append(self._last_number)
        self._places.append(None)
        self._last_place = None
        self._last_number = _get_sequence_nr()

    def note(self, place: Place) -> None:
        """Note that the nodes made since the last operator were made at `place`."""
        number = _get_sequence_nr()
        if number == self._last_number:
            return
        if place is not self._last_place:
            self._starts.append(self._last_number)
            self._places.append(place)
            self._last_place = place
            if len(self._starts) > self.LIMIT:
                del self._starts[: self.LIMIT // 2], self._places[: self.LIMIT // 2]
        self._last_number = number

    def place_of(self, number: int) -> Place | None:
        """The place that made the node of that number; None if it was not counted."""
        if number >= self._last_number:
            return None
        index = bisect_right(self._starts, number) - 1
        return self._places[index] if index >= 0 else None


class Scopes:
    """Says where each operator runs.

    Parameters
    ----------
    user_file : str or None
        The file name of the code whose lines are wanted.
    file_label : str
        What to call that file, as ``In[5]``.
    """

    def __init__(self, user_file: str | None, file_label: str) -> None:
        self.root = Place(None, "", "", "root")
        self.user_file = user_file
        self.file_label = file_label
        self.sequence = SequenceMap()
        self._thread = threading.get_ident()
        self._kinds: dict[int, tuple[int, CodeType]] = {}
        self._outermost = Mark(self, self.root, "forward")
        self._engine_thread = Mark(self, self.root, "backward")
        self._engine_thread.in_engine = True
        #: Marks of frames that cannot carry them, because a tracer uses them; outermost first.
        self._held: list[tuple[FrameType, Mark]] = []
        self._last_backward: Place | None = None

    # --- what the counter asks -----------------------------------------------------------------

    def locate(self, frame: FrameType) -> Location:
        """Say where the operator runs that was called from `frame`."""
        mark = frame.f_trace
        if type(mark) is not Mark or mark.scopes is not self:
            mark, frame = self._nearest(frame)
        location = mark.location or self._location(mark, frame)
        if self.in_own_thread():
            self.sequence.note(location.place)
        return location

    def in_own_thread(self) -> bool:
        """Whether this is the thread that entered the block; the autograd engine has others."""
        return threading.get_ident() == self._thread

    def release(self, frame: FrameType | None) -> None:
        """Take the marks from the frames that go on living, and forget all frames."""
        self._held.clear()
        self._kinds.clear()
        while frame is not None:
            mark = frame.f_trace
            if type(mark) is Mark:
                _remove(frame, mark, self)
            frame = frame.f_back

    # --- from marks to locations ---------------------------------------------------------------

    def _location(self, mark: Mark, frame: FrameType) -> Location:
        """The location for a mark that leaves something open: the line, or the autograd node."""
        line = self._line(mark, frame)
        place = mark.place
        if mark.in_engine:
            place = self._backward_place() or place
        if place.kind == "root" and line is not None:
            place = place.code(self.line_name(line))
        location = place.location(line, mark.phase)
        if not (mark.in_user_file or mark.in_engine):
            mark.location = location
        return location

    def _line(self, mark: Mark, frame: FrameType) -> LineKey | None:
        if mark.in_user_file:
            return (frame.f_code.co_filename, frame.f_lineno)
        return mark.line

    def line_name(self, line: LineKey) -> str:
        """As ``In[5]:3``."""
        return f"{self.file_label}:{line[1]}"

    def _backward_place(self) -> Place | None:
        """The place whose forward made the autograd node at work.

        Sums of gradients run between two nodes, or in one that belongs to a parameter and has no
        number: they are those of the node before.
        """
        node = _current_autograd_node()
        if node is not None:
            place = self.sequence.place_of(node._sequence_nr())
            if place is not None:
                self._last_backward = place
        return self._last_backward

    # --- from frames to marks ------------------------------------------------------------------

    def _nearest(self, frame: FrameType) -> tuple[Mark, FrameType]:
        """Mark the frames that are new, and give the innermost mark with its frame."""
        fresh: list[tuple[FrameType, int]] = []
        tracing = sys.gettrace() is not None or bool(self._held)
        held = {id(one): index for index, (one, _) in enumerate(self._held)} if tracing else {}
        kinds = self._kinds
        current: FrameType | None = frame
        mark: Mark | None = None
        while current is not None:
            mark = self._mark_of(current)
            if mark is None and held and id(current) in held:
                index = held[id(current)]
                mark = self._held[index][1]
                del self._held[index + 1 :]
            if mark is not None:
                break
            code = current.f_code
            known = kinds.get(id(code))
            kind = known[0] if known is not None else self._classify(code)
            if kind:
                fresh.append((current, kind))
            current = current.f_back
        if current is None or mark is None or not tracing or id(current) not in held:
            self._held.clear()
        if mark is None:
            mark = self._outermost if self.in_own_thread() else self._engine_thread
        outer = current
        position = len(fresh)
        while position:
            position -= 1
            inner, kind = fresh[position]
            called = None
            if kind & _CALL:
                following = fresh[position - 1] if position else None
                if following is not None and following[1] & _SELF and not following[1] & _CALL:
                    # The module's own forward comes next: it tells the module, cheaper to read.
                    position -= 1
                    called, (inner, kind) = inner, following
            mark = self._enter(inner, kind, mark, outer, called)
            outer = inner
        return mark, outer if outer is not None else frame

    def _mark_of(self, frame: FrameType) -> Mark | None:
        mark = frame.f_trace
        if type(mark) is not Mark:
            return None
        found: Mark | None = mark
        while found is not None and found.scopes is not self:
            found = found.beside
        return found

    def _enter(
        self,
        frame: FrameType,
        kind: int,
        outer: Mark,
        outer_frame: FrameType | None,
        called: FrameType | None,
    ) -> Mark:
        """Make the mark of a frame from the mark of the nearest one around it."""
        line = outer.line
        if outer.in_user_file and outer_frame is not None:
            line = self._line(outer, outer_frame)
        mark = Mark(self, outer.place, outer.phase, line)
        mark.in_constructor = outer.in_constructor
        in_engine = outer.phase == "backward"
        if outer.in_engine and not kind & _ENGINE:
            # Inside one node of the engine, whose place cannot change while this frame lives.
            mark.place = self._backward_place() or outer.place
        if kind & _ENGINE:
            mark.in_engine = True
            mark.phase = "backward"
            mark.place = self.root
            self._last_backward = None
        elif kind & _DROPOUT:
            mark.place = mark.place.dropout()
        elif kind & (_SELF | _CALL):
            self._enter_self(frame, kind, mark, in_engine, called)
        if kind & _USER:
            mark.in_user_file = True
            if mark.phase == "optimizer" and not kind & _SELF and torch.is_grad_enabled():
                # A closure that the optimizer calls: it computes the loss.
                mark.phase, mark.place = "forward", self.root
        if not kind & _SUSPENDABLE:
            self._keep(frame, mark)
        if called is not None:
            # So that hooks, which run beside the forward, are not taken for another call.
            self._keep(called, Mark(self, mark.place, mark.phase, line))
        return mark

    def _enter_self(
        self, frame: FrameType, kind: int, mark: Mark, in_engine: bool, called: FrameType | None
    ) -> None:
        """Fill in the mark of a frame that has a ``self``."""
        holder = _self_of(frame)
        is_module = issubclass(type(holder), torch.nn.Module)
        if called is not None and not is_module:
            # What the module calls as its forward is a method of something else.
            holder, is_module = _self_of(called), True
        is_call = called is not None or bool(kind & _CALL)
        if is_module:
            if kind & _CONSTRUCTOR:
                mark.in_constructor = True
            if mark.in_constructor and not is_call:
                return
            mark.in_constructor = False
            self._enter_module(holder, frame, mark, in_engine, is_call)
        elif issubclass(type(holder), torch.optim.Optimizer):
            name = variable_name(holder, self._frames_of_user(frame)) or type(holder).__name__
            place = self.root.held(holder, name, "optimizer")
            if mark.place is not place and frame.f_code.co_name == "step":
                place.calls += 1
            mark.place, mark.phase = place, "optimizer"

    def _enter_module(
        self,
        module: torch.nn.Module,
        frame: FrameType,
        mark: Mark,
        in_engine: bool,
        is_call: bool,
    ) -> None:
        around = mark.place
        if around.folded and around.parent is not None:
            around = around.parent
        if mark.phase == "optimizer":
            # A closure that the optimizer calls: it runs the model.
            around, mark.phase = self.root, "forward"
        elif in_engine:
            mark.phase = "recompute"
        place = around
        if around.holder is not module:
            # A module that is called inside itself is one place, however deep.
            place = next(
                (outer for outer in around.enclosing() if outer.holder is module), None
            ) or self._place_in(around, module, frame, in_engine)
            is_call = is_call or around.holder is not module
        if is_call:
            place.calls += 1
        mark.place = place

    def _place_in(
        self, around: Place, module: torch.nn.Module, frame: FrameType, in_engine: bool
    ) -> Place:
        if in_engine:
            # The node at work may lie anywhere in what is recomputed; go out to where both are.
            for outer in around.enclosing():
                found = outer.registered(module)
                if found is not None:
                    return found
        if around.kind == "module":
            return around.module(module)
        known = self.root.known(module)
        if known is not None:
            return known
        path = variable_path(module, self._frames_of_user(frame))
        if path is None:
            return self.root.held(module, type(module).__name__)
        name, owner, names = path
        place = self.root.held(owner, name)
        return place.descend(owner, names) if names else place

    def _frames_of_user(self, frame: FrameType) -> list[FrameType]:
        """The frames around `frame` that may hold the user's variables, the outermost first.

        Those of the user's file; where there is none, all that are not torch's.
        """
        around: list[FrameType] = []
        current = frame.f_back
        while current is not None:
            around.append(current)
            current = current.f_back
        in_file = [one for one in around if one.f_code.co_filename == self.user_file]
        if in_file:
            return in_file[::-1]
        own = os.path.dirname(torch.__file__)
        return [one for one in around if not one.f_code.co_filename.startswith(own)]

    def _keep(self, frame: FrameType, mark: Mark) -> None:
        """Remember the mark of a frame: on it, or beside it where a tracer may use it."""
        present = frame.f_trace
        if sys.gettrace() is not None or not (present is None or type(present) is Mark):
            self._held.append((frame, mark))
            return
        mark.beside = present
        frame.f_trace = mark

    # --- what a code object can tell -----------------------------------------------------------

    def _classify(self, code: CodeType) -> int:
        kind = 0
        file = code.co_filename
        arguments = code.co_varnames[: code.co_argcount]
        if code is _ENGINE_CODE:
            kind = _ENGINE
        elif file == _MODULE_FILE:
            # Of the machinery of nn.Module only the call itself tells something.
            kind = _CALL if code.co_name == "_call_impl" else 0
        elif file == _FUNCTIONAL_FILE:
            kind = _DROPOUT if code.co_name in _DROPOUT_NAMES else 0
        elif "self" in arguments or "self" in code.co_freevars:
            kind = _SELF
            if code.co_name == "__init__":
                kind |= _CONSTRUCTOR
        if file == self.user_file:
            kind |= _USER
        if code.co_flags & (
            inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
        ):
            kind |= _SUSPENDABLE if kind else 0
        # The code object is kept so that its id stays its own.
        self._kinds[id(code)] = (kind, code)
        return kind


def _self_of(frame: FrameType) -> object:
    """The frame's variable ``self``; None if it has none now."""
    return read_variables(frame, "self").get("self")


def _remove(frame: FrameType, mark: Mark, scopes: Scopes) -> None:
    """Take the mark of `scopes` from a frame, leaving those of others."""
    kept: Mark | None = mark
    others = []
    while kept is not None:
        if kept.scopes is not scopes:
            others.append(kept)
        kept = kept.beside
    chain: Mark | None = None
    for other in reversed(others):
        other.beside = chain
        chain = other
    frame.f_trace = chain
