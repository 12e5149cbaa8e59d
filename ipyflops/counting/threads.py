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


class Follower(Protocol):
    """A block that can begin and stop to count in a thread; both are called in that thread.

    Attributes
    ----------
    not_counted : NotCounted
        What runs beside it.
    """

    not_counted: NotCounted

    def step_into_thread(self) -> None:
        """Begin to count in this thread."""

    def step_out_of_thread(self) -> bool:
        """Stop counting in this thread; False where that has to wait for an operator to end."""


class NotCounted:
    """What runs beside a block and is not counted; begins with the block.

    Attributes
    ----------
    processes : int
        How many were forked.
    """

    def __init__(self) -> None:
        self.processes = 0
        self._before = {thread: _times_woken(thread) for thread in _pool_threads()}

    def notes(self) -> list[str]:
        """What a reader has to know of it."""
        notes: list[str] = []
        busy = [one.name for one, wakes in self._before.items() if _times_woken(one) > wakes]
        if busy:
            more = f" and {len(busy) - 1} more" if len(busy) > 1 else ""
            notes.append(f"not counted: a pool from before the block ({busy[0]}{more}) was at work")
        if self.processes:
            number = f"{self.processes} processes" if self.processes > 1 else "a process"
            notes.append(f"not counted: what {number} computed that the block started")
        return notes


def _pool_threads() -> list[threading.Thread]:
    """The threads of this process that work for a pool."""
    workers: list[threading.Thread] = []
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        if (getattr(target, "__module__", ""), getattr(target, "__name__", "")) in _WORKERS:
            workers.append(thread)
    return workers


def _times_woken(thread: threading.Thread) -> int:
    """How often a thread has waited for something, which it does after each piece of work.

    0 where the system does not tell.
    """
    try:
        with open(f"/proc/self/task/{thread.native_id}/status") as file:
            lines = [line for line in file if line.startswith("voluntary_ctxt_switches")]
        return int(lines[0].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


class ThreadProfile:
    """The profile function of one thread; Python makes it at the first event in the thread."""

    def __init__(self, frame: FrameType, event: str, argument: Any) -> None:
        with HOOKS.lock:
            self._inside = list(HOOKS.blocks)
            self._profile: Profile | None = HOOKS.before
            self._ended = HOOKS.ended
        self._first: FrameType | None = None
        sys.setprofile(self)
        self(frame, event, argument)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Step into the thread with its first call, and out of it when that or the block ends."""
        if self._first is None:
            # The first function called is what the thread runs, in the context that it runs in.
            if event == "call":
                self._first = frame
                for block in self._inside:
                    block.step_into_thread()
        elif frame is self._first and event == "return":
            self._leave(self._inside)
        elif self._ended != HOOKS.ended:
            ended = HOOKS.ended
            if self._leave([block for block in self._inside if block not in HOOKS.blocks]):
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


class ThreadHooks:
    """Has blocks step into the threads that Python starts while they are open.

    Attributes
    ----------
    blocks : list of Follower
        Those that are open.
    before : callable or None
        The profile function of new threads that somebody else has set.
    ended : int
        How many blocks have ended; tells a thread at a glance whether one of its own may have.
    lock : threading.RLock
        Held while these change.
    """

    def __init__(self) -> None:
        self.blocks: list[Follower] = []
        self.before: Any = None
        self.ended = 0
        self.lock = threading.RLock()

    def follow(self, block: Follower) -> None:
        """From now on step into every thread that starts."""
        with self.lock:
            if not self.blocks:
                self.before = threading.getprofile()
                threading.setprofile(ThreadProfile)
            self.blocks.append(block)

    def unfollow(self, block: Follower) -> None:
        """Step into no more threads, and out of those that still run."""
        with self.lock:
            self.blocks.remove(block)
            self.ended += 1
            if not self.blocks:
                self._set_back()

    def reset(self) -> None:
        """End all blocks."""
        with self.lock:
            self.ended += len(self.blocks)
            self.blocks.clear()
            self._set_back()

    def _set_back(self) -> None:
        # Whoever has set another function meanwhile keeps it.
        if threading.getprofile() is ThreadProfile:
            threading.setprofile(self.before)

    def forked_in_parent(self) -> None:
        """Note that a process was forked, if its work is a computation of the user's."""
        if not self.blocks:
            return
        # What the shell runs in another process is nobody's computation; what multiprocessing
        # runs is.
        frame: FrameType | None = sys._getframe()
        while frame is not None and not frame.f_code.co_filename.endswith(_MULTIPROCESSING):
            frame = frame.f_back
        if frame is not None:
            for block in self.blocks:
                block.not_counted.processes += 1

    def forked_in_child(self) -> None:
        """Stop counting in a process that was just forked."""
        self.lock = threading.RLock()  # another thread of the parent may hold the old one
        for block in self.blocks:
            block.step_out_of_thread()


#: Those of the process.
HOOKS = ThreadHooks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_parent=HOOKS.forked_in_parent, after_in_child=HOOKS.forked_in_child
    )
