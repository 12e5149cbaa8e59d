"""What if there are several processes?

Reports of the engines of an ipyparallel cluster (``--ranks``, ``%%px``) and of the ranks of a
torchrun job (`ipyflops.Report.gather`) are brought together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.report.report import Report

# These take long to import, or are not installed everywhere.
if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def gather(report: Report, group: ProcessGroup | None, *, timeout: float) -> Report | None:
    """Do what `ipyflops.Report.gather` says."""
    # Only here: a report that comes from one process needs none of this.
    from ipyflops.processes.torchrun_gathering import gather as gather_by_torchrun

    return gather_by_torchrun(report, group, timeout=timeout)
