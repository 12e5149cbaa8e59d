"""A line that says how far a long cell has come, in a notebook or a terminal.

A thread of its own reads the counter's sums now and then; the cell itself pays nothing for it.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ipyflops.counting.progress import Progress

#: Seconds before the first line, and between two of them.
PATIENCE = 1.0
PAUSE = 0.2
#: Reading takes at most this share of the time.
SHARE = 0.02


class Counter(Protocol):
    """What is watched."""

    def progress(self) -> Progress:
        """Say how far the count has come."""


class _Line:
    """A line that can be written again: a display of a notebook, or the last line of a terminal."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._display = uuid.uuid4().hex
        self._written = False

    def write(self, text: str) -> None:
        if getattr(self._shell, "kernel", None) is None:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            self._shell.display_pub.publish(
                data={"text/plain": text},
                metadata={},
                transient={"display_id": self._display},
                update=self._written,
            )
        self._written = True

    def clear(self) -> None:
        if self._written:
            self.write("")


def can_be_shown(shell: Any) -> bool:
    """Whether somebody sees a line that changes: a notebook's front end, or a terminal."""
    if getattr(shell, "kernel", None) is None:
        return sys.stderr.isatty()
    from ipyflops.views.frontend import shows_widgets

    return shows_widgets(shell)


@contextmanager
def shown(counter: Counter, shell: Any) -> Iterator[None]:
    """Show how far a counter has come while the block runs, if that takes more than a second.

    Parameters
    ----------
    counter : Counter
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    line = _Line(shell)
    ended = threading.Event()

    def watch() -> None:
        pause = PATIENCE
        while not ended.wait(pause):
            start = time.perf_counter()
            try:
                text = str(counter.progress())
                if not ended.is_set():
                    line.write(text)
            except Exception:
                return  # a line less, and nothing else
            pause = max(PAUSE, (time.perf_counter() - start) / SHARE)

    # What is published belongs to the cell that is running, which the context says.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(watch,), name="ipyflops", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1)
        line.clear()
