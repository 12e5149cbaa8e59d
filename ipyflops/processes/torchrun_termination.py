"""Lets the rank that gathers write down the reports it has when torchrun tells it to end.

When a rank dies, torchrun sends SIGTERM to all others, and kills them half a minute later. The rank
that waits for reports at that moment has some of them, and uses that half minute to save them.
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
    """Keep SIGTERM from ending the process inside the block; it then ends at the program's end.

    Nothing changes if the program handles the signal itself, or outside of the main thread, where
    Python handles no signals.
    """
    termination = Termination()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield termination
        return

    def note(_number: int, _frame: object) -> None:
        if not termination.requested:
            termination.requested = True
            atexit.register(_end)

    signal.signal(signal.SIGTERM, note)
    try:
        yield termination
    finally:
        # After the block, a second SIGTERM ends the process at once, as usual.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end() -> None:
    """End by the signal, so that torchrun sees an exit by SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)
