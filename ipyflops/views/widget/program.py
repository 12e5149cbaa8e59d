"""What the browser runs and how it looks: a model of its own, which a kernel sends once.

A view brings only `static/loader.js`, of 2 kB. That asks for this model, by the reference that the
view has to it, as to any widget inside another. So a page, or a saved notebook, has the program
once however many views there are.
"""

from __future__ import annotations

import threading

import ipywidgets
import traitlets

from ipyflops.views.widget import static_files


class Program(ipywidgets.Widget):  # type: ignore[misc]  # ipywidgets has no types
    """The program and the style sheet of all views of a kernel; it shows nothing itself."""

    code = traitlets.Unicode().tag(sync=True)
    style = traitlets.Unicode().tag(sync=True)


class SharedProgram:
    """The `Program` that the views of this process share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._program: Program | None = None

    def get(self) -> Program:
        """Give the program; it is sent when it is asked for the first time.

        After ``Widget.close_all`` it is sent again.
        """
        with self._lock:
            if self._program is None or self._program.comm is None:
                self._program = Program(code=static_files.program(), style=static_files.style())
            return self._program

    def reset(self) -> None:
        """Let the next view send the program again; those that are open keep the one they have."""
        with self._lock:
            self._program = None


#: The one of this process.
SHARED_PROGRAM = SharedProgram()
