"""The accelerator that a process uses by now, asked in a way that sets none up.

``torch.cuda.is_available()`` alone forbids CUDA to every process that is forked later. So nothing
is asked of an accelerator before the user's own code has set it up.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

#: Whether PyTorch says which kind it was built for without a question to the driver: from 2.7 on.
_ASKED = inspect.signature(torch.accelerator.current_accelerator)
_TELLS_KIND = "check_available" in _ASKED.parameters


def accelerator_built_for() -> str | None:
    """The kind of accelerator that PyTorch was built for, such as ``cuda``; None for none."""
    if _TELLS_KIND:
        accelerator: Any = torch.accelerator.current_accelerator()
        return None if accelerator is None else str(accelerator.type)
    if torch.version.cuda or torch.version.hip:
        return "cuda"
    if getattr(torch.version, "xpu", None):
        return "xpu"
    return "mps" if torch.backends.mps.is_built() else None


def accelerator_in_use() -> str | None:
    """The kind of accelerator that this process has set up, such as ``cuda``; None for none.

    Examples
    --------
    >>> accelerator_in_use() in (None, "cuda", "xpu", "mps")
    True
    """
    kind = accelerator_built_for()
    if kind is None:
        return None
    # Some have no such state, as MPS: there is nothing that could be set up too early.
    is_initialized = getattr(module_of(kind), "is_initialized", None)
    return kind if is_initialized is None or is_initialized() else None


def module_of(kind: str) -> Any:
    """PyTorch's module for a kind of device, as `torch.cuda`; None where there is none."""
    try:
        return torch.get_device_module(kind)
    except RuntimeError:
        return None


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was asked to do; a CPU always has."""
    if device.type in ("cpu", "meta"):
        return
    synchronize = getattr(module_of(device.type), "synchronize", None)
    if synchronize is None:
        return
    index: Any = device.index  # torch's types say that it is never None
    if index is None or device.type == "mps":  # of which there is one
        synchronize()
    else:
        synchronize(device)
