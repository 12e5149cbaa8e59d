"""What the front end that will show a report can do, as well as that can be known.

A kernel does not hear what its front end can draw. What it does hear is the message that asked for
the cell to run: browsers and VS Code say in it which cell that was, programs that only execute a
notebook (nbclient, papermill, nbconvert) do not. Those would keep the state of a widget in the
file, and then show the widget, which needs the network, in the place of the HTML.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ipyflops.cells import part_of, running_shell


@dataclass(frozen=True, slots=True)
class CellRun:
    """A run of a cell.

    Attributes
    ----------
    name : str
        What the front end knows the cell by; empty where it does not say, and outside of notebooks.
    run : str
        Another text for each run of the cell; empty where the cell has no name.
    """

    name: str = ""
    run: str = ""


def shows_widgets(shell: Any = None) -> bool:
    """Whether a person sits before a notebook that is likely to show widgets.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell, optional
        The running one where it is left out.
    """
    # Voila runs the notebook as nbclient does, and shows it with a living kernel.
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
        return True
    # Colab shows other people's widgets only with a manager from the network.
    return running_cell(shell).name != "" and "google.colab" not in sys.modules


def running_cell(shell: Any = None) -> CellRun:
    """Give the cell that a front end has asked to run.

    JupyterLab, Notebook 7 and VS Code say which one it is (``cellId``), and do so at each run.
    nbclient, papermill, classic notebooks, consoles and the messages of widgets do not.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell, optional
        The running one where it is left out.
    """
    get_parent = part_of(shell or running_shell(), "kernel.get_parent")
    if get_parent is None:
        return CellRun()
    try:
        message = get_parent("shell")
        name = message["metadata"].get("cellId")
        return CellRun(str(name), str(message["header"]["msg_id"])) if name else CellRun()
    except Exception:  # other kernels have other messages, or none
        return CellRun()


def preferred_view() -> str:
    """The view that ``%config FlopsMagics.view`` names; ``auto`` without the magics.

    In ``display(report, display_id=True)`` it is HTML in the place of a widget: an output that has
    a name can be replaced by one other output, and a widget comes with a second one.
    """
    registry = part_of(running_shell(), "magics_manager.registry") or {}
    view = str(getattr(registry.get("FlopsMagics"), "view", "auto"))
    return "html" if view in {"auto", "widget"} and _is_displayed_by_name() else view


def _is_displayed_by_name() -> bool:
    """Whether IPython's ``display`` asks now, and was given a name for the output.

    It tells that to nobody; the frame of the function knows.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "display" and "IPython" in frame.f_code.co_filename:
            return "display_id" in (frame.f_locals.get("transient") or ())
        frame = frame.f_back
    return False


def publisher() -> Callable[..., object] | None:
    """Give what shows a bundle as an output of the cell that is running; None where nothing does.

    It takes ``data`` and ``metadata``, as ``publish`` of a shell's ``display_pub``.
    """
    publish: Callable[..., object] | None = part_of(running_shell(), "display_pub.publish")
    return publish
