"""Which operator has which formula: the verdict on every operator.

An operator is in one of three sets:

- it has a **formula**, a function from a `Call` to a `Cost`;
- it is **free**: it does no arithmetic, and a reason says why; some free operators move data;
- it is **unknown**, and then every report names it.

The families (`ipyflops.formulas.families.products` and its siblings) fill the tables when
`ipyflops.formulas` is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import torch

from ipyflops.costs.cost import Cost, Count
from ipyflops.formulas.call import Call, Structure, operator_name
from ipyflops.formulas.triton_names import is_kernel, kernel_name

FormulaFunction: TypeAlias = Callable[[Call], "Cost | int"]
Function = TypeVar("Function", bound=FormulaFunction)


@dataclass(frozen=True, slots=True)
class Formula:
    """The verdict on an operator that does arithmetic.

    Attributes
    ----------
    function : callable
        Takes a `Call`, gives a `Cost` or the FLOPs as a whole number.
    family : str
        The module that it comes from, or ``user``.
    by_value : bool
        Whether the cost depends on the values of tensors or on something else that the shapes,
        dtypes and scalars of the call do not tell; such a formula is asked at every call.
    mixed : bool
        Whether the function tells integer from floating point operations by itself, as it has to
        on quantized tensors: they hold integers, and the kernels compute in both.
    by_device : bool
        Whether the cost depends on the type of the device.
    """

    function: FormulaFunction
    family: str
    by_value: bool = False
    mixed: bool = False
    by_device: bool = False

    def __call__(self, call: Call) -> Cost:
        """Give the checked cost of one call.

        Raises
        ------
        FormulaError
            If the function gives anything but a cost or a whole number of FLOPs, or a negative one.
        """
        formula = self._structured(call) or self
        result = formula.function(call)
        cost = result if isinstance(result, Cost) else _cost_from_number(result, call)
        return cost if formula.mixed or call.is_floating else _as_integer(cost)

    @property
    def is_ours(self) -> bool:
        """Whether it is one of this package."""
        return self.family not in ("user", "torch.utils.flop_counter")

    def _structured(self, call: Call) -> Formula | None:
        """The formula that takes the place of this one on sparse, nested or quantized tensors."""
        structure = call.structure if self.is_ours else None
        if structure is None:
            return None
        name = call.operator.removesuffix("_")
        found = _structured.get((structure, name))
        if found is None and not self.by_value:
            found = _structured.get((structure, "*"))
        return found


@dataclass(frozen=True, slots=True)
class Free:
    """The verdict on an operator that does no arithmetic.

    Attributes
    ----------
    reason : str
        Why it costs no operation.
    moves_data : bool
        Whether it reads or writes the elements of a tensor (a copy does, a view does not).
    """

    reason: str
    moves_data: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The verdict on an operator that nobody has described."""


UNKNOWN = Unknown()
Verdict: TypeAlias = Formula | Free | Unknown


class FormulaError(ValueError):
    """A formula gave something that is not a number of operations."""


class NoFormulaError(LookupError):
    """Nobody has said what this call costs: it is unknown."""


_formulas: dict[str, Formula] = {}
_free: dict[str, Free] = {}
#: Formulas for calls on sparse, nested or quantized tensors, by structure and operator.
_structured: dict[tuple[str, str], Formula] = {}
#: Formulas of users, by ``ns::op`` or ``ns::op.overload``; they come first.
_registered: dict[str, Formula] = {}


def formula(
    *operators: str, by_value: bool = False, mixed: bool = False, by_device: bool = False
) -> Callable[[Function], Function]:
    """Enter a function of this package as the formula of operators, by names as ``aten::mm``.

    An in-place form (``aten::mul_``), an ``out=`` overload and the other overloads share the
    formula of their operator, unless they are entered by themselves.

    Parameters
    ----------
    *operators : str
        Names without overloads.
    by_value, mixed, by_device : bool
        See `Formula`.
    """

    def enter(function: Function) -> Function:
        family = function.__module__.rpartition(".")[2]
        for operator in operators:
            if operator in _formulas or operator in _free:
                raise ValueError(f"{operator} is described twice")
            _formulas[operator] = Formula(function, family, by_value, mixed, by_device)
        return function

    return enter


def structured_formula(
    structure: Structure, *operators: str, mixed: bool = False
) -> Callable[[Function], Function]:
    """Enter what operators cost on sparse, nested or quantized tensors, where it is something else.

    The operators also need a formula of the plain kind. The name ``*`` stands for all others whose
    formula is not asked by value: such a one knows what it looks at.
    """

    def enter(function: Function) -> Function:
        family = function.__module__.rpartition(".")[2]
        for operator in operators:
            if (structure, operator) in _structured:
                raise ValueError(f"{operator} of {structure} tensors is described twice")
            _structured[structure, operator] = Formula(function, family, True, mixed)
        return function

    return enter


def free(reason: str, *operators: str, moves_data: bool = True) -> None:
    """Enter operators as free, with the reason."""
    for operator in operators:
        if operator in _formulas or operator in _free:
            raise ValueError(f"{operator} is described twice")
        _free[operator] = Free(reason, moves_data)


