"""The thread that runs now, as an object that is never another thread's.

A thread that ends leaves its identifier to another one, which may be one of the autograd engine.
What is kept for a thread is therefore kept under its token, and no identifier outlives its thread.

A `threading.local` of each counter would do, too. But up to Python 3.11 the process hangs if the
garbage collector frees one while `sys._current_frames` is at work. This one is never freed.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from weakref import ref

from ipyflops.cells import uncollected


class _Alive:
    """Gone when the thread is: only its thread-local variable holds it."""

    __slots__ = ("__weakref__",)


class Token:
    """Stands for a thread, also after it has ended: that which makes it."""

    __slots__ = ("_alive", "_identifier")

    def __init__(self, alive: _Alive) -> None:
        self._alive = ref(alive)
        self._identifier = threading.get_ident()

    def is_alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._alive() is not None

    def frame(self) -> FrameType | None:
        """The frame that the thread is in; None if it has ended."""
        return frames_of_threads().get(self._identifier) if self.is_alive() else None


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.alive = _Alive()
        self.token = Token(self.alive)


#: `THREAD.token` is the token of the thread that asks. Some threads of the autograd engine get
#: another one each time: Python forgets them between two operators.
THREAD = _ThisThread()


def frames_of_threads() -> dict[int, FrameType]:
    """The frame that each thread is in, by its identifier."""
    return uncollected(sys._current_frames)
