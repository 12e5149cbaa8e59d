"""Operators that are made of others: what to run so that those can be counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch._ops import HigherOrderOperator, OpOverload

Function: TypeAlias = Callable[..., Any]


def unfolded(
    func: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    counted: Callable[[Function], Function],
) -> Function | None:
    """Give what runs an operator by running others, under the eyes of a counter.

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
        Makes a function count that is called from inside an operator.

    Returns
    -------
    callable or None
        To be called without arguments; None if the operator has nothing to unfold.
    """
    if isinstance(func, OpOverload):
        return partial(counted(func.decompose), *args, **kwargs) if func._can_decompose() else None
    if not isinstance(func, HigherOrderOperator):
        return None
    if any(map(_is_function, (*args, *kwargs.values()))):
        wrap = partial(_wrapped, counted)
        return partial(func, *map(wrap, args), **{n: wrap(v) for n, v in kwargs.items()})
    kernel = func.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return None if kernel is None else partial(counted(kernel), *args, **kwargs)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, (OpOverload, HigherOrderOperator, type))


def _wrapped(counted: Callable[[Function], Function], value: Any) -> Any:
    return counted(value) if _is_function(value) else value
