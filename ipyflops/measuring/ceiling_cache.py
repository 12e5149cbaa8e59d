"""Remembers measured ceilings: in the process, and in a file for the next one.

The file is only a convenience. One that is damaged, or cannot be read or written, is as good as
none.
"""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from ipyflops.measuring.cache_folder import cache_folder
from ipyflops.report.files import written_whole

FILE = "peaks.json"
_known: dict[str, float] = {}


def recall(key: str) -> float | None:
    """What was measured under a key; None where nothing was."""
    if key not in _known:
        found = _read(cache_folder() / FILE).get(key)
        if found is None:
            return None
        _known[key] = found
    return _known[key]


def remember(key: str, value: float) -> None:
    """Keep what was measured."""
    _known[key] = value
    path = cache_folder() / FILE
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {**_read(path), key: value}
        # Another process may be reading the file.
        with written_whole(path) as file:
            json.dump(values, file, indent=1, sort_keys=True)


def _read(path: Path) -> dict[str, float]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {
        key: float(value)
        for key, value in data.items()
        if type(value) in (int, float) and 0 < value < math.inf
    }
