"""Executes one notebook with nbclient: the program that `tests.notebooks.execution` starts.

It is run as a script by whichever Python the notebook is tried with, so it imports nothing of the
tests. The executed notebook goes to the second path; the first is not touched.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

CELL_TIMEOUT = 240


def main(source: str, target: str) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(Path(source).resolve().parent)}},
        store_widget_state=False,
    )
    try:
        client.execute()
    finally:
        # Kilobytes on Linux: of the largest of all processes that the notebook started.
        notebook.metadata["peak_kilobytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        nbformat.write(notebook, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
