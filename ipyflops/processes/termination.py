"""Lets a process finish what it is waiting for when it is told to end.

When a rank dies, torchrun tells all others to end (SIGTERM), and kills them half a minute later.
Whoever waits for reports at that moment has some of them, and should have time to write them down.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Termination:
    """Whether the process has been told to end.

    Attributes
    ----------
    requested : bool
    """

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def deferred() -> Iterator[Termination]:
    """Keep SIGTERM from ending the process inside the block; it ends when the program is through.

    Nothing changes where the program handles the signal itself, or in another thread than the main
    one, which Python lets handle no signals.
    """
    termination = Termination()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield termination
        return

    def note(number: int, frame: object) -> None:
        if not termination.requested:
            termination.requested = True
            atexit.register(_end)

    signal.signal(signal.SIGTERM, note)
    try:
        yield termination
    finally:
        # A second request, after the block, ends the process as ever.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end() -> None:
    """End by the signal, so that whoever sent it sees that it was obeyed."""
    os.kill(os.getpid(), signal.SIGTERM)
