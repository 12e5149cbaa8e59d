"""Where an operator runs: its module, its source line and its phase, read from the Python stack.

No hook is registered anywhere. Below every operator lie the Python frames that called it:

- a frame whose ``self`` is a module says that the operator belongs to that module, and the module
  frames below it say by which path it was reached;
- the frame that drives the autograd engine says that this is the backward pass; there the number
  of the autograd node at work tells which forward operator made it (see `sequence`), and
  module frames *inside* the engine's frame mean that a forward is recomputed (checkpointing),
  unless the engine has called a hook for gradients;
- a frame whose ``self`` is an optimizer says that this is its step; the functions that it was
  given, and those of the user's that make nodes of autograd, compute a loss.

Reading a frame's variables costs more than everything else here, and the path of a module cannot
change while its frame is alive. So each frame is read once and then marked (see `marks`).
While a tracer is at work (a debugger, coverage), frames are remembered outside instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import gettrace
from threading import RLock
from types import CodeType, FrameType
from weakref import KeyedRef

from torch import is_grad_enabled

from ipyflops.attribution.arrivals import Arrivals
from ipyflops.attribution.backward import BackwardPasses
from ipyflops.attribution.frames import (
    CALL,
    CLOSURE,
    COMPILED,
    ENGINE,
    FOLLOWED,
    SELF,
    SHAPE_PROPAGATION,
    SUSPENDABLE,
    USER,
    by_higher_order,
    classify,
    closure_codes,
    is_to_follow,
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
from ipyflops.cells import is_the_users
from ipyflops.torch_private import (
    CALL_CODE,
    WRAPPED_CALL_CODE,
    current_sequence_number,
    runs_eagerly,
)

EAGERLY = (
    "compiled code was run and counted as the eager code that it was compiled from, which draws "
    "other random numbers, rounds otherwise and may need more memory"
)
NOT_EAGERLY = "not counted: compiled code after torch.compiler.set_stance was called"


class Locator:
    """Says where each operator runs.

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

    def __init__(self, user_file: str, file_label: str, *, follow_methods: bool = False) -> None:
        self.user_file = user_file
        self.file_label = file_label
        self.notes: dict[str, None] = {}
        #: The thread that entered the block first; its frames know the user's variables.
        thread = THREAD.token
        self.locations = LocationTable(self, user_file, file_label)
        self._root = self.locations.root
        #: Of operators that nobody asked for; no report shows it.
        self._hidden_place = Place(None, "", "")
        self._nodes = NodeMap()
        self._backward = BackwardPasses(self, self.locations, self._nodes, user_file, thread)
        self._arrivals = Arrivals(self._root, user_file, thread)
        #: Held while a place is found or made: several threads may arrive at one at once.
        self._arriving = RLock()
        self._marks = MarkTable(self, self._nodes)
        self._follow_methods = follow_methods
        #: What code objects can tell, by their ids. When one goes, its id is forgotten.
        self._kinds: dict[int, int] = {}
        self._codes: dict[int, KeyedRef[int, CodeType]] = {}

    # --- what the counter asks -----------------------------------------------------------------

    def locate(self, frame: FrameType | None) -> Location:
        """Say where the operator runs that was called from `frame`.

        There is no frame where a thread of the autograd engine runs it.
        """
        mark = None if frame is None else frame.f_trace
        location: Location
        if mark is None:
            location = self._locate_fast(frame) or self._locate(frame)
        elif type(mark) is Location and mark.owner is self:
            location = mark
        elif type(mark) is EngineFrame and mark.owner is self:
            location = self._backward.locate(mark)
        else:
            location = self._locate(frame)
        number = current_sequence_number()
        sequence = self._nodes.only
        if sequence is None or number != sequence.next_number:
            sequence = self._nodes.of_this_thread()
            if number != sequence.next_number:
                if location.place is self._hidden_place:
                    pass  # the operator whose shapes are wanted comes next; the nodes are its own
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
        return self._nodes.in_own_thread()

    def release(self, frames: Iterable[FrameType]) -> None:
        """Forget all frames, and take the marks from those that go on living.

        It may be called twice.

        Parameters
        ----------
        frames : iterable of frame
            The innermost frame of each thread that was counted and has not ended.
        """
        self._root.finish()
        self._marks.clear()
        self._kinds.clear()
        self._codes.clear()
        for frame in frames:
            self._erase_marks(frame)

    def release_thread(self, frame: FrameType) -> None:
        """Take the marks from the frames of this thread, which is not counted any more."""
        self._marks.forget_thread()
        self._erase_marks(frame)

    def _erase_marks(self, frame: FrameType | None) -> None:
        while frame is not None:
            self._marks.erase(frame)
            frame = frame.f_back

    # --- the usual case ------------------------------------------------------------------------

    def _locate_fast(self, frame: FrameType | None) -> Location | None:
        """What `_locate` finds for most operators, only faster; None in all other cases.

        That is: the forward of a module, which a marked frame has called through
        `torch.nn.Module`, or a method or plain function that this forward has called.
        """
        if frame is None or self._marks or gettrace() is not None:
            return None
        kinds = self._kinds
        methods: list[FrameType] = []
        while True:
            kind = kinds.get(id(frame.f_code))
            caller = frame.f_back
            if caller is None or kind is None or kind & ~SELF:
                return None
            if kind:
                if caller.f_code is CALL_CODE:
                    break
                methods.append(frame)
            frame = caller
            mark = frame.f_trace
            if mark is not None:
                if type(mark) is not Location or mark.owner is not self:
                    return None
                if mark.phase == "optimizer" and is_grad_enabled():
                    return None  # a loss may be computed here
                return self._mark_methods(methods, mark) if methods else mark
        location = self._mark_forward(frame, kind, caller)
        return self._mark_methods(methods, location) if methods and location else location

    def _mark_forward(self, frame: FrameType, kind: int, call_frame: FrameType) -> Location | None:
        """Mark a module's forward and the call that led to it; None if the caller has no mark."""
        around = call_frame.f_back
        if around is not None and around.f_code is WRAPPED_CALL_CODE:
            around = around.f_back
        if around is None or call_frame.f_trace is not None:
            return None
        mark = around.f_trace
        if not (type(mark) is Location or type(mark) is UserFrame) or mark.owner is not self:
            return None
        outer = mark if type(mark) is Location else self._location_of(mark, around)
        holder = self_of(frame)
        location = outer.callees.get(id(holder))
        if location is not None and location.place.holder is holder:
            location.place.calls += 1
            frame.f_trace = call_frame.f_trace = location
            return location
        with self._arriving:
            mark = self._mark_frame(frame, kind, outer, call_frame)
        return self._location_of(mark, frame)

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

    # --- all cases -----------------------------------------------------------------------------

    def _locate(self, frame: FrameType | None) -> Location:
        """Find the nearest marked frame, mark those above it that tell something, and locate."""
        fresh: list[tuple[FrameType, int]] = []
        kinds = self._kinds
        current: FrameType | None = frame
        mark: Mark | None = None
        while current is not None:
            if current.f_trace is not None:
                mark = self._marks.read(current)
            if mark is None and self._marks:
                mark = self._marks.recall(current)
            if mark is not None:
                break
            kind = kinds.get(id(current.f_code))
            if kind is None:
                kind = self._classify(current.f_code, current)
            if kind:
                fresh.append((current, kind))
            current = current.f_back
        if mark is None:
            self._marks.forget_thread()
            mark = self._outermost_mark()
        around = self._location_of(mark, current)
        if around.phase == "optimizer" and is_grad_enabled() and current is not frame:
            fresh = self._with_loss(frame, current)
        while fresh:
            innermost, kind = fresh.pop()
            call_frame = None
            if kind & CALL and fresh and fresh[-1][1] & SELF:
                # The module's own forward comes next; that tells the module too.
                call_frame = innermost
                innermost, kind = fresh.pop()
            with self._arriving:
                mark = self._mark_frame(innermost, kind, around, call_frame)
            around = self._location_of(mark, innermost)
            if around.phase == "optimizer":
                if kind & SELF and self._learn_closure(innermost):
                    return self._locate(frame)  # its frame may be one of those further in
                if is_grad_enabled() and innermost is not frame:
                    fresh = self._with_loss(frame, innermost)
        return around

    def _with_loss(
        self, frame: FrameType | None, below: FrameType | None
    ) -> list[tuple[FrameType, int]]:
        """Give the frames that tell something between `below`, an optimizer's, and an operator's.

        The outermost is last. If the operator makes a node of autograd, the first function of the
        user's among them computes a loss, in whatever file it is and however the optimizer got it:
        an update is no node, unless PyTorch or the optimizer itself is to be differentiated.
        """
        between: list[tuple[FrameType, int]] = []
        while frame is not None and frame is not below:
            kind = self._kinds.get(id(frame.f_code))
            between.append((frame, self._classify(frame.f_code, frame) if kind is None else kind))
            frame = frame.f_back
        if current_sequence_number() != self._nodes.of_this_thread().next_number:
            for index in reversed(range(len(between))):
                if may_compute_loss(*between[index]):
                    between[index] = (between[index][0], between[index][1] | CLOSURE)
                    break
        return [one for one in between if one[1]]

    def _classify(self, code: CodeType, frame: FrameType | None = None) -> int:
        """Find out what a code object, and a frame of it, can tell, and remember it."""
        kind = classify(code, self.user_file, frame)
        if self._follow_methods and is_to_follow(code, kind, self.user_file):
            kind |= FOLLOWED
        kinds, codes = self._kinds, self._codes

        def forget(reference: KeyedRef[int, CodeType]) -> None:
            kinds.pop(reference.key, None)
            codes.pop(reference.key, None)

        codes[id(code)] = KeyedRef(code, forget, id(code))
        kinds[id(code)] = kind
        return kind

    def _learn_closure(self, frame: FrameType) -> bool:
        """Remember what computes the loss for an optimizer; whether that was not known before."""
        learned = False
        for code in closure_codes(frame):
            kind = self._kinds.get(id(code))
            if kind is None:
                kind = self._classify(code)
            if not kind & CLOSURE and is_the_users(code.co_filename):
                self._kinds[id(code)] = kind | CLOSURE
                learned = True
        return learned

    def _outermost_mark(self) -> Mark:
        """What surrounds a stack without any mark."""
        if self.in_own_thread():
            return self.locations.at(self._root, None, "forward")
        return self._backward.of_engine_thread()

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
                around.callees[id(place.holder)] = mark
        undecided = phase == "optimizer" and is_grad_enabled() and may_compute_loss(frame, kind)
        if not (kind & SUSPENDABLE or undecided):
            self._marks.keep(frame, mark)
        if call_frame is not None:
            # So that hooks, which run beside the forward, are not taken for another call.
            called_at = self.locations.at(place, around.line, phase, constructing, method_line)
            self._marks.keep(call_frame, called_at)
        return mark
