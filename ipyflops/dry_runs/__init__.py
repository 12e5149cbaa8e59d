"""What if nothing is computed?

Code counted on fake tensors: once (``--fake``, `ipyflops.dry_run`), or for a grid of sizes
(`ipyflops.sweep`).
"""

from __future__ import annotations

from ipyflops.dry_runs.calls import dry_run
from ipyflops.dry_runs.errors import DryRunError, FileLabels
from ipyflops.dry_runs.execution import DryRun
from ipyflops.dry_runs.sweeping import SweepError, sweep

__all__ = ["DryRun", "DryRunError", "FileLabels", "SweepError", "dry_run", "sweep"]
