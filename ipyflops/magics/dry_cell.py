"""A cell under ``--fake``: its dry run, in the variables of a shell."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from typing import Any

from ipyflops.cells import running
from ipyflops.cells.code_files import readable_name
from ipyflops.cells.origin import Shell
from ipyflops.counting.counter import FlopCounter
from ipyflops.dry_runs.errors import Labels
from ipyflops.dry_runs.running import DryRun
from ipyflops.report.report import Report


class DryCell:
    """The dry run of a cell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    cell : CompiledCell
    local : mapping, optional
        The variables of the function that a line magic stands in.

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
    ) -> None:
        self._shell = shell
        self._cell = cell
        self._run = DryRun(shell.user_ns)
        self._run.reach(cell.parts, shell.user_ns)
        self._local = local
        if local is not None and local is not shell.user_ns:
            self._local = self._run.local(cell.parts, local)

    def run(self, counter: FlopCounter) -> None:
        """Run the cell on fakes; its value is one, so there is none.

        Raises
        ------
        BaseException
            Whatever the code raises.
        """
        __tracebackhide__ = True
        names = partial(readable_name, shell=self._shell)
        labels = Labels(self._cell.filename, self._cell.name, names)
        running.run(self._shell, self._cell, self._run.block(counter, labels), self._local)

    def finished(self, report: Report) -> Report:
        """Say in the report what a dry run is."""
        self._local = None
        return self._run.finished(report)
