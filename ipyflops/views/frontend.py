"""What the front end that will show a report can do, as well as that can be known.

A kernel does not hear what its front end can draw. What it does hear is the message that asked for
the cell to run: browsers and VS Code say in it which cell that was, programs that only execute a
notebook (nbclient, papermill, nbconvert) do not. Those would keep the state of a widget in the
file, and then show the widget, which needs the network, in the place of the HTML.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def shows_widgets(shell: Any = None) -> bool:
    """Whether a person sits before a notebook that is likely to show widgets.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell, optional
        The running one where it is left out.
    """
    shell = shell or _running_shell()
    kernel = getattr(shell, "kernel", None)
    # Colab shows other people's widgets only with a manager from the network.
    if kernel is None or "google.colab" in sys.modules:
        return False
    try:
        parent = kernel.get_parent("shell")
    except Exception:
        return False
    metadata = parent.get("metadata") if isinstance(parent, Mapping) else None
    return isinstance(metadata, Mapping) and "cellId" in metadata


def preferred_view() -> str:
    """The view that ``%config FlopsMagics.view`` names; ``auto`` without the magics."""
    magics = getattr(_running_shell(), "magics_manager", None)
    flops_magics = getattr(magics, "registry", {}).get("FlopsMagics")
    return str(getattr(flops_magics, "view", "auto"))


def publish(bundle: Mapping[str, Any]) -> None:
    """Show a bundle as an output of the cell that is running."""
    _running_shell().display_pub.publish(data=dict(bundle), metadata={})


def _running_shell() -> Any:
    # Without IPython nothing of it is imported.
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()
