"""What if there are several processes?

Reports of the engines of an ipyparallel cluster (``--ranks``, ``%%px``) and of the ranks of a
torchrun job (`ipyflops.Report.gather`) are brought together.
"""

from __future__ import annotations

from typing import Any

from ipyflops.report.report import Report

__all__ = ["gather", "run_order"]


def gather(report: Report, group: Any = None, *, timeout: float = 60.0) -> Report | None:
    """Bring the reports of a job's ranks together; `Report.gather` explains it."""
    # Only here: torch.distributed takes long to import.
    from ipyflops.processes.torchrun_gathering import gather

    return gather(report, group, timeout=timeout)


def run_order() -> object:
    """Carry out the order that this engine has received, see `ipyparallel_engine.run`.

    The text of the call is short, because the traceback of a cell that fails on an engine shows it.
    """
    __tracebackhide__ = True
    # Only here: an engine needs IPython, a script does not.
    from ipyflops.processes.ipyparallel_engine import run

    return run()
