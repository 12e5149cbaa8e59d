"""Remembers measured ceilings: in the process, and in a file for the next one.

The file is only a convenience. A file that is damaged, or cannot be read or written, counts as
empty.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from ipyflops.report import MAX_NUMBER, read_bounded, written_whole

FILE = "peaks.json"
#: A larger file is not ours: each peak takes some 100.
MAX_BYTES = 1_000_000


class CeilingCache:
    """Ceilings by what they were measured on, in memory and in a file of the cache folder."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def recall(self, key: str) -> float | None:
        """Return what was measured under a key; None if nothing was."""
        if key not in self._values:
            value = _read(cache_folder() / FILE).get(key)
            if value is None:
                return None
            self._values[key] = value
        return self._values[key]

    def remember(self, key: str, value: float) -> None:
        """Keep what was measured, also in the file."""
        self._values[key] = value
        path = cache_folder() / FILE
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            values = {**_read(path), key: value}
            # The file is replaced at once, because another process may be reading it.
            with written_whole(path) as file:
                json.dump(values, file, indent=1, sort_keys=True)

    def reset(self) -> None:
        """Forget what is in memory, as in a new process; the file stays."""
        self._values.clear()


#: Of this process.
CACHE = CeilingCache()


def _read(path: Path) -> dict[str, float]:
    try:
        data = json.loads(read_bounded(path, MAX_BYTES) or b"")
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {
        key: float(value)
        for key, value in data.items()
        # Others cannot have been measured. A whole number may be too large for a float.
        if type(value) in (int, float) and 1 <= value < MAX_NUMBER
    }


# --- where the file is ---------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the platform's folder for files that can be made again; it need not exist yet.

    ``$XDG_CACHE_HOME`` or ``~/.cache`` on Linux, ``~/Library/Caches`` on macOS and
    ``%LOCALAPPDATA%`` on Windows, ``ipyflops`` in each.
    """
    if sys.platform == "win32":
        return _folder_from("LOCALAPPDATA", Path("~/AppData/Local")) / "ipyflops" / "Cache"
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser() / "ipyflops"
    return _folder_from("XDG_CACHE_HOME", Path("~/.cache")) / "ipyflops"


def _folder_from(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, ""))
    # The XDG specification says that relative paths are to be ignored.
    return folder if folder.is_absolute() else default.expanduser()
