"""Other threads: those that a block starts are counted, those that were there before are not.

A dispatch mode belongs to one thread. Python calls a profile function at the first step of every
thread that it starts (`threading.setprofile`). That is where a counter steps into the thread; the
function is then taken away, so that the thread runs as fast as without it.

A thread that outlives its block still has the counter on its stack. The first operator that it
runs then goes past the counter uncounted, and sets a profile function that takes the counter off
with the next step, and itself with it. A thread that ends takes the counter off itself.

What nobody can count is named: threads that were there before, if they had work to do, threads that
were not started by `threading`, also where they have ended, and processes that were forked.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from _thread import _count as number_of_threads
from collections.abc import Callable
from functools import lru_cache, partial
from types import FrameType
from typing import Any
from weakref import ref

from ipyflops.attribution import NOT_EAGERLY
from ipyflops.cells import is_installed, is_the_users
from ipyflops.counting.kernel_launches import can_launch
from ipyflops.counting.thread_states import NUMBERS, engine_threads_since, moment

#: Code that the threads of a pool run.
_WORKERS = (("concurrent.futures.thread", "_worker"), ("multiprocessing.pool", "worker"))
#: Nanoseconds of a processor that a thread may use and still pass for one that only waits.
_IDLE = 50_000
TRITON_IMPORTED = (
    "Triton was imported in this block: kernels that your code launched itself are not counted. "
    "Run it again"
)
UNNOTICED = "not counted: a thread that began without threading, or under another profile function"


class ThreadHooks:
    """Has a function called in each thread that Python starts, before its own code.

    Each method can be called at any time, and again where an interrupt cut it short.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._profile: Any = self._first_event
        self._is_set = False
        #: The profile function of new threads that somebody else has set.
        self._before: Any = None

    def set(self) -> bool:
        """Call the function in threads that start from now on; whether others had replaced it."""
        replaced = self.was_replaced()
        if threading.getprofile() is not self._profile:
            self._before = threading.getprofile()
            threading.setprofile(self._profile)
        self._is_set = True
        return replaced

    def was_replaced(self) -> bool:
        """Whether somebody has set another profile function since."""
        return self._is_set and threading.getprofile() is not self._profile

    def set_back(self) -> None:
        """Set the profile function of before, unless somebody has set another one since."""
        self._is_set = False
        if threading.getprofile() is self._profile:
            threading.setprofile(self._before)
        self._before = None

    def _first_event(self, frame: FrameType, event: str, argument: Any) -> None:
        """Call the function when the first Python function of a thread begins: the thread's own."""
        before = self._before
        if event == "call":
            sys.setprofile(before)
            self._begin()
        if before is not None:
            before(frame, event, argument)


def call_with_next_step(settle: Callable[[], bool]) -> None:
    """Call a function with each step of this thread until it says that it has done its work.

    Nothing happens where a profiler is at work.
    """

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if settle():
            sys.setprofile(None)

    if sys.getprofile() is None:
        sys.setprofile(profile)


