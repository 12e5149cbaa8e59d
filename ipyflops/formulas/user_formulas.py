"""How a user gives an operator a formula of their own, for good or for a block."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ipyflops.formulas.operator_names import (
    is_triton_kernel,
    kernel_name,
    operator_name,
    overload_name,
)
from ipyflops.formulas.registry import REGISTRY, Formula, FormulaFunction, Function
from ipyflops.torch_private import HigherOrderOperator, OpOverload, OpOverloadPacket


def register_formula(operator: Any, *, by_value: bool = False) -> Callable[[Function], Function]:
    """Return an operator your own formula: a new one, or instead of ours.

    Parameters
    ----------
    operator : torch.ops operator, overload, Triton kernel, or str
        For example ``torch.ops.mylib.op``, ``torch.ops.mylib.op.default`` or ``"mylib::op"``. The
        formula of a Triton kernel gets the kernel's arguments by name, as in
        ``call["n_elements"]``, and the launch's grid as ``call["grid"]``.
    by_value : bool
        Whether the cost depends on more than the shapes, dtypes and scalars of the call. Then the
        formula is called for every call.

    Returns
    -------
    callable
        A decorator for the formula: a function from a `Call` to a `Cost`, or to the FLOPs as a
        whole number. It holds until the process ends; see `temporary_formula` for a block.

    Notes
    -----
    A whole number means the same as for PyTorch's ``register_flop_formula``: the FLOPs of a
    contraction, 2 for each multiply-accumulate. So it counts under every convention. For work that
    is not a matrix product, convolution or attention, return ``Cost.of(other=…)``, which the
    convention ``contractions`` leaves out. If no tensor of the call is floating point, everything
    counts as integer operations.

    Examples
    --------
    >>> @register_formula("mylib::scaled_product")
    ... def scaled_product(call):
    ...     m, k = call["a"].shape
    ...     return Cost.of(contraction="2·m·n·k", m=m, n=call["b"].shape[1], k=k)
    """
    name = _user_name(operator)

    def add(function: Function) -> Function:
        REGISTRY.set_user_formula(name, Formula(function, "user", by_value))
        return function

    return add


@contextlib.contextmanager
def temporary_formula(
    operator: Any, function: FormulaFunction, *, by_value: bool = False
) -> Iterator[None]:
    """Give an operator a formula inside a ``with`` block."""
    name = _user_name(operator)
    before = REGISTRY.set_user_formula(name, Formula(function, "user", by_value))
    try:
        yield
    finally:
        REGISTRY.set_user_formula(name, before)


def _user_name(operator: Any) -> str:
    if isinstance(operator, str):
        if "::" not in operator:
            raise ValueError(f"{operator!r} names no operator; write it as 'namespace::name'")
        return operator
    if isinstance(operator, OpOverload):
        return f"{operator_name(operator)}.{overload_name(operator)}"
    if isinstance(operator, OpOverloadPacket):
        return str(operator).replace(".", "::", 1)
    if isinstance(operator, HigherOrderOperator):
        return operator_name(operator)
    if is_triton_kernel(operator):
        return kernel_name(operator)
    raise TypeError(
        f"{operator!r} is not an operator; give torch.ops.namespace.name, one of its overloads, "
        "a Triton kernel, or 'namespace::name'"
    )
