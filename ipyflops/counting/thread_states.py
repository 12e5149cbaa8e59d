"""How many threads have begun, also those that `threading` knows nothing of and that have ended.

CPython numbers the states of its threads upwards, in each process. So a state that is made only to
read its number, and is thrown away, tells how many threads have begun since the last one. No thread
is started, and nothing stays behind.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from itertools import count, tee
from typing import Any

from ipyflops.torch_private import ENGINE_THREADS

_POINTER = ctypes.c_void_p


class ThreadNumbers:
    """Reads the numbers of thread states through Python's C interface."""

    def __init__(self) -> None:
        # How many numbers were read: each is used up then, so that no thread has it.
        self._asked = count(1)
        api: Any = getattr(ctypes, "pythonapi", None)
        self._api = api if sys.implementation.name == "cpython" else None
        try:
            self._interpreter = _function(api.PyInterpreterState_Get, _POINTER)
            self._new = _function(api.PyThreadState_New, _POINTER, _POINTER)
            self._number = _function(api.PyThreadState_GetID, ctypes.c_uint64, _POINTER)
            self._clear = _function(api.PyThreadState_Clear, None, _POINTER)
            self._delete = _function(api.PyThreadState_Delete, None, _POINTER)
        except AttributeError:
            self._api = None

    def begun(self) -> int | None:
        """How many threads have begun in this process so far; None where Python does not tell.

        An interrupt may come between any two calls in Python, and would leave a state behind. So
        one call of `list` makes a state, reads its number and throws it away: all of it is C.
        """
        if self._api is None:
            return None
        made = filter(None, map(self._new, (self._interpreter(),)))  # none if there is no memory
        read, cleared, deleted = tee(made, 3)
        steps = zip(
            map(self._number, read),
            self._asked,
            map(self._clear, cleared),
            map(self._delete, deleted),
            strict=False,
        )
        for number, asked, _, _ in list(steps):
            return int(number) - asked
        return None


def _function(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of Python's C interface; the object is our own, and not that of all programs."""
    prototype = ctypes.PYFUNCTYPE(result, *arguments)
    return prototype(ctypes.cast(function, _POINTER).value or 0)


#: Those of this process.
NUMBERS = ThreadNumbers()


def moment() -> float:
    """Now, by the clock by which the system says when a thread has begun; 0 if it has none."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock)


def engine_threads_since(begin: float) -> int:
    """How many threads of the autograd engine have begun since a `moment`.

    They begin all at once, with the first backward pass of a process on any device, and have a
    state of Python's also where they run no operator. 0 where the system does not tell.
    """
    try:
        ticks = int(begin * os.sysconf("SC_CLK_TCK"))
        return sum(_is_engine_thread(task, ticks) for task in os.listdir("/proc/self/task"))
    except (OSError, ValueError, AttributeError):
        return 0


def _is_engine_thread(task: str, ticks: int) -> bool:
    """Whether a thread is one of the engine that has begun since; a thread may end meanwhile."""
    try:
        with open(f"/proc/self/task/{task}/stat") as file:
            name, _, rest = file.read().partition(" (")[2].rpartition(") ")
        return name.startswith(ENGINE_THREADS) and int(rest.split()[19]) >= ticks
    except (OSError, IndexError):
        return False