class CalledAtEnd:
    """Calls a function in the thread that ends: to be held by a thread-local variable alone."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._function()


class NotCounted:
    """What runs beside a block and is not counted.

    Attributes
    ----------
    processes : int
        How many were forked.
    calls : int
        How many operators were left out that passed by, as those of other tasks.
    hook_replaced : bool
        Whether somebody has set another function that new threads call first.
    stance_replaced : bool
        Whether somebody has set another stance of PyTorch's compiler.
    engine_worked : bool
        Whether threads of the autograd engine have run operators: Python may take each time for
        another thread.
    """

    def __init__(self) -> None:
        self.processes = 0
        self.calls = 0
        self.hook_replaced = False
        self.stance_replaced = False
        self.engine_worked = False
        self._before: dict[threading.Thread, tuple[int, int]] = {}
        #: Whether a program could launch kernels of Triton when the block began.
        self._could_launch = True
        #: How many threads ran that `threading` had not started.
        self._unknown_before = 0
        #: How many threads of the process had begun; None where Python does not tell.
        self._begun_before: int | None = None
        self._moment = 0.0
        #: How many threads the counter has stepped into, and threads that are known, by their ids.
        self._entered = 0
        self._known: dict[int, ref[threading.Thread]] = {}

    def begin(self) -> None:
        """See what runs when the block begins."""
        own = threading.get_ident()
        self._could_launch = can_launch()
        self._unknown_before = _unknown_threads()
        self._before = {
            thread: _activity(thread)
            for thread in threading.enumerate()
            if thread.ident != own and (_is_worker(thread) or _runs_user_code(thread))
        }
        self._known = {id(thread): ref(thread) for thread in threading.enumerate()}
        self._moment = moment()
        self._begun_before = NUMBERS.begun()

    def thread_begins(self) -> None:
        """Note that the counter has stepped into this thread, which has just begun."""
        thread = threading.current_thread()
        self._known[id(thread)] = ref(thread)
        self._entered += 1

    def forget(self) -> None:
        """Forget what ran when the block began."""
        self._before.clear()
        self._known.clear()

    def notes(self) -> list[str]:
        """What a reader has to know of it."""
        notes: list[str] = []
        if self.calls:
            operators = "1 operator" if self.calls == 1 else f"{self.calls:,} operators"
            notes.append(f"not counted: {operators} of other tasks")
        busy = [thread for thread, before in self._before.items() if _was_busy(thread, before)]
        if busy:
            more = f" and {len(busy) - 1} more" if len(busy) > 1 else ""
            what = "pool" if _is_worker(busy[0]) else "thread"
            name = busy[0].name
            notes.append(f"not counted: a {what} from before the block ({name}{more}) was at work")
        unknown = self._unknown_threads_began()
        if unknown and not self.hook_replaced:
            notes.append(UNNOTICED if unknown == 1 else UNNOTICED.replace("a thread", "threads"))
        if self.hook_replaced:
            notes.append("not counted: threads that began after threading.setprofile was called")
        if not self._could_launch and can_launch():
            notes.append(TRITON_IMPORTED)
        if self.stance_replaced:
            notes.append(NOT_EAGERLY)
        if self.processes:
            number = f"{self.processes} processes" if self.processes > 1 else "a process"
            notes.append(f"not counted: what {number} computed that the block started")
        return notes

    def _unknown_threads_began(self) -> int:
        """How many threads have begun that the counter did not step into; more or less."""
        begun = None if self._begun_before is None or self.engine_worked else NUMBERS.begun()
        if begun is not None and self._begun_before is not None:
            # Some may have begun in this moment.
            late = [one for one in threading.enumerate() if not self._knows(one)]
            unknown = begun - self._begun_before - self._entered - len(late)
            return max(unknown - engine_threads_since(self._moment), 0) if unknown > 0 else 0
        if _unknown_threads() <= self._unknown_before:
            return 0
        time.sleep(0.005)  # one that `threading` has forgotten may not have quite ended
        return max(_unknown_threads() - self._unknown_before, 0)

    def _knows(self, thread: threading.Thread) -> bool:
        """Whether a thread was there before, or was stepped into, or is none of `threading`."""
        known = self._known.get(id(thread))
        is_known = known is not None and known() is thread
        return is_known or type(thread).__name__ == "_DummyThread"


def _is_worker(thread: threading.Thread) -> bool:
    """Whether a thread works for a pool."""
    target = getattr(thread, "_target", None)
    return (getattr(target, "__module__", ""), getattr(target, "__name__", "")) in _WORKERS


def _runs_user_code(thread: threading.Thread) -> bool:
    """Whether a thread was begun with code that was neither installed nor came with Python."""
    begins_with: Any = getattr(thread, "_target", None) or type(thread).run
    while isinstance(begins_with, partial):
        begins_with = begins_with.func
    # Decorators may make code that lies in no file, as that of IPython's thread for its history.
    begins_with = inspect.unwrap(begins_with)
    code = getattr(getattr(begins_with, "__func__", begins_with), "__code__", None)
    return code is not None and _is_user_code(code.co_filename)


@lru_cache(1024)
def _is_user_code(filename: str) -> bool:
    return is_the_users(filename) and not is_installed(filename)


def _unknown_threads() -> int:
    """How many threads run that `threading` has not started, as those of a debugger."""
    known = [one for one in threading.enumerate() if type(one).__name__ != "_DummyThread"]
    return number_of_threads() - len([one for one in known if one is not threading.main_thread()])


def _activity(thread: threading.Thread) -> tuple[int, int]:
    """How often a thread has waited for something, and for how long it has used a processor.

    The first is a number of times, which grows with each piece of work; the second is in
    nanoseconds. 0 where the system does not tell.
    """
    folder = f"/proc/self/task/{thread.native_id}"
    try:
        with open(f"{folder}/status") as file:
            lines = [line for line in file if line.startswith("voluntary_ctxt_switches")]
        with open(f"{folder}/schedstat") as file:
            used = file.read().split()[0]
        return int(lines[0].split()[1]), int(used)
    except (OSError, ValueError, IndexError):
        return 0, 0


def _was_busy(thread: threading.Thread, before: tuple[int, int]) -> bool:
    """Whether a thread has worked since; one that only waits has slept all the time."""
    waits, used = _activity(thread)
    return waits > before[0] or used > before[1] + _IDLE
