"""What tests ask of the simulated device, and do to it."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

#: The error of a device-side assert.
ASSERT = 710


@cache
def runtime() -> Any:
    """The simulated runtime that PyTorch has loaded; None where it is NVIDIA's own, or none."""
    try:
        library = ctypes.CDLL("libcudart.so.13", mode=ctypes.RTLD_GLOBAL)
        library.simulator_kernel_us.restype = ctypes.c_double
        library.simulator_kernels.restype = ctypes.c_long
    except (OSError, AttributeError):
        return None
    return library


def is_simulated() -> bool:
    """Whether PyTorch's devices are simulated ones."""
    return runtime() is not None


def reset() -> None:
    """Begin anew to count kernels."""
    runtime().simulator_reset()


def kernels() -> int:
    """How many kernels have run since."""
    return int(runtime().simulator_kernels())


def kernel_seconds() -> float:
    """How long they have run: the true kernel time."""
    return float(runtime().simulator_kernel_us()) / 1e6


def fail_from_now_on(error: int = ASSERT) -> None:
    """Have every call of the device give an error, as after a device-side assert; 0 ends that."""
    runtime().simulator_fail_from_now_on(error)
