"""Keeps a report from being shown twice where ``-o`` makes it the result of its cell.

The magic shows the report, and IPython shows the value of a cell's last line.
"""

from __future__ import annotations

import sys
import weakref
from types import FrameType

from ipyflops.cells import Shell
from ipyflops.report import Report


class ShownResults:
    """What the magic has shown last and given as its result.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._report: weakref.ref[Report] | None = None
        self._cell: weakref.ref[object] | None = None

    def remember(self, report: Report) -> None:
        """Note that a report was shown in the cell that runs."""
        cell = self._shell.displayhook.exec_result
        self._report = weakref.ref(report)
        self._cell = None if cell is None else weakref.ref(cell)

    def is_repetition(self, report: Report) -> bool:
        """Whether IPython is about to show that report once more, as the value of that cell."""
        if self._report is None or self._cell is None or self._report() is not report:
            return False
        return self._cell() is self._shell.displayhook.exec_result and self._is_value()

    def _is_value(self) -> bool:
        """Whether IPython shows the value of a cell; else somebody has asked for it."""
        hook = self._shell.displayhook
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == "__call__" and frame.f_locals.get("self") is hook:
                return True
            frame = frame.f_back
        return False
