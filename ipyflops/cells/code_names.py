"""What a reader calls a file of code: a cell of a notebook by its number."""

from __future__ import annotations

import os
import sys


def readable_name(filename: str) -> str:
    """Give ``In[5]`` for the code of a cell that IPython compiled, else the name of the file.

    Parameters
    ----------
    filename : str
        As code objects have it.
    """
    # Where IPython has not been imported, there is no cell; importing it here would be slow.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        # IPython's own tracebacks name cells by this.
        label = shell.compile.format_code_name(filename)
        if label:
            return str(label[1])
    return os.path.basename(filename) or filename
