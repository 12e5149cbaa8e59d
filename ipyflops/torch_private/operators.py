"""What PyTorch keeps to itself of operators that are made of Python code or of Triton kernels.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch._ops


def _schema_name(func: Any) -> str:
    return getattr(getattr(func, "_schema", None), "name", "")


def custom_kernels(func: Any) -> Mapping[str | None, Callable[..., Any]]:
    """The Python functions of an operator of ``torch.library.custom_op``, by the kind of device.

    Without it: none, so that the operator is named as unknown.
    """
    try:
        from torch._library.custom_ops import OPDEFS
    except ImportError:
        return {}
    definition = OPDEFS.get(_schema_name(func))
    kernels: Mapping[str | None, Callable[..., Any]] = getattr(definition, "_backend_fns", {})
    return kernels


def higher_order_operators() -> Mapping[str, Any]:
    """The higher-order operators by name, for the table of operators. Without it: none."""
    operators: Mapping[str, Any] = getattr(torch._ops, "_higher_order_ops", {})
    return operators


def launched_triton_kernel(index: int) -> Any:
    """The Triton kernel that PyTorch launches by this index: only its table knows the name.

    Without it: None, so that the kernel is named by its index.
    """
    table = _triton_kernels()
    return None if table is None else table.get_kernel(index)


def launched_triton_constants(index: int) -> Mapping[str, Any]:
    """The constants that PyTorch launches a Triton kernel with. Without them: none."""
    table = _triton_kernels()
    constants: Mapping[str, Any] = {} if table is None else table.get_constant_args(index)
    return constants


def _triton_kernels() -> Any:
    try:
        from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table
    except ImportError:
        return None
    return kernel_side_table


def asks_for_target_twice() -> bool:
    """Whether PyTorch's linear_cross_entropy asks again if its target is no class.

    Without it: no, as in PyTorch 2.13. Asked late, because PyTorch imports the file late.
    """
    return hasattr(getattr(torch.nn.modules, "linear_cross_entropy", None), "_corrected_target")
