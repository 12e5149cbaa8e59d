"""The blocks of a counter: in which threads, tasks and contexts it counts, and how they end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from threading import get_ident
from types import FrameType, TracebackType
from typing import Any
from weakref import ref

from ipyflops.attribution import THREAD, Token, frames_of_threads
from ipyflops.counting import stack
from ipyflops.counting.held_exit import ended_by_with, held
from ipyflops.counting.process import OPEN, Counter
from ipyflops.counting.tasks import Task
from ipyflops.counting.threads import CalledAtEnd, NotCounted, call_with_next_step
from ipyflops.torch_private import UnwrappedMode

#: The counts that go on in this context: another asyncio task on the same loop has others.
COUNTING: ContextVar[tuple[object, ...]] = ContextVar("ipyflops_counting", default=())


class _AtEnd(threading.local):
    """Takes modes off the stack of a thread when it ends; there once a counter stepped in."""

    leaves: CalledAtEnd | None = None


_AT_END = _AtEnd()


class Block:
    """One ``with`` statement of a counter, from its beginning to its end."""

    def __init__(self, counter: CountedBlocks) -> None:
        self.counter = counter
        self.thread = THREAD.token
        self.task = Task()
        #: What this block has put into its context, for the time of it.
        self.count: object | None = None
        self.guard: ref[Any] | None = None
        self.ended = False

    def end(self) -> None:
        """End the block, if it is open, also where an interrupt arrives meanwhile."""
        try:
            self.end_once()
        finally:
            self.end_once()  # does nothing, unless an interrupt has cut the first one short

    def end_once(self) -> None:
        """End the block, if it is open."""
        if not self.ended:
            self.counter.end_block(self)
            self.ended = True
        self.guard = None

    def dropped(self, reference: ref[Any]) -> None:
        """End the block, for an interrupt has come before the first step of `__exit__`."""
        self.end()


class CountedBlocks(UnwrappedMode, Counter):
    """A mode that is entered by ``with``, and follows the program into threads and tasks.

    Nothing is counted up and down. Where the mode belongs follows from the blocks that are open,
    and each step that ends one can be repeated; so an interrupt at any moment leaves nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        #: Those that are open, the latest last.
        self.blocks: list[Block] = []
        #: Stands for all blocks that overlap; None while there is none.
        self.count: object | None = None
        #: The count that each thread takes part in, and the one in which it began. Threads of the
        #: autograd engine take part without either.
        self._parts: dict[Token, object] = {}
        self._began: dict[Token, object] = {}
        self.not_counted = NotCounted()
        self._error = ""

    # --- what the counter does -----------------------------------------------------------------

    def _begin_count(self, frame: FrameType) -> None:
        """Begin to count, or go on; `frame` holds the ``with`` statement."""
        raise NotImplementedError

    def _begin_thread(self) -> None:
        """Begin to count what this thread runs."""
        raise NotImplementedError

    def _end_thread(self, frame: FrameType) -> None:
        """End to count what this thread runs, while others go on; `frame` is its innermost."""
        raise NotImplementedError

    def _end_count(self, frames: Iterable[FrameType]) -> None:
        """End the count, for now; may be called twice, or where it has hardly begun.

        `frames` are the innermost ones of the threads that took part and have not ended.
        """
        raise NotImplementedError

    def _take_problem(self) -> Exception | None:
        """Return what is wrong with a count that has ended, once."""
        raise NotImplementedError

    # --- the block -----------------------------------------------------------------------------

    def __enter__(self) -> Any:
        block = Block(self)
        try:
            self._begin_block(block, sys._getframe(1))
        except BaseException:
            try:
                block.end()
            finally:
                block.end()  # an interrupt may come before the first step
            raise
        return self

    @held
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
        *,
        block: Block | None = None,
    ) -> None:
        if block is None:
            block = self._block_that_ends()
        if block is None or block.ended:
            return  # to leave a block twice does no harm
        if exc_type is not None:
            self._error = exc_type.__name__
        try:
            block.end()
        finally:
            block.end()  # an interrupt may come before the first step
        problem = self._take_problem() if self.count is None else None
        if exc_type is not None:
            self._error = _described(exc_type, exc_val)
        elif problem is not None:
            raise problem

    def _begin_block(self, block: Block, frame: FrameType) -> None:
        with OPEN.lock:
            if not self.blocks:
                for threads in (self._parts, self._began):
                    for ended in [one for one in threads if not one.is_alive()]:
                        del threads[ended]
                self.count = object()
                self.not_counted = NotCounted()
                self.not_counted.begin()
            self.blocks.append(block)
            self._begin_count(frame)
            OPEN.add(self)
            if self.count not in COUNTING.get():
                block.count = self.count
            self._count_here()
        ended_by_with(self, block)

    def end_block(self, block: Block) -> None:
        """End a block, wherever it began; may be called again."""
        with OPEN.lock:
            self.blocks = [one for one in self.blocks if one is not block]
            if not self.blocks:
                self.count = None
                OPEN.remove(self)
            # Nor does any other count stay that has ended, as one that ended in another thread.
            goes_on = {count for count in COUNTING.get() if OPEN.has(count)} - {block.count}
            COUNTING.set(tuple(count for count in COUNTING.get() if count in goes_on))
            OPEN.settle_thread()
            block.task.forget()
            frame = sys._getframe(1)
            if not self.blocks:
                self._end_count(self._frames(frame))
                self.not_counted.forget()
            elif not self.belongs_here():
                self._end_thread(frame)

    def _frames(self, frame: FrameType) -> list[FrameType]:
        """The innermost frame of this thread, and of each other one if others took part."""
        if all(thread is THREAD.token or not thread.is_alive() for thread in self._parts):
            return [frame]
        others = frames_of_threads()
        others.pop(get_ident(), None)
        return [frame, *others.values()]

    def cut_short(self, reason: str) -> None:
        """End all blocks of it, wherever they are; the report says why."""
        self._error = reason
        for block in self.blocks:
            block.end()

    def _block_that_ends(self) -> Block | None:
        """The open block that an `__exit__` in this thread and task is most likely for."""
        here = [one for one in self.blocks if one.thread is THREAD.token]
        of_task = [one for one in here if one.task.runs()]
        return next((blocks[-1] for blocks in (of_task, here, self.blocks) if blocks), None)

    # --- where it counts -----------------------------------------------------------------------

    def step_into_thread(self) -> None:
        """Count what this thread runs, which has just begun."""
        with OPEN.lock:
            if self.count is None:
                return  # it has ended in this moment
            self.not_counted.thread_begins()
            self._began[THREAD.token] = self.count
            if _AT_END.leaves is None:
                _AT_END.leaves = CalledAtEnd(OPEN.thread_ends)
            self._count_here()

    def _count_here(self) -> None:
        if self.count not in COUNTING.get():
            COUNTING.set((*COUNTING.get(), self.count))
        if self._parts.get(THREAD.token) is not self.count:
            self._parts[THREAD.token] = self.count
            self._begin_thread()
        stack.enter(self, elsewhere=OPEN.is_open_elsewhere())

    def belongs_here(self) -> bool:
        """Whether operators that this thread runs are to pass through the mode."""
        thread = THREAD.token
        if self.count is None or self._parts.get(thread) is not self.count:
            return False
        if self._began.get(thread) is self.count:
            return True
        return any(one.thread is thread for one in self.blocks)

    def is_open_elsewhere(self) -> bool:
        """Whether another thread has a block of it open."""
        return any(one.thread is not THREAD.token for one in self.blocks)

    def counts_now(self) -> bool:
        """Whether what this thread runs now is counted."""
        if not stack.contains(self):
            return False
        return self.count in COUNTING.get() or self.counts_unknown_context()

    def counts_unknown_context(self) -> bool:
        """Whether an operator is counted that runs in a context that does not know of the count."""
        if THREAD.token not in self._parts:
            self.not_counted.engine_worked = True  # for it is a thread of the autograd engine
            return self.count is not None
        if not self.belongs_here():
            call_with_next_step(OPEN.settle_thread)
            return False
        own = [block for block in self.blocks if block.thread is THREAD.token]
        if any(block.task.runs() for block in own):
            return True
        if not own and all(block.task.is_alone() for block in self.blocks):
            return True
        self.not_counted.calls += 1
        return False


def _described(kind: type[BaseException], error: BaseException | None) -> str:
    """An error in one line; only its type where it fails to say what it is."""
    try:
        text = str(error).strip()
    except Exception:
        text = ""
    return f"{kind.__name__}: {text}" if text else kind.__name__
