"""The dry run of a cell under ``--fake``, among the variables of a shell."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from ipyflops.cells import Shell, readable_name, running
from ipyflops.counting import FlopCounter
from ipyflops.dry_runs import DryRun, FileLabels
from ipyflops.report import Report


class CellDryRun:
    """The dry run of a cell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    cell : CompiledCell
    local : mapping, optional
        The variables of the function that a line magic stands in.
    device : str, optional
        A device that the cell finds although it is not there.

    Raises
    ------
    DryRunError
        If something that the cell uses has no fake.
    """

    def __init__(
        self,
        shell: Shell,
        cell: running.CompiledCell,
        local: MutableMapping[str, Any] | None = None,
        *,
        device: str | None = None,
    ) -> None:
        self._shell = shell
        self._cell = cell
        self._dry_run = DryRun(shell.user_ns, device=device)
        self._dry_run.copy_globals(cell.parts, shell.user_ns)
        self._local = local
        if local is not None and local is not shell.user_ns:
            self._local = self._dry_run.copy_locals(cell.parts, local)

    def run(self, counter: FlopCounter) -> None:
        """Run the cell on fake tensors. Its value would be fake too, so it is not given back.

        Raises
        ------
        BaseException
            Whatever the code raises.
        """
        __tracebackhide__ = True
        others = partial(readable_name, shell=self._shell)
        labels = FileLabels(self._cell.filename, self._cell.name, others)
        running.run(self._shell, self._cell, self._dry_run.block(counter, labels), self._local)

    def finish(self, report: Report) -> Report:
        """Add notes to the report that say what a dry run is; frees all fake tensors."""
        self._local = None
        return self._dry_run.finish(report)
