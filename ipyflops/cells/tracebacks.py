"""Removes the frames from an error's traceback that are there only because the code was counted.

On Python 3.10 the frames come back: raising an error again restores its first traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from traceback import format_exception
from types import CodeType, TracebackType
from typing import Any

from IPython import get_ipython

from ipyflops.cells.code_files import package_of
from ipyflops.cells.shell import part_of
from ipyflops.cells.source_lines import source_lines
from ipyflops.torch_private import OPERATORS_MODULE

#: What IPython asks an error for, to show it.
RENDERER = "_render_traceback_"


def trim(error: BaseException, start: Collection[CodeType], *, within_line: bool = False) -> None:
    """Make an error's traceback what it would be without counting.

    The traceback then begins in the code that was counted. Frames of ipyflops, and those through
    which it calls an operator, are removed. The same is done to the errors that this one was raised
    from, or while handling. If the innermost frame is one of ipyflops, so is the error, and its
    traceback stays whole.

    Parameters
    ----------
    error : BaseException
    start : collection of code
        The code that was run. The frames around it are removed.
    within_line : bool
        Whether the code stands on a line that is a frame of its own. One frame of the line is
        enough then, unless the error is raised there.
    """
    for one in _chain(error):
        frames = list(_frames(one.__traceback__))
        # An interrupt may happen in any code, also in ipyflops, without an error there.
        if not frames or (isinstance(one, Exception) and _is_our_fault(frames[-1])):
            continue
        first = next(
            (index for index, frame in enumerate(frames) if frame.tb_frame.f_code in start), 0
        )
        kept = [frame for frame, added in _marked(frames[first:]) if not added]
        if within_line and one is error and len(kept) > 1 and kept[0].tb_frame.f_code in start:
            del kept[0]
        for frame, following in zip(kept, [*kept[1:], None], strict=True):
            frame.tb_next = following
        one.__traceback__ = kept[0] if kept else None


class CodesTraceback:
    """Shows an error from the code on that raised it, without the magic's call around it.

    Python adds the frames around the code only while the error is on its way, so they cannot be
    removed before. IPython asks an error for its ``_render_traceback_``. This is one that holds
    neither the error nor its frames: what they hold is to be freed with them.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    start : collection of code
        The code that was run.
    """

    def __init__(self, shell: Any, start: Collection[CodeType]) -> None:
        self._shell = shell
        self._start = frozenset(start)

    def __call__(self) -> list[str]:
        """Give the lines of the traceback of the error that is being handled."""
        kind, error, traceback = sys.exc_info()
        first = next(
            (one for one in _frames(traceback) if one.tb_frame.f_code in self._start), None
        )
        # The first frame is IPython's own, as it is for every error.
        offset = None if first is None else 0
        shown = first or traceback
        structured = part_of(self._shell, "InteractiveTB.structured_traceback")
        if structured is None:
            return format_exception(kind, error, shown)
        lines: list[str] = structured(kind, error, shown, tb_offset=offset)
        return lines

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_elsewhere, ()


def _from_elsewhere() -> CodesTraceback:
    """What shows an error that comes from another process, or was copied: all of its frames."""
    return CodesTraceback(get_ipython(), ())


def begin_at_code(error: BaseException, shell: Any, start: Collection[CodeType]) -> None:
    """Have IPython show an error from the code on that raised it."""
    if not hasattr(error, RENDERER):
        with suppress(Exception):  # a class of the user's may allow no such attribute
            setattr(error, RENDERER, CodesTraceback(shell, start))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and the errors that it was raised from or while handling."""
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
        # The counter calls an operator by its Python object, which adds a frame of torch._ops.
        added = _is_ours(frame) or (behind_ours and _module(frame) == OPERATORS_MODULE)
        yield frame, added
        behind_ours = added


def _is_ours(frame: TracebackType) -> bool:
    return package_of(frame.tb_frame) == "ipyflops"


def _is_our_fault(innermost: TracebackType) -> bool:
    """Whether an error was raised by ipyflops itself, not by an operator that it calls."""
    code = innermost.tb_frame.f_code
    if not (_is_ours(innermost) and code.co_name == "__torch_dispatch__"):
        return _is_ours(innermost)
    line = source_lines(code.co_filename)[innermost.tb_lineno - 1 :][:1]
    return not any("run(*args, **kwargs)" in one for one in line)


def _module(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__", ""))
