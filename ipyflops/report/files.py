"""Files that appear, or are replaced, only once they are whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file to write UTF-8 into; what is there already stays if the writing fails.

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
    descriptor, temporary = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.name}.", suffix=".part"
    )
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
        # mkstemp makes a file that only its owner may read; give it the rights of a plain one.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
