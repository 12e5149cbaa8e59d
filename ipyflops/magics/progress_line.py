"""A line that says how far a long cell has come, in a notebook or a terminal.

Another thread reads the counter's sums now and then, so the cell itself does not run slower.
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

from ipyflops.counting import Progress
from ipyflops.views import shows_widgets

#: Seconds before the line appears, and the least between two updates of it.
FIRST_UPDATE_AFTER = 1.0
MIN_PAUSE = 0.2
#: Reading the counter's sums takes at most this share of the time.
MAX_SHARE = 0.02


class HasProgress(Protocol):
    """A counter, as far as this file uses it."""

    def progress(self) -> Progress:
        """Say how far the count has come."""


class _Line:
    """A line that can be overwritten: a display of a notebook, or the last line of a terminal."""

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
    """Whether the shell shows a line that changes: in a notebook's front end, or a terminal."""
    if getattr(shell, "kernel", None) is None:
        return sys.stderr.isatty()
    return shows_widgets(shell)


@contextmanager
def shown(counter: HasProgress, shell: Any) -> Iterator[None]:
    """Show how far a counter has come while the block runs, if that takes more than a second.

    Parameters
    ----------
    counter : HasProgress
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    line = _Line(shell)
    ended = threading.Event()

    def watch() -> None:
        pause = FIRST_UPDATE_AFTER
        while not ended.wait(pause):
            start = time.perf_counter()
            try:
                text = str(counter.progress())
                if not ended.is_set():
                    line.write(text)
            except Exception:
                return  # only the line is missing then; the cell goes on
            pause = max(MIN_PAUSE, (time.perf_counter() - start) / MAX_SHARE)

    # The context says which cell is running, and so where the line is shown.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(watch,), name="ipyflops", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1)
        line.clear()
