"""What PyTorch keeps to itself of devices, and of the processes of a job.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

#: How the system calls the threads of the autograd engine, which begin with the first backward pass
#: of a process, one for each device, and may never run anything.
#: Without it (another name): a note says of them that they were not counted.
ENGINE_THREADS = "pt_autograd"


def scaled_product(left: Tensor, right: Tensor) -> Callable[[], Tensor]:
    """A product of float8, with a scale of 1 for each operand: `torch.mm` takes no float8.

    PyTorch 2.10 has a public function for it, up to 2.12 not for each device; else there is the
    private operator. Without either: an error, so that the rate of float8 is not known.
    """
    # Devices multiply the wider of the two formats only by the other one, stored by columns.
    right = right.to(torch.float8_e4m3fn).t()
    one = torch.ones((), device=left.device)
    functional: Any = torch.nn.functional
    if not (hasattr(functional, "scaled_mm") and _has_kernel("aten::_scaled_mm_v2", left.device)):
        old: Any = torch._scaled_mm
        return lambda: old(left, right, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    whole = functional.ScalingType.TensorWise
    return lambda: functional.scaled_mm(
        left, right, one, whole, one, whole, output_dtype=torch.bfloat16
    )


def _has_kernel(operator: str, device: torch.device) -> bool:
    """Whether an operator runs on a kind of device. Without PyTorch's answer: it passes for one."""
    ask: Any = getattr(torch._C, "_dispatch_has_kernel_for_dispatch_key", None)
    return ask is None or bool(ask(operator, device.type.upper()))


def default_store() -> Any:
    """The store over which the ranks of a job found each other, to gather their reports.

    Without it: an error that names it, when reports are gathered.
    """
    return torch.distributed.distributed_c10d._get_default_store()
