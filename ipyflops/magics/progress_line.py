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

from IPython.core.displaypub import CapturingDisplayPublisher

from ipyflops.cells import Shell
from ipyflops.counting import Progress
from ipyflops.magics.leftovers import living_widgets
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


class ProgressLine:
    """A line that can be overwritten: displays of a notebook, or the last line of a terminal.

    In a notebook the report takes the place of the line, because an output cannot be removed. The
    displays are as many as the report will have outputs; the last of them has the text.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    outputs : int
        How many outputs the report will have.
    """

    def __init__(self, shell: Shell, outputs: int = 1) -> None:
        self._in_terminal = getattr(shell, "kernel", None) is None
        # Of now: the code may capture what it shows, and this line is none of it.
        self._publisher: Any = getattr(shell, "display_pub", None)
        self._places = [uuid.uuid4().hex for _ in range(outputs)]
        self._written = self._cleared = False

    @contextmanager
    def shown(self, counter: HasProgress) -> Iterator[None]:
        """Show how far a counter has come while the block runs, if that takes more than a second.

        Parameters
        ----------
        counter : HasProgress
        """
        ended = threading.Event()

        def watch() -> None:
            pause = FIRST_UPDATE_AFTER
            while not ended.wait(pause):
                start = time.perf_counter()
                try:
                    text = str(counter.progress())
                    if not ended.is_set():
                        self._write(text)
                except Exception:
                    return  # only the line is missing then; the cell goes on
                pause = max(MIN_PAUSE, (time.perf_counter() - start) / MAX_SHARE)

        # The context says which cell is running, and so where the line is shown.
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(watch,), name="ipyflops", daemon=True)
        thread.start()
        try:
            with self._noting_what_clears():
                yield
        finally:
            ended.set()
            thread.join(1)
            self.end()

    def say(self, text: str) -> None:
        """Say on the line what is done now, after the cell has run."""
        self._write(f"ipyflops: {text} …")

    def end(self) -> None:
        """Empty the line of a terminal: what follows takes its place."""
        if self._in_terminal and self._written:
            self._print("")

    def take(self) -> list[str]:
        """Give the names of the displays whose place the report takes, each once."""
        taken, self._places = self._places, []
        # What was cleared cannot be updated.
        return taken if self._written and not self._cleared and not self._in_terminal else []

    def empty(self, places: list[str]) -> None:
        """Empty displays whose place nothing takes."""
        for place in places:
            self._publish("text/plain", "", place)

    def _write(self, text: str) -> None:
        if self._in_terminal:
            self._print(text)
        elif not self._cleared:
            if not self._written:
                for place in self._places[:-1]:
                    self._publish("text/html", "<span></span>", place)
            self._publish("text/plain", text, self._places[-1])
        self._written = True

    def _print(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def _publish(self, kind: str, text: str, place: str) -> None:
        self._publisher.publish(
            data={kind: text},
            metadata={},
            transient={"display_id": place},
            update=self._written,
        )

    @contextmanager
    def _noting_what_clears(self) -> Iterator[None]:
        """Note whether the cell's outputs are cleared, and the line's displays with them."""
        publisher = self._publisher
        method = getattr(publisher, "clear_output", None)
        if self._in_terminal or method is None:
            yield
            return

        def clear_output(*arguments: Any, **options: Any) -> Any:
            self._cleared = True
            return method(*arguments, **options)

        publisher.clear_output = clear_output
        try:
            yield
        finally:
            # Whoever has put another one there meanwhile keeps it.
            if publisher.clear_output is clear_output:
                del publisher.clear_output


def can_be_shown(shell: Shell) -> bool:
    """Whether the shell shows a line that changes: in a notebook's front end, or a terminal."""
    if getattr(shell, "kernel", None) is None:
        return sys.stderr.isatty()
    return shows_widgets(shell) and not _is_captured(shell)


def _is_captured(shell: Shell) -> bool:
    """Whether what the cell shows is kept, every update as an output of its own."""
    if isinstance(shell.display_pub, CapturingDisplayPublisher):
        return True
    # A widget that takes the outputs of this cell does not know of updates.
    request = shell.kernel.get_parent("shell")["header"]["msg_id"]
    outputs = [one for one in living_widgets().values() if hasattr(one, "msg_id")]
    return any(one.msg_id == request for one in outputs)
