"""What a living Python frame is marked with, once it is known where its operators run.

A mark is put into a frame's ``f_trace``, an attribute that Python keeps for debuggers and looks at
only while one is tracing. The same mark serves every frame that stands for the same thing, so
marking costs no allocation. A mark can be called, and does nothing then: a tracer that starts while
a frame is marked calls what it finds there.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from ipyflops.report.tables import Phase

if TYPE_CHECKING:
    from ipyflops.attribution.places import Place
    from ipyflops.attribution.scopes import Scopes

#: A source line: the code's file name and the line's number.
LineKey = tuple[str, int]


class Location:
    """A place, a source line and a phase: what the sums are kept by.

    As a mark: operators of this frame run here, and on that line of the user's file, as long as
    the frame lives.

    Attributes
    ----------
    scopes : Scopes
        Whose mark this is; two counters may be at work at once.
    place : Place
    line : (str, int) or None
    phase : {"forward", "backward", "recompute", "optimizer"}
    constructing : bool
        Whether a module's constructor is at work, whose methods are no calls of the module.
    entries : dict
        The counter's sums.
    callees : dict of int to Location
        Where modules run that were called from here, by the module's id.
    site : Site or None
        The line of a module's method that this was called from, where such lines are followed.
    """

    __slots__ = ("callees", "constructing", "entries", "line", "phase", "place", "scopes", "site")

    def __init__(
        self,
        scopes: Scopes,
        place: Place,
        line: LineKey | None,
        phase: Phase,
        constructing: bool,
        site: Site | None = None,
    ) -> None:
        self.scopes = scopes
        self.place = place
        self.line = line
        self.phase = phase
        self.constructing = constructing
        self.entries: dict[Any, Any] = {}
        self.callees: dict[int, Location] = {}
        self.site = site

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


class UserFrame:
    """The mark of a frame in the user's file: the line has to be read anew for every operator.

    Attributes
    ----------
    scopes : Scopes
    place : Place
    phase : {"forward", "backward", "recompute", "optimizer"}
    constructing : bool
    site : Site or None
        Of what called it.
    lines : dict of int to Location
    """

    __slots__ = ("constructing", "lines", "phase", "place", "scopes", "site")

    def __init__(
        self,
        scopes: Scopes,
        place: Place,
        phase: Phase,
        constructing: bool,
        site: Site | None = None,
    ) -> None:
        self.scopes = scopes
        self.place = place
        self.phase = phase
        self.constructing = constructing
        self.site = site
        self.lines: dict[int, Location] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


class Site:
    """A line of a module's method, as it was reached from the lines around it.

    Attributes
    ----------
    code : code
        Of the method.
    number : int
        Of the line.
    outer : Site or None
        The line from which the method was called, if that is in a method, too.
    """

    __slots__ = ("_inner", "code", "number", "outer")

    def __init__(self, code: CodeType, number: int, outer: Site | None = None) -> None:
        self.code = code
        self.number = number
        self.outer = outer
        self._inner: dict[tuple[int, int], Site] = {}

    def inside(self, code: CodeType, number: int) -> Site:
        """The site of a line that was reached from here; a line that recurs is one site."""
        found = self._inner.get((id(code), number))
        if found is None:
            found = next(
                (site for site in self.chain() if site.code is code and site.number == number),
                None,
            ) or Site(code, number, self)
            found = self._inner.setdefault((id(code), number), found)
        return found

    def chain(self) -> Iterator[Site]:
        """Give this site and those around it, from the inside out."""
        site: Site | None = self
        while site is not None and site.number:
            yield site
            site = site.outer


def site_around(around: Location, phase: Phase) -> Site | None:
    """The line of a method that a frame was called from; what is recomputed begins anew."""
    return None if around.phase == "backward" and phase == "recompute" else around.site


class MethodFrame:
    """The mark of a frame of a module's method whose lines are followed, as those of `UserFrame`.

    Attributes
    ----------
    scopes : Scopes
    around : Location
        Where it was called.
    place : Place
    phase : {"forward", "backward", "recompute", "optimizer"}
    lines : dict of int to Location
    """

    __slots__ = ("around", "lines", "phase", "place", "scopes")

    def __init__(self, scopes: Scopes, around: Location, place: Place, phase: Phase) -> None:
        self.scopes = scopes
        self.around = around
        self.place = place
        self.phase = phase
        self.lines: dict[int, Location] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


class EngineFrame:
    """The mark of the frame that drives the autograd engine: the place is that of the node at work.

    Attributes
    ----------
    scopes : Scopes
    line : (str, int) or None
        Where the backward pass was started.
    thread : int
        The thread that started it, which may be another than the one that runs it.
    last : (int, Location) or None
        The number of the autograd node that ran last, and where it ran.
    """

    __slots__ = ("last", "line", "scopes", "thread")

    def __init__(self, scopes: Scopes, line: LineKey | None, thread: int) -> None:
        self.scopes = scopes
        self.line = line
        self.thread = thread
        self.last: tuple[int, Location] | None = None

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


Mark = Location | UserFrame | MethodFrame | EngineFrame


class Several:
    """The marks of several counters on one frame."""

    __slots__ = ("marks",)

    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self.marks = marks

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Do nothing."""


_MARKS = (Location, UserFrame, MethodFrame, EngineFrame, Several)


def is_mark(value: object) -> bool:
    """Whether something found in ``f_trace`` is ours, whichever counter's."""
    return type(value) in _MARKS


def read(frame: FrameType, scopes: Scopes) -> Mark | None:
    """The mark that `scopes` has put on a frame."""
    found: Any = frame.f_trace
    if type(found) is Several:
        return next((mark for mark in found.marks if mark.scopes is scopes), None)
    return found if type(found) in _MARKS and found.scopes is scopes else None


def write(frame: FrameType, mark: Mark) -> None:
    """Mark a frame that is marked already, beside the marks of other counters."""
    found: Any = frame.f_trace
    present = found.marks if type(found) is Several else (found,)
    others = tuple(other for other in present if other.scopes is not mark.scopes)
    frame.f_trace = Several((*others, mark)) if others else mark


def erase(frame: FrameType, scopes: Scopes) -> None:
    """Take the mark of `scopes` from a frame, leaving those of others."""
    found: Any = frame.f_trace
    if type(found) is Several:
        others = tuple(other for other in found.marks if other.scopes is not scopes)
        frame.f_trace = Several(others) if len(others) > 1 else others[0]
    elif type(found) in _MARKS and found.scopes is scopes:
        frame.f_trace = None
