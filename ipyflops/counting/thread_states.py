"""How many threads have begun, also those that `threading` knows nothing of and that have ended.

CPython numbers the states of its threads upwards, in each process. So a state that is made only to
read its number, and is thrown away, tells how many threads have begun since the last one. No thread
is started, and nothing stays behind.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_POINTER = ctypes.c_void_p


class ThreadNumbers:
    """Reads the numbers of thread states through Python's C interface.

    Attributes
    ----------
    asked : int
        How many numbers were read. Each is used up then, so that no thread has it.
    """

    def __init__(self) -> None:
        self.asked = 0
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
        """How many threads have begun in this process so far; None where Python does not tell."""
        if self._api is None:
            return None
        state = self._new(self._interpreter())
        if not state:
            return None  # no memory
        self.asked += 1
        number: int = self._number(state)
        self._clear(state)
        self._delete(state)
        return number - self.asked


def _function(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of Python's C interface; the object is our own, and not that of all programs."""
    prototype = ctypes.PYFUNCTYPE(result, *arguments)
    return prototype(ctypes.cast(function, _POINTER).value or 0)


#: Those of this process.
NUMBERS = ThreadNumbers()
