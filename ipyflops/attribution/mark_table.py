"""Puts marks on frames, and remembers those of frames that cannot carry them.

A frame cannot carry a mark while a tracer (a debugger, coverage) uses what would hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from sys import gettrace
from types import FrameType
from typing import Any

from ipyflops.attribution.frames import FrameIdentity
from ipyflops.attribution.marks import Mark, MarksOfAllCounters, TraceFunction
from ipyflops.attribution.sequence import NodeMap, ThreadKey


class MarkTable:
    """The marks of one counter.

    Attributes
    ----------
    beside : dict
        The marks that stand on no frame, those of each thread with the outermost first.
    """

    __slots__ = ("_owner", "_threads", "beside")

    def __init__(self, owner: object, threads: NodeMap) -> None:
        self._owner = owner
        self._threads = threads
        self.beside: dict[ThreadKey, list[tuple[FrameIdentity, Mark]]] = {}

    def keep(self, frame: FrameType, mark: Mark) -> None:
        """Mark a frame: on the frame itself, or beside it where a tracer may use that."""
        present: Any = frame.f_trace
        if gettrace() is not None or not (present is None or _is_ours(present)):
            self.beside.setdefault(self._threads.this_thread(), []).append(
                (FrameIdentity(frame), mark)
            )
        elif present is None:
            frame.f_trace = mark
        else:
            marks = present.marks if type(present) is MarksOfAllCounters else (present,)
            others = tuple(other for other in marks if other.owner is not self._owner)
            frame.f_trace = MarksOfAllCounters((*others, mark)) if others else mark

    def read(self, frame: FrameType) -> Mark | None:
        """Give this counter's mark that stands on a frame."""
        present: Any = frame.f_trace
        if type(present) is MarksOfAllCounters:
            return next((mark for mark in present.marks if mark.owner is self._owner), None)
        if _is_ours(present) and present.owner is self._owner:
            mark: Mark = present
            return mark
        return None

    def around(self, frame: FrameType) -> Iterator[Mark]:
        """Give the marks of the frames around one, from the inside out; of others, none is lost."""
        outer = frame.f_back
        while outer is not None:
            mark = self.read(outer)
            if mark is not None:
                yield mark
            outer = outer.f_back
        remembered = self.beside.get(self._threads.this_thread(), [])
        yield from (mark for _, mark in reversed(remembered))

    def recall(self, frame: FrameType) -> Mark | None:
        """Give the mark that is remembered for a frame; forgets the frames called from it."""
        remembered = self.beside.get(self._threads.this_thread(), [])
        for index in range(len(remembered) - 1, -1, -1):
            marked, mark = remembered[index]
            if marked.is_of(frame):
                del remembered[index + 1 :]
                return mark
        return None

    def erase(self, frame: FrameType) -> None:
        """Take this counter's mark from a frame, and leave those of others."""
        present: Any = frame.f_trace
        if type(present) is MarksOfAllCounters:
            others = tuple(mark for mark in present.marks if mark.owner is not self._owner)
            frame.f_trace = MarksOfAllCounters(others) if len(others) > 1 else others[0]
        elif _is_ours(present) and present.owner is self._owner:
            frame.f_trace = None

    def forget_thread(self) -> None:
        """Forget what is remembered for frames of this thread."""
        self.beside.pop(self._threads.this_thread(), None)

    def clear(self) -> None:
        """Forget what is remembered for all frames."""
        self.beside.clear()


def _is_ours(value: object) -> bool:
    """Whether something found in ``f_trace`` is a mark, whichever counter's."""
    # Not `isinstance`, which would ask a tracer's own object for its class.
    return issubclass(type(value), TraceFunction)
