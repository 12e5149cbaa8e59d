"""Files that appear, or are replaced, only once they are whole."""

from __future__ import annotations

import contextlib
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
    its own.

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
        If it cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    # Not `tempfile`: its files are for their owner only, whatever the process's mask says.
    file = temporary.open("x", encoding="utf-8")
    try:
        with file:
            # Before anything is in it that others may not read.
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise
