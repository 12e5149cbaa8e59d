"""Marks of frames that cannot carry them, because a tracer uses what would hold the mark."""

from __future__ import annotations

from sys import gettrace
from threading import get_ident
from types import FrameType

from ipyflops.attribution import marks
from ipyflops.attribution.marks import Mark


class HeldMarks:
    """Marks frames, and remembers the marks itself while a tracer is at work."""

    __slots__ = ("_by_thread",)

    def __init__(self) -> None:
        #: Outermost first.
        self._by_thread: dict[int, list[tuple[FrameType, Mark]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_thread)

    def keep(self, frame: FrameType, mark: Mark) -> None:
        """Remember the mark of a frame: on it, or beside it where a tracer may use it."""
        present = frame.f_trace
        if gettrace() is not None or not (present is None or marks.is_mark(present)):
            self._by_thread.setdefault(get_ident(), []).append((frame, mark))
        elif present is None:
            frame.f_trace = mark
        else:
            marks.write(frame, mark)

    def find(self, frame: FrameType) -> Mark | None:
        """The mark of a frame that is remembered here; forgets the frames called from it."""
        here = self._by_thread.get(get_ident(), [])
        for index in range(len(here) - 1, -1, -1):
            held, mark = here[index]
            if held is frame:
                del here[index + 1 :]
                return mark
        return None

    def forget_thread(self) -> None:
        """Forget the frames of this thread."""
        self._by_thread.pop(get_ident(), None)

    def clear(self) -> None:
        """Forget all frames."""
        self._by_thread.clear()
