"""What the front end that will show a report can do, as well as that can be known.

A kernel does not hear what its front end can draw. What it does hear is the message that asked for
the cell to run: browsers and VS Code say in it which cell that was, programs that only execute a
notebook (nbclient, papermill, nbconvert) do not. Those would keep the state of a widget in the
file, and then show the widget, which needs the network, in the place of the HTML.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any


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
    kernel = getattr(shell or running_shell(), "kernel", None)
    if kernel is None:
        return CellRun()
    try:
        message = kernel.get_parent("shell")
        name = message["metadata"].get("cellId")
        return CellRun(str(name), str(message["header"]["msg_id"])) if name else CellRun()
    except Exception:  # other kernels have other messages, or none
        return CellRun()


def preferred_view() -> str:
    """The view that ``%config FlopsMagics.view`` names; ``auto`` without the magics.

    In ``display(report, display_id=True)`` it is HTML in the place of a widget: an output that has
    a name can be replaced by one other output, and a widget comes with a second one.
    """
    magics = getattr(running_shell(), "magics_manager", None)
    flops_magics = getattr(magics, "registry", {}).get("FlopsMagics")
    view = str(getattr(flops_magics, "view", "auto"))
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


def publish(bundle: Mapping[str, Any]) -> None:
    """Show a bundle as an output of the cell that is running."""
    running_shell().display_pub.publish(data=dict(bundle), metadata={})


def running_shell() -> Any:
    """Give IPython's shell; None where there is none."""
    # Without IPython nothing of it is imported.
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()
