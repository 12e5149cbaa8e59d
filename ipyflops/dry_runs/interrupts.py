"""Interrupts of a dry run (^C, the stop button): held back where PyTorch cannot bear them.

Example: an interrupt arrives while PyTorch works out the shape of a product. PyTorch has set flags
for that, and may not set them back. Or it arrives in Python code that PyTorch's C++ code has
called and that must not raise: the process ends. So the interrupt waits until the operator is done,
which takes less than a millisecond. In the user's own code it comes at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import types
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipyflops.cells import PYTORCH_FOLDER
from ipyflops.dry_runs.operators import is_higher_order

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_DISPATCH = "__torch_dispatch__"
#: Files whose code an interrupt waits for.
_AT_WORK = (
    # It is over soon, and may be about to set something or to put it back.
    _PACKAGE,
    # What Python calls when an object goes: it drops what is raised there, also an interrupt.
    weakref.__file__,
    os.path.join(PYTORCH_FOLDER, "utils", "weak.py"),
    os.path.join(PYTORCH_FOLDER, "multiprocessing", "reductions.py"),
)

#: PyTorch's files whose functions its C++ code calls, on the way to an operator on fake tensors.
#: What they raise it may not bear.
_CALLED_FROM_C = tuple(
    os.path.join(PYTORCH_FOLDER, one)
    for one in (
        os.path.join("_library", ""),
        os.path.join("_subclasses", ""),
        os.path.join("utils", "_python_dispatch.py"),
        "_ops.py",
    )
)


class Interrupts:
    """Holds interrupts back while the parts of a dry run are at work.

    Attributes
    ----------
    waiting : bool
        Whether an interrupt waits for a moment at which it may come.
    in_code : bool
        Whether the user's code runs.
    """

    def __init__(self) -> None:
        self.waiting = False
        self.in_code = False
        #: What handled interrupts before, while they are held back.
        self._before: Any = None
        self._frame: types.FrameType | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold interrupts back in the block; one that still waits comes at its end.

        The exception is the user's code, as long as `in_code` is set. Python handles interrupts in
        the main thread only, and a handler that is not Python's could not be put back.
        """
        before = signal.getsignal(signal.SIGINT)
        if self._before is not None or not _is_main_thread() or not callable(before):
            yield
            return
        self._before = before
        handler = self._handle
        signal.signal(signal.SIGINT, handler)
        try:
            yield
        finally:
            # The code may have set a handler of its own.
            if signal.getsignal(signal.SIGINT) == handler:
                signal.signal(signal.SIGINT, before)
            self._before = None
            if self.waiting:
                self._pass_on(before)

    def deliver(self) -> None:
        """Let the interrupt come that waits, as an operator is done."""
        if self._before is not None and self.in_code and _is_main_thread():
            self._pass_on(self._before)

    def _pass_on(self, handler: Any) -> None:
        frame, self._frame, self.waiting = self._frame, None, False
        handler(signal.SIGINT, frame)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if self.in_code and not _is_at_work(frame):
            self._frame, self.waiting = None, False  # one that still waits comes with this one
            self._before(number, frame)
        else:
            self._frame, self.waiting = frame, True


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_at_work(frame: types.FrameType | None) -> bool:
    """Whether a frame belongs to an operator on fake tensors, or to what Python calls back."""
    # A context manager of this package begins and ends in a frame of Python's own.
    while frame is not None and frame.f_code.co_filename == contextlib.__file__:
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename.startswith(_AT_WORK):
        return True
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_CALLED_FROM_C):
            return True
        if code.co_name == _DISPATCH and code.co_filename.startswith(_PACKAGE):
            # Those that take functions run the user's code, with operators of its own.
            return not is_higher_order(frame.f_locals.get("func"))
        frame = frame.f_back
    return False
