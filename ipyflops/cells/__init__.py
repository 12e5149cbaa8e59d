"""How does IPython run a cell?

Where a magic stands, how its code is compiled and run once, and which traceback an error has.
"""

from __future__ import annotations

# `running` is not here: it imports IPython, and a script that counts need not wait for that.
from ipyflops.cells.code_files import (
    PYTORCH_FOLDER,
    is_installed,
    is_the_users,
    library_of,
    package_of,
    readable_name,
)
from ipyflops.cells.garbage import uncollected
from ipyflops.cells.origin import Origin, Shell
from ipyflops.cells.shell import part_of, running_shell
from ipyflops.cells.source_lines import source_lines
from ipyflops.cells.variables import variables_used

__all__ = [
    "PYTORCH_FOLDER",
    "Origin",
    "Shell",
    "is_installed",
    "is_the_users",
    "library_of",
    "package_of",
    "part_of",
    "readable_name",
    "running_shell",
    "source_lines",
    "uncollected",
    "variables_used",
]
