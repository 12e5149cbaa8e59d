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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ipyflops import conventions
from ipyflops.conventions import Convention
from ipyflops.units import scaled
from ipyflops.views.visible import shortened, visible

if TYPE_CHECKING:
    from ipyflops.places import Place

#: Seconds before the first line, and between two of them.
PATIENCE = 1.0
PAUSE = 0.2
#: Reading takes at most this share of the time.
SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a count has come.

    Attributes
    ----------
    operators, flops : int
    module : str
        Path of the place that ran last; empty for none.
    """

    operators: int
    flops: int
    module: str

    def __str__(self) -> str:
        text = f"counting: {scaled(self.operators)} operators, {scaled(self.flops, 'FLOPs')}"
        return f"{text}, in {shortened(visible(self.module), 60)}" if self.module else text


class Reader:
    """Reads the sums of a running count; it remembers them, to tell where the count is at work."""

    def __init__(self, root: Place, convention: Convention) -> None:
        self._root = root
        self._convention = convention
        self._calls: dict[int, int] = {}

    def read(self) -> Progress:
        """Add up what there is; other threads may go on counting meanwhile."""
        operators = flops = most = 0
        latest = self._root
        waiting = [self._root]
        while waiting:
            place = waiting.pop()
            calls = 0
            for location in list(place.locations.values()):
                for entry in list(location.entries.values()):
                    calls += entry.calls
                    if entry.sums is None:
                        cost = entry.signature.cost
                        flops += entry.calls * conventions.flops(cost, self._convention)
                    else:
                        flops += conventions.flops(entry.sums.cost.total(), self._convention)
            operators += calls
            gained = calls - self._calls.get(id(place), 0)
            if gained > 0:
                self._calls[id(place)] = calls
                if gained >= most:
                    most, latest = gained, place
            waiting.extend(place.children())
        return Progress(operators, flops, _path(latest))


def _path(place: Place) -> str:
    names = []
    at: Place | None = place
    while at is not None and at.parent is not None:
        names.append(at.name)
        at = at.parent
    return ".".join(reversed(names))


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
