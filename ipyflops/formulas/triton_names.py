"""What Triton kernels are called that PyTorch launches (``torch.library.wrap_triton``)."""

from __future__ import annotations

from typing import Any

#: The operators by which PyTorch launches any Triton kernel.
LAUNCHES = (
    "higher_order::triton_kernel_wrapper_mutation",
    "higher_order::triton_kernel_wrapper_functional",
)


def kernel_name(kernel: Any) -> str:
    """The name that a kernel counts under, ``triton::`` and its own; a tuner is what it tunes."""
    while hasattr(kernel, "fn"):
        kernel = kernel.fn
    return f"triton::{kernel.__name__}"


def launched_name(kernel_index: int) -> str:
    """The name of a kernel that is launched by its index in PyTorch's table."""
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    return kernel_name(kernel_side_table.get_kernel(kernel_index))


def is_kernel(value: object) -> bool:
    """Whether a value is a Triton kernel, to tell without an import of Triton."""
    return hasattr(value, "fn") and hasattr(value, "arg_names")
