"""IPython's shell, as far as there is one.

``get_ipython()`` need not give a whole shell. There may be no IPython at all. Solara puts an object
there that has a kernel and little else; consoles of editors have had others. So what is not asked
for by a magic, which has a shell, asks here: it names the part that it needs, and does without
where there is none.
"""

from __future__ import annotations

import sys
from typing import Any


def running_shell() -> Any:
    """Give what ``get_ipython()`` gives; None where that is nothing, or fails."""
    # Where IPython has not been imported there is no shell; importing it here would be slow.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    try:
        return get_ipython() if get_ipython is not None else None
    except Exception:
        return None


def part_of(shell: Any, path: str) -> Any:
    """Give a part of a shell; None where the shell lacks it.

    Parameters
    ----------
    shell : object or None
    path : str
        As ``"display_pub.publish"``.

    Examples
    --------
    >>> part_of(None, "display_pub.publish") is None
    True
    >>> part_of(3 + 4j, "real")
    3.0
    """
    part = shell
    for name in path.split("."):
        try:
            part = getattr(part, name)
        except Exception:  # a property may fail in any way
            return None
    return part
