"""Whose a file of code is, and what a reader calls it.

Files are named here as code objects name them (``co_filename``).
"""

from __future__ import annotations

import os
import site
import sysconfig
from functools import cache, lru_cache
from types import FrameType
from typing import Any

import torch

from ipyflops.cells import old_ipython
from ipyflops.cells.shell import part_of, running_shell

#: The folders of PyTorch and of this package, each with a separator at its end.
PYTORCH_FOLDER = os.path.join(os.path.dirname(torch.__file__), "")
OWN_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
#: The last is what PyTorch calls the code that it generates of a graph.
_NOT_THE_USERS = (PYTORCH_FOLDER, OWN_FOLDER, "<eval_with_key>")


def readable_name(filename: str, shell: Any = None) -> str:
    """Give ``In[5]`` for the code of a cell that IPython compiled, else the name of the file.

    Parameters
    ----------
    filename : str
    shell : IPython.core.interactiveshell.InteractiveShell, optional
        Which has compiled the cell; the running one by default.
    """
    shell = shell or running_shell()
    # IPython's own tracebacks name cells by this.
    named = part_of(shell, "compile.format_code_name")
    label = None
    if callable(named):
        label = named(filename)
    elif shell is not None:
        label = old_ipython.format_code_name(shell, filename)
    if label:
        return str(label[1])
    return os.path.basename(filename) or filename


def is_the_users(filename: str) -> bool:
    """Whether code is neither PyTorch's nor this package's. Other packages count as the user's."""
    return not filename.startswith(_NOT_THE_USERS)


def is_installed(filename: str) -> bool:
    """Whether a file lies where packages are installed, and is not one that the user works on."""
    return os.path.abspath(filename).startswith(_installed_folders())


def package_of(frame: FrameType) -> str:
    """Give the name of the top package that a frame's code belongs to, as ``torch``."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@lru_cache(maxsize=4096)
def library_of(filename: str) -> str | None:
    """Give the package that a file belongs to, as ``torch``; None for a file of the user's.

    Empty for what is nobody's library: Python's own modules, this package, generated code.
    """
    if filename.startswith((OWN_FOLDER, "<eval_with_key>", "<frozen ")):
        return ""
    path = os.path.abspath(filename)
    if path.startswith(PYTORCH_FOLDER):
        return "torch"
    # Where packages are installed often lies inside of Python's own folder.
    folder = max((one for one in _installed_folders() if path.startswith(one)), key=len, default="")
    if not folder:
        return None
    if folder in _folders_of_python():
        return ""
    return path[len(folder) :].partition(os.sep)[0].removesuffix(".py")


@cache
def _folders_of_python() -> frozenset[str]:
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    return frozenset(os.path.join(os.path.abspath(path), "") for path in paths if path)


@cache
def _installed_folders() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    # These may lie elsewhere: PyTorch built from source, this package in a checkout.
    paths |= {PYTORCH_FOLDER, OWN_FOLDER}
    return tuple(os.path.join(os.path.abspath(path), "") for path in paths if path)
