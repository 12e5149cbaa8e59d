"""What PyTorch keeps to itself of operators made of others, of Python code or of Triton kernels.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch._ops
from torch import Tensor


def _schema_name(func: Any) -> str:
    return getattr(getattr(func, "_schema", None), "name", "")


#: The dispatch key of the kernels that run other operators, in every backend.
_COMPOSITE: Any = getattr(getattr(torch._C, "DispatchKey", None), "CompositeImplicitAutograd", None)
_has_kernel: Callable[[str, Any], bool] = getattr(
    torch._C, "_dispatch_has_kernel_for_dispatch_key", lambda name, key: False
)


def can_decompose(func: Any) -> bool:
    """Whether an operator is made of others in every backend.

    An overload's own `_can_decompose` also says yes where PyTorch's compiler has registered a
    decomposition of its own, which eager code never runs.

    Without it: no, so that the operator is counted whole or named as unknown.
    """
    return isinstance(func, torch._ops.OpOverload) and bool(_has_kernel(func.name(), _COMPOSITE))


def is_view(func: Any) -> bool:
    """Whether an operator gives views of its arguments, and writes to none of them.

    Without it: no, so that more is asked of a view than it has to tell.
    """
    return bool(getattr(func, "is_view", False))


#: What runs instead of the kernel of such an operator, while a dry run is on another device: in
#: inference mode the operator comes whole to a counter, below the place of these kernels.
_replaced: dict[Any, Callable[..., Any]] = {}


def decomposition_of(func: Any) -> Callable[..., Any]:
    """The kernel of an operator that can be decomposed: what eager code runs.

    Without it: the method that gives the compiler's decomposition where there is one, which draws
    other random numbers in a dropout.
    """
    replaced = _replaced.get(func) if _replaced else None
    if replaced is not None:
        return replaced
    kernel: Callable[..., Any] | None = getattr(func, "_op_dk", None)
    return keeping_promises(func.decompose if kernel is None else partial(kernel, _COMPOSITE))


#: Keys whose kernels write out conjugates, negatives and zeros that a tensor only promises.
_PROMISES = [
    key
    for name in ("Conjugate", "Negative", "ZeroTensor")
    if (key := getattr(getattr(torch._C, "DispatchKey", None), name, None)) is not None
]
_kept_keys: Any = getattr(torch._C, "_PreserveDispatchKeyGuard", None)
_exclude: Any = getattr(torch._C, "_dispatch_tls_set_dispatch_key_excluded", None)


def keeping_promises(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what runs several operators in a mode's handler, so that each gets what it can read.

    PyTorch writes conjugates out before it calls a mode, and not again in the mode's handler. What
    makes a conjugate there and gives it to a kernel that knows of none gets a wrong result.

    Without it: the function as it is.
    """
    if _kept_keys is None or _exclude is None:
        return function

    def run(*args: Any, **kwargs: Any) -> Any:
        with _kept_keys():
            for key in _PROMISES:
                _exclude(key, False)
            return function(*args, **kwargs)

    return run


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


#: What a sparse tensor in coordinate form keeps, also where an index occurs more than once.
#: Without them: the public methods, which refuse tensors in which one does.
stored_values: Callable[[Tensor], Tensor] = getattr(torch.Tensor, "_values", torch.Tensor.values)
stored_indices: Callable[[Tensor], Tensor] = getattr(torch.Tensor, "_indices", torch.Tensor.indices)
stored_count: Callable[[Tensor], int] = getattr(
    torch.Tensor, "_nnz", lambda tensor: tensor.indices().shape[1]
)
#: The sizes of what a nested tensor holds, a table in host memory.
#: Without it: made of the parts, which are views.
nested_sizes: Callable[[Tensor], Tensor] = getattr(
    torch.Tensor,
    "_nested_tensor_size",
    lambda tensor: torch.tensor([list(part.shape) for part in tensor.unbind()]),
)
