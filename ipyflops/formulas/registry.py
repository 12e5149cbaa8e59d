"""Which operator has which formula: the verdict on every operator.

An operator is in one of three sets:

- it has a **formula**, a function from a `Call` to a `Cost`;
- it is **free**: it does no arithmetic, and a reason says why; some free operators move data;
- it is **unknown**, and then every report names it.

The families (`ipyflops.formulas.families.products` and its siblings) fill the registry when
`ipyflops.formulas` is imported; users add formulas of their own by
`ipyflops.formulas.user_formulas.register_formula`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any, TypeAlias, TypeVar

import torch

from ipyflops.costs import ZERO_COST, Cost, Count
from ipyflops.formulas.call import Call, Structure
from ipyflops.formulas.operator_names import operator_name, overload_name

FormulaFunction: TypeAlias = Callable[[Call], "Cost | int"]
DtypeSource: TypeAlias = "str | int | torch.dtype"
#: The note on a cost that a formula gave as a whole number.
WHOLE_NUMBER = "a plain number is taken for a contraction; a Cost tells the parts apart"
#: As the source of a dtype: the result, and no argument.
RESULT = "result"
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
    by_offsets : bool
        Whether the cost depends on the values of the one-dimensional integer tensors among the
        arguments (see `ipyflops.formulas.offsets`), and of no other tensors.
    dtype_from : tuple of str, int or torch.dtype
        What tells the dtype of the arithmetic: the first of these arguments that the call has, by
        name or by position; `RESULT` is the first result, a dtype stands for itself. Empty where
        the arguments are of one dtype, or PyTorch promotes them (see
        `ipyflops.formulas.arithmetic_dtype`).
    by_number : bool
        Whether any floating point number among the arguments decides the cost, and not only
        whether it is one of a few that many formulas ask for, as 0 and 1. That of a user may.
    """

    function: FormulaFunction
    family: str
    by_value: bool = False
    mixed: bool = False
    by_device: bool = False
    dtype_from: tuple[DtypeSource, ...] = ()
    by_number: bool = False
    by_offsets: bool = False

    def __call__(self, call: Call) -> Cost:
        """Return the checked cost of one call.

        Raises
        ------
        FormulaError
            If the function gives anything but a cost or a whole number of FLOPs, or a negative one.
        """
        formula = self
        if self.is_ours:
            formula = REGISTRY.formula_for_structure(self, call) or self
        cost = formula.own_cost(call)
        return cost if formula.mixed or call.is_floating else _as_integer(cost)

    def own_cost(self, call: Call) -> Cost:
        """Return the cost by this formula, whatever kind of tensors and numbers the call has."""
        result = self.function(call)
        return result if isinstance(result, Cost) else _cost_from_number(result, call)

    @property
    def is_ours(self) -> bool:
        """Whether it is one of this package."""
        return self.family not in ("user", "torch.utils.flop_counter")


@dataclass(frozen=True, slots=True)
class FreeOperator:
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
    """The verdict on an operator without a formula."""


UNKNOWN = Unknown()
Verdict: TypeAlias = Formula | FreeOperator | Unknown


class FormulaError(ValueError):
    """A formula returned something that is not a number of operations."""


class NoFormulaError(LookupError):
    """Nobody has said what this call costs, so it is unknown."""


_VIEW = FreeOperator("a view: the same elements under another shape", moves_data=False)
_VIEW_COPY = FreeOperator(
    "a view that is copied: moves elements, does no arithmetic", moves_data=True
)


class Registry:
    """What is known of every operator.

    Attributes
    ----------
    formulas : dict of str to Formula
        The formulas of this package, by names as ``aten::mm``.
    free_operators : dict of str to FreeOperator
        The operators that do no arithmetic, by name.
    structured_formulas : dict of (str, str) to Formula
        Formulas of this package for calls on sparse, nested or quantized tensors, by the structure
        and the name of the operator.
    user_formulas : dict of str to Formula
        Formulas of users, by ``ns::op`` or ``ns::op.overload``. They come before all others.
    """

    def __init__(self) -> None:
        self.formulas: dict[str, Formula] = {}
        self.free_operators: dict[str, FreeOperator] = {}
        self.structured_formulas: dict[tuple[str, str], Formula] = {}
        self.user_formulas: dict[str, Formula] = {}

    def add(self, operator: str, verdict: Formula | FreeOperator) -> None:
        """Add a verdict of this package on an operator.

        Raises
        ------
        ValueError
            If the operator has a verdict already.
        """
        if operator in self.formulas or operator in self.free_operators:
            raise ValueError(f"{operator} is described twice")
        if isinstance(verdict, Formula):
            self.formulas[operator] = verdict
        else:
            self.free_operators[operator] = verdict

    def add_structured_formula(self, structure: Structure, operator: str, formula: Formula) -> None:
        """Add a formula of this package for tensors of one structure; a second is a ValueError."""
        if (structure, operator) in self.structured_formulas:
            raise ValueError(f"{operator} of {structure} tensors is described twice")
        self.structured_formulas[structure, operator] = formula

    def set_user_formula(self, name: str, formula: Formula | None) -> Formula | None:
        """Set the formula of a user, or remove it with None; give the one that was there before."""
        before = self.user_formulas.get(name)
        if formula is None:
            self.user_formulas.pop(name, None)
        else:
            self.user_formulas[name] = formula
        return before

    def user_formula(self, name: str) -> Formula | None:
        """Return the formula that a user has registered under a name; None if there is none."""
        return self.user_formulas.get(name)

    def kernel_verdict(self, name: str) -> Formula | Unknown:
        """Give the verdict on a Triton kernel by its name, as ``triton::add_kernel``."""
        formula = self.user_formulas.get(name) or self.formulas.get(name)
        return UNKNOWN if formula is None else formula

    def formula_for_structure(self, plain: Formula, call: Call) -> Formula | None:
        """Return the formula that replaces the plain one on sparse, nested or quantized tensors."""
        structure = call.structure
        if structure is None:
            return None
        formula = self.structured_formulas.get((structure, call.operator.removesuffix("_")))
        if formula is None and not plain.by_value:
            formula = self.structured_formulas.get((structure, "*"))
        return formula

    def lookup(self, func: Any) -> Verdict:
        """Return the verdict on an operator.

        Parameters
        ----------
        func : torch._ops.OpOverload or torch._ops.HigherOrderOperator
            What reached the dispatcher.

        Returns
        -------
        Formula, FreeOperator or Unknown
        """
        name = operator_name(func)
        overload = overload_name(func)
        users = self.user_formulas.get(f"{name}.{overload}") or self.user_formulas.get(name)
        if users is not None:
            return users
        own = self.own_verdict(func)
        if own is not None:
            return own
        if getattr(func, "is_view", False):
            return _VIEW
        if name.endswith("_copy") and _has_operator(name.removesuffix("_copy")):
            return _VIEW_COPY
        return _from_torch(func) or UNKNOWN

    def own_verdict(self, func: Any) -> Formula | FreeOperator | None:
        """Return the verdict of this package's families, whatever users have registered."""
        name = operator_name(func)
        functional = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        for candidate in (f"{name}.{overload_name(func)}", name, functional):
            verdict = self.formulas.get(candidate) or self.free_operators.get(candidate)
            if verdict is not None:
                return verdict
        return None


