"""What PyTorch keeps to itself of devices, and of the processes of a job.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

from typing import Any

import torch


def cuda_driver_version() -> int:
    """The release of the CUDA driver, which a remembered ceiling belongs to. Without it: 0."""
    return int(getattr(torch._C, "_cuda_getDriverVersion", lambda: 0)())


def data_sheet_of(device: torch.device) -> Any:
    """What PyTorch has of a CUDA device's data sheet.

    Without it: None, so that rates are compared with measured ceilings alone.
    """
    try:
        from torch._inductor.analysis.device_info import lookup_device_info

        return lookup_device_info(torch.cuda.get_device_name(device))
    except Exception:
        return None


def default_store() -> Any:
    """The store over which the ranks of a job found each other, to gather their reports.

    Without it: an error that names it, when reports are gathered.
    """
    return torch.distributed.distributed_c10d._get_default_store()
