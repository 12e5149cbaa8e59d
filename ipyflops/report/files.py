"""Files that appear only once they are whole, and files of strangers that are read."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file to write UTF-8 into; what is there already stays if the writing fails.

    A new file has the rights that ``open(path, "w")`` would give it. One that is replaced keeps
    its own, and its owner where that is allowed. Where a link leads is written. What UTF-8 cannot
    hold (half of a surrogate pair, as in the name of a broken file) is written as ``?``.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    file
        A text file in the same folder, which takes the place of `path` at the end of the block.

    Raises
    ------
    OSError
        If it cannot be written, or if there is something that is no regular file: a device or a
        pipe is never replaced.
    """
    target = Path(os.path.realpath(path))
    before = _regular_file(target, path)
    # A name of its own: with the target's in it, it may be too long for the file system.
    temporary = target.with_name(f".ipyflops-{uuid.uuid4().hex}.part")
    try:
        # Not `tempfile`: its files are for their owner only, whatever the process's mask says.
        file = temporary.open("x", encoding="utf-8", errors="replace")
    except OSError as error:
        # The reader knows the file that was asked for.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with file:
            if before is not None:
                # Before anything is in it that others may not read.
                _take_over(temporary, before)
            yield file
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise


def _regular_file(target: Path, asked: str | os.PathLike[str]) -> os.stat_result | None:
    """What the system knows of a file; None if there is none."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(asked))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(asked))
    return found


def _take_over(file: Path, before: os.stat_result) -> None:
    """Set the owner and the rights of a file to those of the one that it will replace."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # few may give files away
            os.chown(file, before.st_uid, before.st_gid)
    file.chmod(stat.S_IMODE(before.st_mode))


def read_bounded(path: str | os.PathLike[str], most: int) -> bytes | None:
    """Read a regular file of at most so many bytes; None if it has more.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file: a device has no end, and a pipe may never
        begin.
    """
    _regular_file(Path(path), path)
    with open(path, "rb", opener=_without_waiting) as file:
        # Another file may have come to its place meanwhile.
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        data = file.read(most + 1)
    return data if len(data) <= most else None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
