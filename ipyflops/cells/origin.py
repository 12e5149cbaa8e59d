"""Where a magic stands: the number of its cell and the line that it is on.

IPython gives a magic only the magic's own text. The compiled code still needs the line numbers of
the cell, so that a traceback, a breakpoint and the report's lines point into the cell.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias

from ipyflops.cells.code_files import package_of, readable_name
from ipyflops.cells.old_ipython import WRAPPER_OF_MAGICS

#: IPython's InteractiveShell. Some versions of it have types, others have not.
Shell: TypeAlias = Any


@dataclass(frozen=True)
class Origin:
    """Where the code of a magic comes from.

    Attributes
    ----------
    number : int
        Of the cell, as in ``In[5]``.
    above : tuple of str
        The lines of the cell above the code.
    raw : str
        What the user typed, which names the code in a debugger.
    within_line : bool
        Whether it stands on a line of a cell, behind a line magic.
    """

    number: int
    above: tuple[str, ...]
    raw: str
    within_line: bool = False

    @property
    def padding(self) -> str:
        """Comments with the lines above, which move the code down to its own line.

        They make the line of the magic readable in a traceback.
        """
        return "".join(
            f"# {line}\n" if line and line.isprintable() else "\n" for line in self.above
        )


def of_cell(shell: Shell, line: str, body: str) -> Origin:
    """Find the origin of a cell magic's body.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    line : str
        What stands behind ``%%flops``.
    body : str
        What stands below it.
    """
    raw = _raw_cell(shell)
    typed = raw if raw.endswith("\n") else f"{raw}\n"
    head = typed.removesuffix(body)
    if head != typed and head.endswith("\n") and head.lstrip().startswith("%%"):
        return Origin(_number(shell), tuple(head[:-1].split("\n")), raw)
    # Called from code, or pasted together with prompts: treated as a cell of its own.
    head = f"%%flops {line}".rstrip()
    return Origin(_number(shell), (head,), f"{head}\n{body}")


def of_line(shell: Shell, line: str) -> Origin:
    """Find the origin of a line magic.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    line : str
        What stands behind ``%flops``.
    """
    raw = f"%flops {line}"
    if raw.strip() == _raw_cell(shell).strip():
        raw += "  # the code"  # another name than the cell's, whose source is shown as well
    frame = _caller()
    if frame is not None and _cell_of(shell, frame) is not None:
        return Origin(_number(shell), ("",) * (frame.f_lineno - 1), raw, within_line=True)
    return Origin(_number(shell), (), raw)


def _number(shell: Shell) -> int:
    frame = _caller()
    number = _cell_of(shell, frame) if frame is not None else None
    if number is None:
        # Recent versions of IPython raise execution_count before the cell runs, older ones
        # afterwards. The result object has the right number in all versions.
        number = getattr(shell.displayhook.exec_result, "execution_count", None)
    return int(shell.execution_count if number is None else number)


def _cell_of(shell: Shell, frame: FrameType) -> int | None:
    """The number of the cell that a frame's code belongs to."""
    match = re.fullmatch(r"In\[(\d+)\]", readable_name(frame.f_code.co_filename, shell))
    return int(match[1]) if match else None


def _raw_cell(shell: Shell) -> str:
    info = getattr(shell.displayhook.exec_result, "info", None)
    return str(getattr(info, "raw_cell", None) or "")


def _caller() -> FrameType | None:
    """The frame that called the magic: the first that is not in IPython or ipyflops."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if package_of(frame) not in ("IPython", "ipyflops", WRAPPER_OF_MAGICS):
            return frame
        frame = frame.f_back
    return None
