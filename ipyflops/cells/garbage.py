"""Calls functions of Python that fail where garbage is collected while they are at work.

Up to Python 3.11 garbage may be collected in the middle of a function written in C. That runs
finalizers, which are anybody's Python code, and with these other threads. Two functions do not
stand that:

- `ast.parse` counts how deep it is for all threads together, and fails with a `SystemError` if
  another thread parses meanwhile;
- `sys._current_frames` holds a lock meanwhile, and the process hangs if a finalizer asks for it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Collection:
    """Keeps garbage from being collected.

    Attributes
    ----------
    lock : threading.RLock
        Held meanwhile. Without it, of two threads that begin and end at the same time one would
        leave it switched off.
    """

    def __init__(self) -> None:
        self.lock = RLock()

    def forked(self) -> None:
        """Begin anew in a child process: a thread of the parent may have held the lock."""
        self.lock = RLock()


_COLLECTION = _Collection()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_COLLECTION.forked)


def uncollected(function: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Result:
    """Call a function while no garbage is collected."""
    if sys.version_info >= (3, 12):
        return function(*args, **kwargs)  # collected only between two steps of Python code
    with _COLLECTION.lock:
        collects = gc.isenabled()
        try:
            gc.disable()
            return function(*args, **kwargs)
        finally:
            if collects:
                gc.enable()
