"""What if there were a CUDA device?

A dry run with ``device="cuda"`` (``--fake cuda``) on a machine that has none: PyTorch says that
there is one, tensors can be moved to it, and operators are those that CUDA would run.
"""

from __future__ import annotations

from ipyflops.dry_runs.cuda.device import AbsentDevice, device_for

__all__ = ["AbsentDevice", "device_for"]
