"""Operators that are made of others: what to run, so that the others are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch

from ipyflops.formulas import Formula, lookup, tensors
from ipyflops.torch_private import (
    FakeTensor,
    HigherOrderOperator,
    OpOverload,
    TorchDispatchMode,
    can_decompose,
    composite_kernel,
    custom_kernels,
    decomposition_of,
    direct_call,
    keeping_promises,
    tree_leaves,
    tree_map,
)

Function: TypeAlias = Callable[..., Any]

#: Operators whose own kernels run others on conjugates that they make. All of PyTorch's operator
#: database is run to find them.
MAKE_CONJUGATES = {torch.ops.aten.linalg_pinv, torch.ops.aten.linalg_lstsq}


def decomposed(
    func: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    counted: Callable[[Function], Function],
) -> Function | None:
    """Return what runs an operator by running others, so that a counter sees them.

    - A composite operator is a sequence of others in every backend. It arrives whole in inference
      mode and from inside tensor subclasses.
    - A higher-order operator (``cond``, ``scan``, ``map``, …) calls functions that it is given:
      those count whenever it calls them, so a branch that is not taken does not.
    - A higher-order operator that is given an operator instead (``out_dtype``, …) has an
      implementation that calls it.

    Parameters
    ----------
    func : torch._ops.OpOverload or torch._ops.HigherOrderOperator
        The operator.
    args, kwargs
        Its arguments.
    counted : callable
        Wraps a function so that it counts, although an operator calls it.

    Returns
    -------
    callable or None
        To be called without arguments; None if the operator has nothing to decompose.
    """
    if isinstance(func, OpOverload):
        if not can_decompose(func):
            return None
        return partial(counted(decomposition_of(func)), *args, **kwargs)
    if not isinstance(func, HigherOrderOperator):
        return None
    given = (args, dict(kwargs))
    if any(map(_is_function, tree_leaves(given))):
        positional, named = tree_map(lambda one: counted(one) if _is_function(one) else one, given)
        return partial(func, *positional, **named)
    kernel = composite_kernel(func)
    return None if kernel is None else partial(counted(kernel), *args, **kwargs)


class ArithmeticDetector(TorchDispatchMode):
    """Notices whether anything that runs under it does arithmetic that has a formula.

    Attributes
    ----------
    saw_arithmetic : bool
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.saw_arithmetic = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.saw_arithmetic = self.saw_arithmetic or isinstance(lookup(func), Formula)
        return func(*args, **(kwargs or {}))


def runner(func: Any) -> Function:
    """Return what runs an operator, which may run others inside of it."""
    run = direct_call(func)
    inside = can_decompose(func) or getattr(func, "overloadpacket", None) in MAKE_CONJUGATES
    return keeping_promises(run) if inside else run


def python_kernel(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Function | None:
    """Return the Python function that implements a custom operator on these tensors.

    Only for operators of `torch.library.custom_op`: those remember it. None for all others, and
    where the tensors hold no values.
    """
    kernels = custom_kernels(func)
    if not kernels:
        return None
    given = list(tensors((args, dict(kwargs))))
    if any(tensor.is_meta or isinstance(tensor, FakeTensor) for tensor in given):
        return None
    device = given[0].device.type if given else None
    return kernels.get(device) or kernels.get(None)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, (OpOverload, HigherOrderOperator, type))
