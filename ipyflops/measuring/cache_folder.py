"""Where a platform wants programs to keep what they can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder for our files; it need not exist yet.

    ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux, ``~/Library/Caches`` on macOS and
    ``%LOCALAPPDATA%`` on Windows, ``ipyflops`` in each.
    """
    if sys.platform == "win32":
        return _named("LOCALAPPDATA", Path("~/AppData/Local")) / "ipyflops" / "Cache"
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser() / "ipyflops"
    return _named("XDG_CACHE_HOME", Path("~/.cache")) / "ipyflops"


def _named(variable: str, otherwise: Path) -> Path:
    folder = Path(os.environ.get(variable, ""))
    # The XDG specification has relative paths ignored.
    return folder if folder.is_absolute() else otherwise.expanduser()
