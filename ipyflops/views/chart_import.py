"""matplotlib is imported once a widget is on its way, as soon as the kernel has nothing to do.

The page first draws its table, and then asks for a chart. Without this the import would begin only
then. It does not happen in a thread while the cell runs: Python runs one thread at a time, so each
operator would wait for the import, and the kernel times of the first report would be three times
too long. Nor may it happen in a subshell's thread, where requests of a page are answered beside the
next cell.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import suppress

#: Seconds after which it begins: what the cell has sent is in the page by then.
WAIT = 0.05
#: What draws the charts of a widget. It imports no pyplot, so no backend is chosen.
DRAWS = "ipyflops.views.widget.chart_image"


def import_when_idle() -> bool:
    """Import what draws the charts when the event loop of this thread is next free.

    Returns
    -------
    bool
        Whether it will happen: not where it has been imported, nor without an event loop, as in a
        plain script. It is imported with the first chart then.
    """
    if DRAWS in sys.modules:
        return False
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    loop.call_later(WAIT, _import)
    return True


def _import() -> None:
    # Whoever asks for a chart is told what is wrong with matplotlib.
    with suppress(Exception):
        importlib.import_module(DRAWS)
