"""Takes out of an error's traceback what is there only because the code was counted.

Python 3.10 gives a re-raised error its first traceback back, so there it stays as it was.
"""

from __future__ import annotations

import linecache
from collections.abc import Collection, Iterator
from types import CodeType, TracebackType

from ipyflops.cells.code_files import package_of
from ipyflops.torch_private import OPERATORS_MODULE


def trim(error: BaseException, start: Collection[CodeType]) -> None:
    """Make an error's traceback what it would be without counting.

    It then begins in the code that was counted, and has no frame of ours or of the way through the
    dispatcher. Errors that this one was raised from, or while handling, are trimmed likewise.
    Where the innermost frame is ours, the error is ours too, and its traceback stays whole.

    Parameters
    ----------
    error : BaseException
    start : collection of code
        What was run; the frames around it are dropped.
    """
    for one in _chain(error):
        frames = list(_frames(one.__traceback__))
        # An interrupt may hit any code, ours too, and is no fault of it.
        if not frames or (isinstance(one, Exception) and _is_our_fault(frames[-1])):
            continue
        first = next(
            (index for index, frame in enumerate(frames) if frame.tb_frame.f_code in start), 0
        )
        kept = [frame for frame, added in _marked(frames[first:]) if not added]
        for frame, following in zip(kept, [*kept[1:], None], strict=True):
            frame.tb_next = following
        one.__traceback__ = kept[0] if kept else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that it was raised from or while handling."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _marked(frames: list[TracebackType]) -> Iterator[tuple[TracebackType, bool]]:
    """Each frame, and whether the counting added it."""
    behind_ours = False
    for frame in frames:
        # The counter calls an operator by its Python object, torch itself does it without.
        added = _is_ours(frame) or (behind_ours and _module(frame) == OPERATORS_MODULE)
        yield frame, added
        behind_ours = added


def _is_ours(frame: TracebackType) -> bool:
    return package_of(frame.tb_frame) == "ipyflops"


def _is_our_fault(innermost: TracebackType) -> bool:
    """Whether an error was raised in our code, and not by an operator that it has passed on."""
    code = innermost.tb_frame.f_code
    line = linecache.getline(code.co_filename, innermost.tb_lineno)
    passed_on = code.co_name == "__torch_dispatch__" and "run(*args, **kwargs)" in line
    return _is_ours(innermost) and not passed_on


def _module(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__", ""))