_VIEW = Free("a view: the same elements under another shape", moves_data=False)
_VIEW_COPY = Free("a view that is copied: moves elements, does no arithmetic", moves_data=True)


def lookup(func: Any) -> Verdict:
    """Give the verdict on an operator.

    Parameters
    ----------
    func : torch._ops.OpOverload or torch._ops.HigherOrderOperator
        What reached the dispatcher.

    Returns
    -------
    Formula, Free or Unknown
    """
    name = operator_name(func)
    overload = getattr(func, "_overloadname", "default")
    registered = _registered.get(f"{name}.{overload}") or _registered.get(name)
    if registered is not None:
        return registered
    functional = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    for candidate in (f"{name}.{overload}", name, functional):
        verdict = _formulas.get(candidate) or _free.get(candidate)
        if verdict is not None:
            return verdict
    if getattr(func, "is_view", False):
        return _VIEW
    if name.endswith("_copy") and _has_operator(name.removesuffix("_copy")):
        return _VIEW_COPY
    return _from_torch(func) or UNKNOWN


def registered(name: str) -> Formula | None:
    """The formula that a user has registered under a name; None if there is none."""
    return _registered.get(name)


def _has_operator(name: str) -> bool:
    namespace, _, base = name.partition("::")
    return hasattr(getattr(torch.ops, namespace), base)


def _from_torch(func: Any) -> Formula | None:
    """Honour a formula that someone gave to `torch.utils.flop_counter.register_flop_formula`."""
    from torch.utils.flop_counter import flop_registry

    packet = getattr(func, "overloadpacket", func)
    function = flop_registry.get(packet)
    if function is None:
        return None

    def count(call: Call) -> Cost:
        flops = function(*call.args, **call.kwargs, out_val=call.out)
        return Cost.of(contraction=str(int(flops)))

    return Formula(count, "torch.utils.flop_counter")


def _cost_from_number(result: object, call: Call) -> Cost:
    if isinstance(result, float) and result.is_integer():
        result = int(result)
    if isinstance(result, bool) or not isinstance(result, int):
        raise FormulaError(
            f"the formula of {call.operator} gave {result!r}; it has to give a Cost or a whole "
            "number of FLOPs"
        )
    if result < 0:
        raise FormulaError(f"the formula of {call.operator} gave {result}, which is negative")
    return Cost.of(other=str(result))


def _as_integer(cost: Cost) -> Cost:
    """Turn floating point operations into integer ones, for a call on integer tensors."""
    parts = [part for part in (cost.contraction, cost.other, cost.integer) if part]
    return Cost(
        integer=Count(
            " + ".join(part.expression for part in parts) or "0",
            sum(part.value for part in parts),
        ),
        symbols=cost.symbols,
        note=cost.note,
    )


def register_formula(operator: Any, *, by_value: bool = False) -> Callable[[Function], Function]:
    """Give an operator a formula of your own: it adds one, or takes the place of ours.

    Parameters
    ----------
    operator : torch.ops operator, overload, Triton kernel, or str
        As ``torch.ops.mylib.op``, ``torch.ops.mylib.op.default`` or ``"mylib::op"``. The formula of
        a Triton kernel finds the kernel's arguments by their names, as in ``call["n_elements"]``,
        and the launch's grid as ``call["grid"]``.
    by_value : bool
        Whether the cost depends on more than the shapes, dtypes and scalars of the call; then the
        formula is asked at every call.

    Returns
    -------
    callable
        A decorator for the formula: a function from a `Call` to a `Cost`, or to the FLOPs as a
        whole number. It holds until the process ends; see `temporary_formula` for a block.

    Examples
    --------
    >>> @register_formula("mylib::scaled_product")
    ... def scaled_product(call):
    ...     m, k = call["a"].shape
    ...     return Cost.of(contraction="2·m·n·k", m=m, n=call["b"].shape[1], k=k)
    """
    name = _registered_name(operator)

    def enter(function: Function) -> Function:
        _registered[name] = Formula(function, "user", by_value)
        return function

    return enter


@contextlib.contextmanager
def temporary_formula(
    operator: Any, function: FormulaFunction, *, by_value: bool = False
) -> Iterator[None]:
    """Give an operator a formula for the length of a ``with`` block."""
    name = _registered_name(operator)
    before = _registered.get(name)
    _registered[name] = Formula(function, "user", by_value)
    try:
        yield
    finally:
        if before is None:
            del _registered[name]
        else:
            _registered[name] = before


def _registered_name(operator: Any) -> str:
    if isinstance(operator, str):
        if "::" not in operator:
            raise ValueError(f"{operator!r} names no operator; write it as 'namespace::name'")
        return operator
    if isinstance(operator, torch._ops.OpOverload):
        return f"{operator_name(operator)}.{operator._overloadname}"
    if isinstance(operator, torch._ops.OpOverloadPacket):
        return str(operator._qualified_op_name)
    if isinstance(operator, torch._ops.HigherOrderOperator):
        return operator_name(operator)
    if is_kernel(operator):
        return kernel_name(operator)
    raise TypeError(
        f"{operator!r} is not an operator; give torch.ops.namespace.name, one of its overloads, "
        "a Triton kernel, or 'namespace::name'"
    )
