"""What if there are several processes?

Reports of the engines of an ipyparallel cluster (``--ranks``, ``%%px``) and of the ranks of a
torchrun job (`ipyflops.Report.gather`) are brought together.
"""

from __future__ import annotations

from typing import Any

from ipyflops.report import Report

# The files about ipyparallel are not here: they import IPython, and a torchrun job needs none.
__all__ = ["gather"]


def gather(report: Report, group: Any = None, *, timeout: float = 60.0) -> Report | None:
    """Bring the reports of a job's ranks together; `Report.gather` explains it."""
    # Only here: most reports come from one process and need none of this.
    from ipyflops.processes.torchrun_gathering import gather

    return gather(report, group, timeout=timeout)
