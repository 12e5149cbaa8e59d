"""What an operator is called in a report: ``aten::mm``, ``higher_order::cond``, ``triton::kernel``.

A Triton kernel that PyTorch launches (``torch.library.wrap_triton``) counts under its own name.
"""

from __future__ import annotations

from typing import Any

#: The operators by which PyTorch launches any Triton kernel.
TRITON_LAUNCHES = (
    "higher_order::triton_kernel_wrapper_mutation",
    "higher_order::triton_kernel_wrapper_functional",
)


def operator_name(func: Any) -> str:
    """The name of an operator without its overload: ``aten::mm``, ``higher_order::cond``."""
    schema = getattr(func, "_schema", None)
    if schema is not None:
        return str(schema.name)
    return f"higher_order::{func.name() if callable(getattr(func, 'name', None)) else func}"


def triton_kernel_name(kernel: Any) -> str:
    """The name that a Triton kernel counts under: ``triton::`` and the name of its function.

    An autotuner or a heuristic wraps the kernel that it launches; the name is that kernel's.
    """
    while hasattr(kernel, "fn"):
        kernel = kernel.fn
    return f"triton::{kernel.__name__}"


def launched_kernel_name(kernel_index: int) -> str:
    """The name of the kernel at an index of PyTorch's table of Triton kernels."""
    # Not at the top: this loads a part of PyTorch's compiler, which only launches need.
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    return triton_kernel_name(kernel_side_table.get_kernel(kernel_index))


def is_triton_kernel(value: object) -> bool:
    """Whether a value is a Triton kernel. Triton, which may not be installed, is not imported."""
    return hasattr(value, "fn") and hasattr(value, "arg_names")
