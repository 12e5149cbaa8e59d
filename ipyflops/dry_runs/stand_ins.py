"""Numbers that stand in for those that a program reads from a fake tensor.

Example: ``losses.append(loss.item())`` in a training loop. A dry run does not know the number, and
the loop does not need it: it is added up, averaged, kept and printed, as ``?``. Only what is
decided by it needs the value: ``if loss.item() < best``, a size, an index, the key of a dictionary.
There a `DryRunError` is raised.

A stand-in passes for a float, an int or a bool where Python asks (``isinstance``), but it is none,
so that functions written in C ask it for its value too, and get the error.
"""

from __future__ import annotations

import dis
import math
import numbers
import operator
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import torch

from ipyflops.dry_runs.errors import INSTEAD, DryRunError
from ipyflops.torch_private import CHOOSES_NUMBERS, forget_value, tree_leaves, tree_map

#: What a stand-in is written as.
PLACEHOLDER = "?"
#: Fill and alignment, then all that may come before the width, and the width.
_FORMAT = re.compile(r"(?:(.)?([<>=^]))?[-+ ]?z?#?0?(\d*)")
#: What PyTorch may be given a stand-in for: the value of an element, which decides no shape.
_OPERATIONS = frozenset(
    (
        *("add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide", "true_divide"),
        *("truediv", "rtruediv", "floor_divide", "floordiv", "rfloordiv", "remainder", "mod"),
        *("rmod", "fmod", "radd", "rmul", "rdiv", "rpow", "iadd", "isub", "imul", "itruediv"),
        *("idiv", "eq", "ne", "lt", "le", "gt", "ge", "not_equal", "less", "greater"),
        *("less_equal", "greater_equal", "clamp", "clip", "clamp_min", "clamp_max", "maximum"),
        *("minimum", "fill", "full", "full_like", "new_full", "scalar_tensor", "where"),
        *("masked_fill", "index_fill", "lerp", "addcmul", "addcdiv", "nan_to_num", "uniform"),
        *("normal", "hardtanh", "threshold", "leaky_relu", "setitem", "and", "or", "xor"),
        *("logical_and", "logical_or", "logical_xor"),
    )
)
#: Functions, by module, that do the same work whatever they choose.
_EITHER_WAY = {*CHOOSES_NUMBERS, ("skorch.callbacks.scoring", "on_epoch_end")}
#: The arguments of Python's instruction for ``%`` and ``%=``; each release has a list of its own.
_PERCENT = [
    number
    for number, (name, _) in enumerate(getattr(dis, "_nb_ops", ()))
    if name in ("NB_REMAINDER", "NB_INPLACE_REMAINDER")
]
#: What NumPy calls Python's operators otherwise than Python.
_OPERATORS_OF_NUMPY = {
    "subtract": "sub", "multiply": "mul", "divide": "truediv", "floor_divide": "floordiv",
    "remainder": "mod", "power": "pow", "negative": "neg", "positive": "pos", "absolute": "abs",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "ne",
}  # fmt: skip
_FUNCTIONS = ("exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "sin", "cos", "tanh")


def refuse(what: str) -> NoReturn:
    """Raise because something is decided by a number that a dry run does not know.

    Raises
    ------
    DryRunError
        Always.
    """
    raise DryRunError(f"{what} needs its value, and a dry run computes none. {INSTEAD}")


class StandIn:
    """A number that a dry run does not know."""

    __slots__ = ()
    #: What Python's type of the number is.
    kind: type = float
    #: What PyTorch is given in its place. No shape depends on it, and no value is computed from it.
    inside: float = math.nan

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self).kind

    # --- writing ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return PLACEHOLDER

    def __format__(self, form: str) -> str:
        found = _FORMAT.match(form)
        assert found is not None  # all of it is optional
        fill, align, width = found.groups()
        return format(PLACEHOLDER, f"{fill or ' '}{(align or '>').replace('=', '>')}{width}")

    # --- what needs the value --------------------------------------------------------------------

    def __bool__(self) -> bool:
        asks = sys._getframe(1)
        if (asks.f_globals.get("__name__"), asks.f_code.co_name) in _EITHER_WAY:
            return True
        refuse("a decision (an if, a while, max, a comparison) by a number read from a tensor")

    def __float__(self) -> float:
        if is_for_printf():
            return math.nan
        refuse(
            "a plain number is asked for (by float(), or a function written in C) of one that was "
            "read from a tensor, which"
        )

    def __int__(self) -> int:
        if is_for_printf():
            return 0
        refuse("int() of a number read from a tensor")

    def __index__(self) -> int:  # noqa: PLE0305 - it raises
        refuse("a size, an index or a range by a number read from a tensor")

    def __complex__(self) -> complex:
        refuse("complex() of a number read from a tensor")

    def __hash__(self) -> int:  # noqa: PLE0309 - it raises
        refuse("a key of a dictionary or a set that is a number read from a tensor")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse("a number read from a tensor is pickled, which")

    # --- what does not ---------------------------------------------------------------------------

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, memo: Any) -> StandIn:
        return self

    def __neg__(self) -> StandIn:
        return _number(self)

    def __pos__(self) -> StandIn:
        return _number(self)

    def __abs__(self) -> StandIn:
        return _number(self)

    def __invert__(self) -> StandIn:
        if self.kind is float:
            raise TypeError("bad operand type for unary ~: 'float'")
        return StandInInt()

    def __round__(self, digits: int | None = None) -> StandIn:
        return StandInInt() if digits is None else _number(self)

    def __trunc__(self) -> StandIn:
        return StandInInt()

    def __floor__(self) -> StandIn:
        return StandInInt()

    def __ceil__(self) -> StandIn:
        return StandInInt()

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __eq__(self, other: object) -> Any:
        return StandInBool() if _kind(other) is not None else NotImplemented

    def __ne__(self, other: object) -> Any:
        return StandInBool() if _kind(other) is not None else NotImplemented

    def conjugate(self) -> StandIn:
        """Return the number itself, as every real one does."""
        return _number(self)

    def is_integer(self) -> StandIn:
        """Say that it is not known."""
        return StandInBool()

    def item(self) -> StandIn:
        """Return the number itself, as NumPy's numbers do."""
        return self

    @property
    def real(self) -> StandIn:
        """The number itself."""
        return _number(self)

    @property
    def imag(self) -> int:
        """Zero, as for every real number."""
        return 0

    # --- PyTorch and NumPy -----------------------------------------------------------------------

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", str(func))
        base = name.strip("_").removeprefix("foreach_")
        kwargs = kwargs or {}
        by_index = base == "setitem" and holds_stand_in(args[:2])
        if base not in _OPERATIONS or by_index:
            refuse(f"{name} with a number read from a tensor")
        given, named = given_inside((args, dict(kwargs)))
        made = func(*given, **named)
        for value in tree_leaves((made, args if name.endswith("_") else (), kwargs.get("out"))):
            forget_value(value)
        return made

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        import numpy as np

        name = ufunc.__name__
        if method != "__call__" or kwargs.get("out") is not None:
            refuse(f"numpy.{name} with a number read from a tensor")
        if any(isinstance(one, np.ndarray) and one.ndim for one in inputs):
            arrays = [
                np.asarray(one, dtype=object if isinstance(one, StandIn) else None).astype(object)
                for one in inputs
            ]
            return ufunc(*arrays, dtype=object)
        if name in ("isnan", "isinf", "isfinite", "signbit"):
            return StandInBool()
        if name in _FUNCTIONS:
            return StandInFloat()
        operation = getattr(operator, _OPERATORS_OF_NUMPY.get(name, name), None)
        if operation is None:
            refuse(f"numpy.{name} with a number read from a tensor")
        return operation(
            *(one.item() if isinstance(one, (np.generic, np.ndarray)) else one for one in inputs)
        )


