"""Other threads: those that a block starts are counted, those that were there before are not.

A dispatch mode belongs to one thread. Python calls a profile function at the first step of every
thread that it starts (`threading.setprofile`); that is where a counter steps into the thread. The
function stays until the thread or the block ends, so that a thread that outlives its block, as
those of a pool do, gets rid of the counter with the next function that it calls.

What nobody can count is named: threads of a pool that was there before, if they had work to do,
and processes that were forked. A forked process is rid of the counter at once.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

#: Code that the threads of a pool run.
_WORKERS = (("concurrent.futures.thread", "_worker"), ("multiprocessing.pool", "worker"))
_MULTIPROCESSING = os.path.join("multiprocessing", "popen_fork.py")

Profile = Callable[[FrameType, str, Any], object]

_lock = threading.RLock()
_blocks: list[Follower] = []
_before: Any = None
#: How many blocks have ended, for a thread to see at a glance whether one of its own may have.
_ended = 0


class Follower(Protocol):
    """What can step into a thread, and out of it again; both are called in that thread.

    Attributes
    ----------
    outside : Outside
        What it cannot count.
    """

    outside: Outside

    def step_into_thread(self) -> None:
        """Begin to count in this thread."""

    def step_out_of_thread(self) -> bool:
        """Stop counting in this thread; False where that has to wait for an operator to end."""


class Outside:
    """What runs beside a block and is not counted; begins with the block.

    Attributes
    ----------
    processes : int
        How many were forked.
    """

    def __init__(self) -> None:
        self.processes = 0
        self._before = {thread: _wakes(thread) for thread in _pool_threads()}

    def notes(self) -> list[str]:
        """What a reader has to know of it."""
        notes: list[str] = []
        busy = [one.name for one, wakes in self._before.items() if _wakes(one) > wakes]
        if busy:
            more = f" and {len(busy) - 1} more" if len(busy) > 1 else ""
            notes.append(f"not counted: a pool from before the block ({busy[0]}{more}) was at work")
        if self.processes:
            number = f"{self.processes} processes" if self.processes > 1 else "a process"
            notes.append(f"not counted: what {number} computed that the block started")
        return notes


def _pool_threads() -> list[threading.Thread]:
    found: list[threading.Thread] = []
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        if (getattr(target, "__module__", ""), getattr(target, "__name__", "")) in _WORKERS:
            found.append(thread)
    return found


def _wakes(thread: threading.Thread) -> int:
    """How often a thread has waited for something; a number that grows with each piece of work.

    0 where the system does not tell.
    """
    try:
        with open(f"/proc/self/task/{thread.native_id}/status") as file:
            lines = [line for line in file if line.startswith("voluntary_ctxt_switches")]
        return int(lines[0].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _after_fork_in_parent() -> None:
    if not _blocks:
        return
    # What the shell runs in another process is nobody's computation; what multiprocessing does is.
    frame: FrameType | None = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.endswith(_MULTIPROCESSING):
        frame = frame.f_back
    if frame is not None:
        for block in _blocks:
            block.outside.processes += 1


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # another thread may have held it
    for block in _blocks:
        block.step_out_of_thread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def follow(block: Follower) -> None:
    """From now on step into every thread that starts."""
    global _before
    with _lock:
        if not _blocks:
            _before = threading.getprofile()
            threading.setprofile(_Visit)
        _blocks.append(block)


def unfollow(block: Follower) -> None:
    """Step into no more threads, and out of those that still run."""
    global _ended
    with _lock:
        _blocks.remove(block)
        _ended += 1
        # Whoever has set another function meanwhile keeps it.
        if not _blocks and threading.getprofile() is _Visit:
            threading.setprofile(_before)


class _Visit:
    """The profile function of one thread; made by the first event in it."""

    def __init__(self, frame: FrameType, event: str, argument: Any) -> None:
        with _lock:
            self._inside = list(_blocks)
            self._profile: Profile | None = _before
            self._ended = _ended
        self._first: FrameType | None = None
        sys.setprofile(self)
        self(frame, event, argument)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._first is None:
            # The first function called is what the thread runs, in the context that it runs in.
            if event == "call":
                self._first = frame
                for block in self._inside:
                    block.step_into_thread()
        elif frame is self._first and event == "return":
            self._leave(self._inside)
        elif self._ended != _ended:
            ended = _ended
            if self._leave([block for block in self._inside if block not in _blocks]):
                self._ended = ended
        if self._profile is not None:
            self._profile(frame, event, argument)

    def _leave(self, blocks: list[Follower]) -> bool:
        """Step out of some blocks; False if one of them has to wait."""
        left = [block for block in blocks if block.step_out_of_thread()]
        done = len(left) == len(blocks)
        self._inside = [block for block in self._inside if block not in left]
        if not self._inside:
            self._first = None
            sys.setprofile(self._profile)
        return done
