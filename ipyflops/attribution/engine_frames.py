"""The marks of backward passes: each knows the line and the thread that started it."""

from __future__ import annotations

import sys
from threading import get_ident
from typing import TYPE_CHECKING

from ipyflops.attribution.marks import EngineFrame, LineKey
from ipyflops.torch_private import ENGINE_CODE, current_backward_pass

if TYPE_CHECKING:
    from ipyflops.attribution.scopes import Scopes


class EngineFrames:
    """Gives the mark of a backward pass, also in threads of the autograd engine.

    Parameters
    ----------
    scopes : Scopes
        Whose marks these are.
    user_file : str
        The file name of the code whose lines are wanted.
    thread : int
        The thread that entered the block; those of the engine work for it.
    """

    def __init__(self, scopes: Scopes, user_file: str, thread: int) -> None:
        self._scopes = scopes
        self._user_file = user_file
        self._thread = thread
        self._marks: dict[tuple[LineKey | None, int], EngineFrame] = {}
        #: The backward pass that each thread of the engine has worked for last.
        self._tasks: dict[int, tuple[int, EngineFrame]] = {}

    def started_at(self, line: LineKey | None, thread: int) -> EngineFrame:
        """The mark of the backward passes that a thread starts on a line."""
        mark = self._marks.get((line, thread))
        if mark is None:
            mark = self._marks[line, thread] = EngineFrame(self._scopes, line, thread)
        return mark

    def of_engine_thread(self) -> tuple[EngineFrame, bool]:
        """The mark of the pass that this thread of the engine works for, and whether it is new."""
        task = current_backward_pass()
        known = self._tasks.get(get_ident())
        if known is not None and known[0] == task:
            return known[1], False
        mark = self.started_at(self._waiting_line(), self._thread)
        self._tasks[get_ident()] = (task, mark)
        return mark, True

    def _waiting_line(self) -> LineKey | None:
        """The line of the user's file that waits for the engine."""
        frame = sys._current_frames().get(self._thread)
        while frame is not None and frame.f_code is not ENGINE_CODE:
            frame = frame.f_back
        while frame is not None and frame.f_code.co_filename != self._user_file:
            frame = frame.f_back
        return None if frame is None else (self._user_file, frame.f_lineno)