def is_for_printf() -> bool:
    """Whether the code above the caller writes a number into a text, as in ``"%.3f" % loss``.

    That asks for a plain number as all functions in C do, but does no more than to write it.
    """
    frame = sys._getframe(2)
    code, at = frame.f_code.co_code, frame.f_lasti
    name = dis.opname[code[at]]
    return name.endswith("_MODULO") or (name == "BINARY_OP" and code[at + 1] in _PERCENT)


def given_inside(value: Any) -> Any:
    """Return what PyTorch is given: each stand-in in a nested value is what is inside of it."""
    return tree_map(lambda one: one.inside if isinstance(one, StandIn) else one, value)


def _number(value: StandIn) -> StandIn:
    return StandInFloat() if value.kind is float else StandInInt()


def _kind(value: object) -> type | None:
    """Whether an operand is a float or an int; None if it is no real number."""
    if isinstance(value, StandIn):
        return int if value.kind is bool else value.kind
    if isinstance(value, numbers.Integral):
        return int
    return float if isinstance(value, numbers.Real) else None


def _arithmetic(*, always_float: bool = False) -> Callable[[StandIn, Any], Any]:
    def operation(self: StandIn, other: Any) -> Any:
        kind = _kind(other)
        if kind is None:
            return NotImplemented
        is_float = always_float or float in (kind, self.kind)
        return StandInFloat() if is_float else StandInInt()

    return operation


