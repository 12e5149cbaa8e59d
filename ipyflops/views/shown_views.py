"""Which widgets stand in which cell, so that those of a cell close when it runs again.

ipywidgets keeps every widget, and what it holds, until it is closed. Whoever runs a cell sees its
old outputs go; the widgets in them, and their reports, would stay for as long as the kernel lives,
and in every notebook that is saved with the state of its widgets.

Only the widgets that a cell shows by itself are listed here, those of the magics and of a report
that is displayed. One that the user has made is the user's to close, as any widget is.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ipyflops.cells import part_of, running_shell
from ipyflops.views.chart_import import import_when_idle
from ipyflops.views.frontend import running_cell

#: So many widgets a run of a cell has at most; the oldest closes, and its HTML takes its place.
#: It is what bounds a loop that shows a report a thousand times, and all cells together of a
#: program that does not say which cell runs.
MAX_VIEWS = 20


@dataclass
class _Cell:
    """The widgets of the last run of a cell, the oldest first; ipywidgets keeps them alive."""

    run: str
    views: list[weakref.ref[Any]] = field(default_factory=list)


class ShownViews:
    """The widgets that the cells of a process show."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[str, _Cell] = {}
        self._shell: Any = None

    def add(self, view: Any) -> None:
        """List a widget that the running cell is about to show.

        Parameters
        ----------
        view : ipywidgets.Widget
        """
        cell = running_cell()
        with self._lock:
            old = self._of_other_runs(cell.name, cell.run)
            views = self._cells.setdefault(cell.name, _Cell(cell.run)).views
            views.append(weakref.ref(view))
            old += views[:-MAX_VIEWS]
            del views[:-MAX_VIEWS]
            self._listen()
        _close(old)
        import_when_idle()  # for its chart

    def reset(self) -> None:
        """Close all that are listed."""
        with self._lock:
            old = [view for cell in self._cells.values() for view in cell.views]
            self._cells.clear()
            self._stop_listening()
        _close(old)

    def _cell_starts(self, _: object = None) -> None:
        """Close what earlier runs of a cell have shown, before it runs again."""
        cell = running_cell()
        with self._lock:
            old = self._of_other_runs(cell.name, cell.run)
            if not self._cells:
                self._stop_listening()
        _close(old)

    def _of_other_runs(self, name: str, run: str) -> list[weakref.ref[Any]]:
        """Take the widgets of a cell's other runs out of the list."""
        # Code that a cell runs by itself, as %run does, belongs to the same run.
        if name not in self._cells or self._cells[name].run == run:
            return []
        return self._cells.pop(name).views

    def _listen(self) -> None:
        shell = running_shell()
        if shell is not self._shell:
            self._stop_listening()
            self._shell = shell
        if shell is not None:
            register = part_of(shell, "events.register")
            if register is not None:
                register("pre_run_cell", self._cell_starts)  # once, however often asked

    def _stop_listening(self) -> None:
        unregister = part_of(self._shell, "events.unregister")
        if unregister is not None:
            with suppress(ValueError):  # somebody else has taken it out
                unregister("pre_run_cell", self._cell_starts)
        self._shell = None


def _close(views: Iterable[weakref.ref[Any]]) -> None:
    for reference in views:
        view = reference()
        if view is not None:
            # A front end that is gone cannot be told; that is no error of the cell that starts.
            with suppress(Exception):
                view.close()


#: Those of this process.
SHOWN_VIEWS = ShownViews()
