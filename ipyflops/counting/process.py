"""The counters that are open in this process, and what is set for the process because of them.

New threads are followed, and PyTorch's compiler steps aside, as long as a counter is open. Nothing
here counts up and down: `OpenCounters.settle` looks at the counters that are open and sets all of
that, so that it can be called at any time, also after an interrupt.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from ipyflops.counting import stack
from ipyflops.counting.compiled import CompilerStance
from ipyflops.counting.graphs import GraphHooks
from ipyflops.counting.kernel_launches import KernelLaunch, LaunchHooks
from ipyflops.counting.threads import NotCounted, ThreadHooks

_MULTIPROCESSING = os.path.join("multiprocessing", "popen_fork.py")


class Counter(stack.BlockMode):
    """What can be open.

    Attributes
    ----------
    not_counted : NotCounted
        What runs beside its blocks.
    count : object or None
        Stands for all blocks that overlap; None while there is none.
    """

    not_counted: NotCounted
    count: object | None

    def step_into_thread(self) -> None:
        """Begin to count in this thread, which has just begun."""
        raise NotImplementedError

    def is_open_elsewhere(self) -> bool:
        """Whether another thread has a block of it open."""
        raise NotImplementedError

    def counts_now(self) -> bool:
        """Whether what this thread runs now is counted."""
        raise NotImplementedError

    def around_replay(self, graph: Any, frame: FrameType) -> AbstractContextManager[object]:
        """Count what a CUDA graph runs in the block; `frame` replays it."""
        raise NotImplementedError

    def around_launch(
        self, launch: KernelLaunch, frame: FrameType
    ) -> AbstractContextManager[object]:
        """Count a Triton kernel that the program itself launches in `frame`."""
        raise NotImplementedError

    def cut_short(self, reason: str) -> None:
        """End all blocks of it, wherever they are; the report says why."""
        raise NotImplementedError


class OpenCounters:
    """The counters that are open.

    Attributes
    ----------
    counters : list of Counter
    lock : threading.RLock
        Held while these, or their blocks, change.
    stance : CompilerStance
    """

    def __init__(self) -> None:
        self.counters: list[Counter] = []
        self.lock = threading.RLock()
        self.stance = CompilerStance()
        self._hooks = ThreadHooks(self._thread_begins)
        self._graphs = GraphHooks(self._around_replay)
        self._launches = LaunchHooks(self._around_launch)

    def add(self, counter: Counter) -> None:
        """Open a counter; nothing happens if it is open."""
        if counter not in self.counters:
            self.counters.append(counter)
        if self._hooks.set():
            for one in self.counters:
                one.not_counted.hook_replaced = True
        self.settle()

    def remove(self, counter: Counter) -> None:
        """Close a counter; nothing happens if it is closed."""
        if counter in self.counters:
            counter.not_counted.hook_replaced |= self._hooks.was_replaced()
            counter.not_counted.stance_replaced = self.stance.was_replaced()
        self.counters = [one for one in self.counters if one is not counter]
        self.settle()

    def settle(self) -> None:
        """Set for the process and for this thread what follows from the open counters."""
        if self.counters:
            self.stance.step_aside()
            self._graphs.set()
            self._launches.set()
        else:
            self._hooks.set_back()
            self.stance.step_back()
            self._graphs.set_back()
            self._launches.set_back()
        self.settle_thread()

    def settle_thread(self) -> bool:
        """Have those modes on this thread's stack that belong there; whether one had to leave."""
        return stack.settle(elsewhere=self.is_open_elsewhere())

    def has(self, count: object) -> bool:
        """Whether a count goes on."""
        return any(one.count is count for one in self.counters)

    def is_open_elsewhere(self) -> bool:
        """Whether a block is open in another thread."""
        return any(one.is_open_elsewhere() for one in self.counters)

    def cut_short(self, reason: str) -> None:
        """End all blocks; their reports say why."""
        with self.lock:
            for counter in self.counters:
                counter.cut_short(reason)
            self.settle()

    def thread_ends(self) -> None:
        """Take the counters off the stack of a thread that ends: its variables are gone."""
        stack.leave_all(elsewhere=bool(self.counters))

    def _thread_begins(self) -> None:
        for counter in list(self.counters):
            counter.step_into_thread()

    def _around_replay(
        self, graph: Any, frame: FrameType
    ) -> Iterator[AbstractContextManager[object]]:
        for counter in list(self.counters):
            if counter.counts_now():
                yield counter.around_replay(graph, frame)

    def _around_launch(
        self, launch: KernelLaunch, frame: FrameType
    ) -> Iterator[AbstractContextManager[object]]:
        for counter in list(self.counters):
            if counter.counts_now():
                yield counter.around_launch(launch, frame)

    # --- processes that are forked -------------------------------------------------------------

    def forked_in_parent(self) -> None:
        """Note that a process was forked, if its work is a computation of the user's."""
        if not self.counters:
            return
        # What the shell runs in another process is nobody's computation; what multiprocessing
        # runs is.
        frame: FrameType | None = sys._getframe()
        while frame is not None and not frame.f_code.co_filename.endswith(_MULTIPROCESSING):
            frame = frame.f_back
        if frame is not None:
            for counter in self.counters:
                counter.not_counted.processes += 1

    def forked_in_child(self) -> None:
        """Stop counting in a process that was just forked."""
        self.lock = threading.RLock()  # another thread of the parent may hold the old one
        self.cut_short("this process was forked from the one that counts")


#: Those of this process.
OPEN = OpenCounters()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=OPEN.forked_in_parent, after_in_child=OPEN.forked_in_child)


def reset() -> None:
    """End all counting in this process, and undo everything that it has set.

    No counter is left on this thread's stack of dispatch modes, new threads are no longer followed,
    and compiled functions run compiled. Other threads remove their counters with the next operator
    that they run. You need this only if a block did not end properly; calling it more often does no
    harm. The counts so far remain in ``counter.report``, which is incomplete.

    Examples
    --------
    >>> from ipyflops import FlopCounter, reset
    >>> counter = FlopCounter().__enter__()
    >>> reset()
    >>> counter.report.complete, counter.report.error
    (False, 'ended by ipyflops.reset()')
    """
    OPEN.cut_short("ended by ipyflops.reset()")