REGISTRY = Registry()
lookup = REGISTRY.lookup
kernel_verdict = REGISTRY.kernel_verdict
user_formula = REGISTRY.user_formula


def formula(
    *operators: str,
    by_value: bool = False,
    mixed: bool = False,
    by_device: bool = False,
    by_offsets: bool = False,
    dtype_from: DtypeSource | tuple[DtypeSource, ...] = (),
    by_number: bool = False,
) -> Callable[[Function], Function]:
    """Make a function of this package the formula of operators, by names as ``aten::mm``.

    An in-place form (``aten::mul_``), an ``out=`` overload and the other overloads share the
    formula of their operator, unless they have one of their own.

    Parameters
    ----------
    *operators : str
        Names without overloads.
    by_value, mixed, by_device, by_number, by_offsets : bool
        See `Formula`.
    dtype_from : str, int, torch.dtype or tuple of them
        See `Formula`; needed where what is multiplied has another dtype than what stands beside it.

    Raises
    ------
    ValueError
        If an operator has a verdict already.
    """

    def add(function: Function) -> Function:
        sources = dtype_from if isinstance(dtype_from, tuple) else (dtype_from,)
        entry = Formula(
            function,
            _family_of(function),
            by_value,
            mixed,
            by_device,
            sources,
            by_number,
            by_offsets,
        )
        for operator in operators:
            REGISTRY.add(operator, entry)
        return function

    return add


def structured_formula(
    structure: Structure, *operators: str, mixed: bool = False
) -> Callable[[Function], Function]:
    """Make a function the formula of operators on sparse, nested or quantized tensors.

    The operators also need a formula of the plain kind. The name ``*`` stands for all others whose
    plain formula is not ``by_value``: a formula that is ``by_value`` looks at the tensors itself.
    """

    def add(function: Function) -> Function:
        entry = Formula(function, _family_of(function), by_value=True, mixed=mixed)
        for operator in operators:
            REGISTRY.add_structured_formula(structure, operator, entry)
        return function

    return add


def _family_of(function: Callable[..., Any]) -> str:
    return function.__module__.rpartition(".")[2]


def mark_free(reason: str, *operators: str, moves_data: bool = True) -> None:
    """Say that operators do no arithmetic, with the reason; see `FreeOperator`."""
    for operator in operators:
        REGISTRY.add(operator, FreeOperator(reason, moves_data))


def plain_cost(call: Call) -> Cost:
    """Return an operator's cost by its plain formula, whatever kind of tensors the call has."""
    verdict = lookup(call.func)
    return verdict.own_cost(call) if isinstance(verdict, Formula) else ZERO_COST


def _has_operator(name: str) -> bool:
    namespace, _, base = name.partition("::")
    return hasattr(getattr(torch.ops, namespace), base)


def _from_torch(func: Any) -> Formula | None:
    """Honour a formula that someone gave to `torch.utils.flop_counter.register_flop_formula`."""
    # Not at the top: it takes 15 ms to load, and only operators without a verdict of ours need it.
    from torch.utils.flop_counter import flop_registry

    packet = getattr(func, "overloadpacket", func)
    function = flop_registry.get(packet)
    if function is None:
        return None

    def count(call: Call) -> int:
        return int(function(*call.args, **call.kwargs, out_val=call.out))

    return Formula(count, "torch.utils.flop_counter")


def _cost_from_number(result: Any, call: Call) -> Cost:
    """Take a plain number for the FLOPs of a contraction, as PyTorch's own counter takes it.

    So it counts under every convention.
    """
    if isinstance(result, float) and result.is_integer():
        result = int(result)
    if isinstance(result, bool) or not hasattr(result, "__index__"):
        raise FormulaError(
            f"the formula of {call.operator} gave {result!r}; it has to give a Cost or a whole "
            "number of FLOPs"
        )
    flops = index(result)
    if flops < 0:
        raise FormulaError(f"the formula of {call.operator} gave {flops}, which is negative")
    return Cost.of(contraction=str(flops), note=WHOLE_NUMBER)


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
        integer_macs=cost.macs,
    )
