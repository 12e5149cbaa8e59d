"""What a living Python frame is marked with, once it is known where its operators run.

A mark is put into a frame's ``f_trace``, an attribute that Python keeps for debuggers and looks at
only while one is tracing. The same mark serves every frame that stands for the same thing, so
marking costs no allocation.
"""

from __future__ import annotations

from types import CodeType, FrameType, MappingProxyType
from typing import Any
from weakref import ref

from ipyflops.attribution.lines import Function, LineKey, MethodLine
from ipyflops.attribution.places import Place
from ipyflops.cells import is_installed
from ipyflops.report import Phase

#: Bytes of a code's table of lines from which on the lines of its instructions are remembered.
LONG_TABLE = 256
MAX_INSTRUCTIONS = 1 << 17
#: Most locations are those of modules that call no other.
_NO_CALLEES: Any = MappingProxyType({})


class TraceFunction:
    """Something that may stand in a frame's ``f_trace``.

    A tracer that starts while a frame is marked calls what it finds there. So it can be called.
    """

    __slots__ = ()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


class Mark(TraceFunction):
    """A mark of one counter.

    Attributes
    ----------
    owner : object
        Tells the marks of different counters apart: two may be at work at once. It is the
        counter's `Locator`, but a mark asks nothing of it.
    """

    __slots__ = ("owner",)

    owner: object


class Location(Mark):
    """A place, a source line and a phase: what the sums are kept by.

    As a mark: operators of this frame run here, and on that line of the user's file, as long as
    the frame lives.

    Attributes
    ----------
    place : Place
    line : (str, int) or None
    phase : {"forward", "backward", "recompute", "optimizer"}
    constructing : bool
        Whether a module's constructor is at work, whose methods are no calls of the module.
    entries : dict
        The counter's sums.
    callees : dict of int to Location
        Where modules run that were called from here, by the module's id.
    functions : dict of Function to Location
        Where functions run that were called from here; None where functions have no rows.
    method_line : MethodLine or None
        The line of a module's method that this was called from, where such lines are followed.
    """

    __slots__ = (
        "callees",
        "constructing",
        "entries",
        "functions",
        "line",
        "method_line",
        "phase",
        "place",
    )

    def __init__(
        self,
        owner: object,
        place: Place,
        line: LineKey | None,
        phase: Phase,
        constructing: bool,
        method_line: MethodLine | None = None,
    ) -> None:
        self.owner = owner
        self.place = place
        self.line = line
        self.phase = phase
        self.constructing = constructing
        self.entries: dict[Any, Any] = {}
        self.callees: dict[int, Location] = _NO_CALLEES
        outside = place.kind in ("root", "code", "function")
        has_functions = outside and not (phase == "backward" or constructing)
        self.functions: dict[Function, Location] | None = {} if has_functions else None
        self.method_line = method_line

    def remember(self, module: object, location: Location) -> None:
        """Note where a module runs that was called from here."""
        if self.callees is _NO_CALLEES:
            self.callees = {}
        self.callees[id(module)] = location


class FollowedFrame(Mark):
    """The mark of a frame whose lines are told apart, so that its line is read for every operator.

    Attributes
    ----------
    place : Place
    phase : {"forward", "backward", "recompute", "optimizer"}
    lines : dict of int to Location
        The locations of its lines, by their numbers.
    instructions : dict
        The lines of instructions of long code (see `line_of`), by the id of the code and the
        instruction's index. The reference tells whether that is still the same code.
    """

    __slots__ = ("instructions", "lines", "phase", "place")

    def __init__(self, owner: object, place: Place, phase: Phase) -> None:
        self.owner = owner
        self.place = place
        self.phase = phase
        self.lines: dict[int, Location] = {}
        self.instructions: dict[tuple[int, int], tuple[ref[CodeType], int]] = {}

    def line_of(self, frame: FrameType) -> int:
        """The line that a frame with this mark is at.

        Python reads a code's table of lines from its beginning for that, which takes long where the
        table is. There each instruction's line is remembered.
        """
        code = frame.f_code
        if len(code.co_linetable) < LONG_TABLE:
            return frame.f_lineno
        key = (id(code), frame.f_lasti)
        known = self.instructions.get(key)
        if known is None or known[0]() is not code:
            if len(self.instructions) >= MAX_INSTRUCTIONS:
                self.instructions.clear()
            known = self.instructions[key] = (ref(code), frame.f_lineno)
        return known[1]


class UserFrame(FollowedFrame):
    """The mark of a frame in the user's file.

    Attributes
    ----------
    constructing : bool
    method_line : MethodLine or None
        The line of a module's method that called it.
    """

    __slots__ = ("constructing", "method_line")

    def __init__(
        self,
        owner: object,
        place: Place,
        phase: Phase,
        constructing: bool,
        method_line: MethodLine | None = None,
    ) -> None:
        super().__init__(owner, place, phase)
        self.constructing = constructing
        self.method_line = method_line


class MethodFrame(FollowedFrame):
    """The mark of a frame of a module's method, where the lines of methods are followed.

    Attributes
    ----------
    around : Location
        Where it was called.
    """

    __slots__ = ("around",)

    def __init__(self, owner: object, around: Location, place: Place, phase: Phase) -> None:
        super().__init__(owner, place, phase)
        self.around = around


class EngineFrame(Mark):
    """The mark of the frame that drives the autograd engine: the place is that of the node at work.

    Attributes
    ----------
    line : (str, int) or None
        Where the backward pass was started.
    engine_nodes : SequenceMap or None
        Of the thread of the engine that started it; None if another thread did.
    last : (int, Location) or None
        The number of the autograd node that ran last, and where it ran.
    last_of_thread : dict
        The same of each thread, where there are several.
    of_origin : dict of Location to Location
        Where the backward pass runs of what ran at a location.
    """

    __slots__ = ("engine_nodes", "last", "last_of_thread", "line", "of_origin")

    def __init__(self, owner: object, line: LineKey | None, engine_nodes: Any) -> None:
        self.owner = owner
        self.line = line
        self.engine_nodes = engine_nodes
        self.last: tuple[int, Location] | None = None
        self.last_of_thread: dict[Any, tuple[int, Location]] = {}
        self.of_origin: dict[Location, Location] = {}


class MarksOfAllCounters(TraceFunction):
    """The marks of several counters on one frame, each with another owner."""

    __slots__ = ("marks",)

    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self.marks = marks


def method_line_around(around: Location, phase: Phase) -> MethodLine | None:
    """The line of a method that a frame was called from; what is recomputed begins anew."""
    return None if around.phase == "backward" and phase == "recompute" else around.method_line


def is_followed_at(place: Place, around: Location, frame: FrameType) -> bool:
    """Whether the lines of a frame are told apart: in modules, and where the counted code calls.

    Outside of modules, methods of packages are not followed, as those of IPython that run a cell.
    """
    if place.kind not in ("root", "function"):
        return place.kind == "module"
    return around.line is not None and not is_installed(frame.f_code.co_filename)
