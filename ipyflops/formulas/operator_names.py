"""What an operator is called in a report: ``aten::mm``, ``higher_order::cond``, ``triton::kernel``.

A Triton kernel counts under its own name, whether PyTorch launches it
(``torch.library.wrap_triton``) or the program itself.
"""

from __future__ import annotations

from typing import Any

from ipyflops.torch_private import launched_triton_kernel, schema_of

#: The operators by which PyTorch launches any Triton kernel.
TRITON_LAUNCHES = (
    "higher_order::triton_kernel_wrapper_mutation",
    "higher_order::triton_kernel_wrapper_functional",
)


def operator_name(func: Any) -> str:
    """The name of an operator without its overload: ``aten::mm``, ``higher_order::cond``."""
    schema = schema_of(func)
    if schema is not None:
        return str(schema.name)
    return f"higher_order::{func.name() if callable(getattr(func, 'name', None)) else func}"


def kernel_name(kernel: Any) -> str:
    """The name that a Triton kernel counts under: ``triton::`` and the name of its function.

    An autotuner or a heuristic wraps the kernel that it launches; the name is that kernel's.
    """
    while hasattr(kernel, "fn"):
        kernel = kernel.fn
    return f"triton::{kernel.__name__}"


def launched_kernel_name(kernel_index: int) -> str:
    """The name of the kernel at an index of PyTorch's table of Triton kernels."""
    kernel = launched_triton_kernel(kernel_index)
    return f"triton::kernel_{kernel_index}" if kernel is None else kernel_name(kernel)


def overload_name(func: Any) -> str:
    """The name of an operator's overload; ``default`` if it has no other."""
    name = func.name() if callable(getattr(func, "name", None)) else ""
    return name.partition(".")[2] or "default"


def is_triton_kernel(value: object) -> bool:
    """Whether a value is a Triton kernel. Triton, which may not be installed, is not imported."""
    return hasattr(value, "fn") and hasattr(value, "arg_names")