def _compared(self: StandIn, other: Any) -> Any:
    return NotImplemented if _kind(other) is None else StandInBool()


def _of_bits(self: StandIn, other: Any) -> Any:
    kind = _kind(other)
    if kind is not int or self.kind is float:
        return NotImplemented
    both = self.kind is bool and isinstance(other, bool)
    return StandInBool() if both else StandInInt()


def _function(self: StandIn) -> StandIn:
    return StandInFloat()


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    for _side in ("", "r"):
        setattr(StandIn, f"__{_side}{_name}__", _arithmetic())
for _name in ("truediv", "pow"):  # an int to the power of an int is a float if that is negative
    for _side in ("", "r"):
        setattr(StandIn, f"__{_side}{_name}__", _arithmetic(always_float=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(StandIn, f"__{_name}__", _compared)
for _name in ("and", "or", "xor"):
    for _side in ("", "r"):
        setattr(StandIn, f"__{_side}{_name}__", _of_bits)
for _name in _FUNCTIONS:  # NumPy asks an object for these
    setattr(StandIn, _name, _function)


class StandInFloat(StandIn):
    """Stands in for a float."""

    __slots__ = ()


class StandInInt(StandIn):
    """Stands in for an int."""

    __slots__ = ()
    kind: type = int
    inside: float = 3


class StandInBool(StandIn):
    """Stands in for a truth that is not known."""

    __slots__ = ()
    kind: type = bool
    inside: float = True


def stand_in_for(dtype: torch.dtype) -> StandIn:
    """Return a stand-in for an element of a tensor.

    Raises
    ------
    DryRunError
        If it is complex.
    """
    if dtype.is_complex:
        refuse(".item() of a complex tensor")
    if dtype is torch.bool:
        return StandInBool()
    return StandInFloat() if dtype.is_floating_point else StandInInt()


def array_of_stand_ins(shape: Iterable[int], dtype: torch.dtype) -> Any:
    """Return a NumPy array of objects, with a stand-in for each element of a tensor."""
    import numpy as np

    made = np.empty(tuple(shape), dtype=object)
    made.fill(stand_in_for(dtype))
    return made


def holds_stand_in(value: Any) -> bool:
    """Whether a value is a stand-in, or a list or tuple with one in it."""
    if isinstance(value, StandIn):
        return True
    return type(value) in (list, tuple) and any(map(holds_stand_in, value))
