"""Which task runs: a task of asyncio or trio, or a greenlet.

A block that waits lets others run in its own thread, and these are not counted. Code of the block
itself may run in a context that knows nothing of the block: ``contextvars.Context().run(f)``. So a
context that does not know the block is no sign of another task; only another task is.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any


class Task:
    """The task that runs when this object is made."""

    def __init__(self) -> None:
        self._coroutine = _coroutine()
        self._greenlet = _greenlet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None
        self._has_waited = False
        with suppress(RuntimeError):  # raised where no loop of asyncio runs
            self._loop = asyncio.get_running_loop()
            # The loop calls this once the task waits for something, and before it goes on.
            self._handle = self._loop.call_soon(self._note)

    def _note(self) -> None:
        self._has_waited = True

    def forget(self) -> None:
        """Do not follow the task any more."""
        if self._handle is not None:
            self._handle.cancel()
        self._coroutine = self._greenlet = self._loop = self._handle = None

    def is_alone(self) -> bool:
        """Whether no other task can have run since, so that whatever runs was begun by this one.

        Any thread may ask.
        """
        if self._coroutine is None and self._loop is None:
            return True
        if self._loop is None or self._has_waited:
            return False
        return asyncio.current_task(self._loop) is self._coroutine

    def runs(self) -> bool:
        """Whether what runs now in the task's own thread is the task, or is called by it."""
        if not self.is_alone() and _coroutine() is not self._coroutine:
            return False
        return _was_switched_to_from(self._greenlet, _greenlet())


def _coroutine() -> Any:
    """The task of asyncio or trio that runs in this thread, if one does."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop of asyncio runs
        task = None
    trio = sys.modules.get("trio")
    if task is not None or trio is None:
        return task
    try:
        return trio.lowlevel.current_task()
    except (AttributeError, RuntimeError):
        return None


def _greenlet() -> Any:
    module = sys.modules.get("greenlet")
    return None if module is None else module.getcurrent()


def _was_switched_to_from(origin: Any, greenlet: Any) -> bool:
    """Whether a greenlet is another one, or that one has switched to it as one calls a function.

    Greenlets that a loop switches to, as those of gevent and eventlet, are of other types.
    """
    plain = getattr(sys.modules.get("greenlet"), "greenlet", None)
    while greenlet is not origin:
        parent = getattr(greenlet, "parent", None)
        if parent is None:  # the outermost, where a block began before greenlets were loaded
            return origin is None
        if type(greenlet) is not plain:
            return False
        greenlet = parent
    return True
