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
from types import FrameType

from torch import is_grad_enabled

from ipyflops.attribution.frame_marking import FrameMarker
from ipyflops.attribution.frames import (
    CALL,
    CLOSURE,
    SELF,
    SUSPENDABLE,
    may_compute_loss,
    self_of,
)
from ipyflops.attribution.marks import (
    EngineFrame,
    Location,
    Mark,
    UserFrame,
)
from ipyflops.attribution.places import Place
from ipyflops.torch_private import (
    CALL_CODE,
    WRAPPED_CALL_CODE,
    current_sequence_number,
)

#: So many forwards around each other are marked the fast way; more of them one after the other.
_MAX_DEPTH = 8


class Locator(FrameMarker):
    """Says where each operator runs; parameters and attributes are those of `FrameMarker`."""

    def __init__(self, user_file: str, file_label: str, *, follow_methods: bool = False) -> None:
        super().__init__(user_file, file_label, follow_methods=follow_methods)
        self.user_file = user_file
        self.file_label = file_label

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
        elif type(mark) is UserFrame and mark.owner is self and frame is not None:
            location = self.locations.of_user_frame(mark, frame)
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
                    sequence.note(location, number)
        return location

    def place_of_call(self, call_frame: FrameType) -> Place | None:
        """Say which module's call a frame of PyTorch is; None if no operator ran in it."""
        mark = self._marks.read(call_frame)
        return mark.place if type(mark) is Location else None

    def begin_block(self, frame: FrameType) -> None:
        """Begin, or go on, with the block whose ``with`` statement is in `frame`."""
        self._kinds.begin_block(frame)

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

    def _locate_fast(self, frame: FrameType | None, depth: int = 0) -> Location | None:
        """What `_locate` finds for most operators, only faster; None in all other cases.

        That is: the forward of a module, which a marked frame has called through
        `torch.nn.Module`, or a method or plain function that this forward, or a function in the
        user's file, has called.

        Parameters
        ----------
        frame : frame or None
        depth : int
            How many forwards with no mark yet it has found around each other.
        """
        if frame is None or self._remembered or gettrace() is not None:
            return None
        kinds = self._kinds.known
        methods: list[FrameType] = []
        current = frame
        while True:
            kind = kinds.get(id(current.f_code))
            caller = current.f_back
            if caller is None or kind is None:
                return None
            if kind:
                if kind == SELF:
                    if caller.f_code is CALL_CODE:
                        break
                    methods.append(current)
                elif kind != SUSPENDABLE:
                    return None
            current = caller
            mark = current.f_trace
            if mark is not None:
                if type(mark) is Location and mark.owner is self:
                    if mark.phase == "optimizer" and is_grad_enabled():
                        return None  # a loss may be computed here
                    if mark.functions is not None and self._in_function(frame, current):
                        return None  # it may have a row of its own
                    return self._mark_methods(methods, mark) if methods else mark
                if type(mark) is UserFrame and mark.owner is self and not methods:
                    return self._mark_functions(frame, current, mark)
                return None
        location = self._mark_forward(current, caller, depth)
        return self._mark_methods(methods, location) if methods and location else location

    def _mark_forward(self, frame: FrameType, call_frame: FrameType, depth: int) -> Location | None:
        """Mark a module's forward and the call that led to it; None if the caller has no mark."""
        around = call_frame.f_back
        if around is not None and around.f_code is WRAPPED_CALL_CODE:
            around = around.f_back
        if around is None or call_frame.f_trace is not None:
            return None
        mark = around.f_trace
        outer: Location | None
        if mark is None:
            outer = self._locate_fast(around, depth + 1) if depth < _MAX_DEPTH else None
        elif (type(mark) is Location or type(mark) is UserFrame) and mark.owner is self:
            outer = mark if type(mark) is Location else self._location_of(mark, around)
        else:
            outer = None
        if outer is None:
            return None
        location = self._called(self_of(frame), outer)
        if location is not None:
            frame.f_trace = call_frame.f_trace = location
            return location
        with self._arriving:
            mark = self._mark_frame(frame, SELF, outer, call_frame)
        return self._location_of(mark, frame)

    # --- all cases -----------------------------------------------------------------------------

    def _locate(self, frame: FrameType | None) -> Location:
        """Find the nearest marked frame, mark those above it that tell something, and locate."""
        fresh: list[tuple[FrameType, int]] = []
        kind_of = self._kinds.of
        current: FrameType | None = frame
        mark: Mark | None = None
        while current is not None:
            if current.f_trace is not None:
                mark = self._marks.read(current)
            if mark is None and self._remembered:
                mark = self._marks.recall(current)
            if mark is not None:
                break
            fresh.append((current, kind_of(current)))
            current = current.f_back
        if mark is None:
            self._marks.forget_thread()
            mark = self._outermost_mark()
        around = self._location_of(mark, current)
        if around.phase == "optimizer" and is_grad_enabled() and current is not frame:
            fresh = self._with_loss(frame, current)
        while fresh:
            innermost, kind = fresh.pop()
            if not kind & ~SUSPENDABLE:
                mark = around = self._enter_function(innermost, kind, mark, around)
                continue
            call_frame = None
            if kind & CALL and fresh and fresh[-1][1] & SELF:
                # The module's own forward comes next; that tells the module too.
                call_frame = innermost
                innermost, kind = fresh.pop()
            mark = self._mark_called(innermost, kind, around, call_frame)
            around = self._location_of(mark, innermost)
            if around.phase == "optimizer":
                if kind & SELF and self._kinds.learn_closure(innermost):
                    return self._locate(frame)  # its frame may be one of those further in
                if is_grad_enabled() and innermost is not frame:
                    fresh = self._with_loss(frame, innermost)
        return around

    def _with_loss(
        self, frame: FrameType | None, below: FrameType | None
    ) -> list[tuple[FrameType, int]]:
        """Give the frames between `below`, an optimizer's, and an operator's, and what they tell.

        The outermost is last. If the operator makes a node of autograd, the first function of the
        user's among them computes a loss, in whatever file it is and however the optimizer got it:
        an update is no node, unless PyTorch or the optimizer itself is to be differentiated.
        """
        between: list[tuple[FrameType, int]] = []
        while frame is not None and frame is not below:
            between.append((frame, self._kinds.of(frame)))
            frame = frame.f_back
        if current_sequence_number() != self._nodes.of_this_thread().next_number:
            for index in reversed(range(len(between))):
                if may_compute_loss(*between[index]):
                    between[index] = (between[index][0], between[index][1] | CLOSURE)
                    break
        return between

    def _outermost_mark(self) -> Mark:
        """What surrounds a stack without any mark."""
        if self.in_own_thread():
            return self.locations.at(self._root, None, "forward")
        return self._backward.of_engine_thread()
