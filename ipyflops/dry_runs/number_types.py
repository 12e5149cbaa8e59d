"""``float(loss)`` and ``int(count)`` in the user's code, which give stand-ins where they have to.

Python takes nothing but a real float from ``float(…)``, and a real one could not tell where
something is decided by it. So the user's variables get a ``float`` and an ``int`` of their own as
long as a dry run lasts. Called with a number that is not known they give a stand-in, and are
Python's types in all else. In a library's code such a call stays an error.

PyTorch and NumPy know these types by identity where they are given as a dtype. So they are
replaced only where no code that is reached hands them to what may take a dtype.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from types import CodeType
from typing import Any

from ipyflops.dry_runs.conversion import is_of_dry_run
from ipyflops.dry_runs.stand_ins import StandIn, StandInFloat, StandInInt

#: Names of functions and arguments that take a type as a dtype.
_TAKE_DTYPES = frozenset(
    (
        *("dtype", "out_dtype", "astype", "asarray", "array", "view", "to", "type", "to_empty"),
        *("zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like"),
        *("arange", "linspace", "eye", "tensor", "as_tensor", "new_zeros", "new_ones", "new_full"),
        *("new_empty", "new_tensor", "Series", "DataFrame", "fromiter", "read_csv", "loadtxt"),
    )
)
#: Instructions that end a statement begin so.
_ENDS = ("STORE_", "POP_TOP", "POP_JUMP", "RETURN")
#: Where the compiler's mark of a call stands, from the instruction that loads what is called.
_MARK = 1 if sys.version_info >= (3, 13) else -1


class _TypeOfNumbers(type):
    """The type of a type that passes for another one, except where it is called."""

    own: type
    stand_in: type[StandIn]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:
            value = args[0].item() if is_of_dry_run(args[0]) else args[0]
            return cls.stand_in() if isinstance(value, StandIn) else cls.own(value)
        return cls.own(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.own)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.own)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.own

    def __hash__(cls) -> int:
        return hash(cls.own)

    def __repr__(cls) -> str:
        return repr(cls.own)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.own, name)

    def __or__(cls, other: Any) -> Any:
        return cls.own | other

    def __ror__(cls, other: Any) -> Any:
        return other | cls.own


class _Float(metaclass=_TypeOfNumbers):
    own = float
    stand_in = StandInFloat


class _Int(metaclass=_TypeOfNumbers):
    own = int
    stand_in = StandInInt


_TYPES: dict[str, type] = {"float": _Float, "int": _Int}


def types_for(parts: Iterable[CodeType], variables: MutableMapping[str, Any]) -> dict[str, type]:
    """Return the types that code may find among its global variables, by the names that it uses."""
    codes = [one for part in parts for one in _with_nested(part)]
    return {
        name: kind
        for name, kind in _TYPES.items()
        if name not in variables
        and any(name in code.co_names for code in codes)
        and not any(_may_be_a_dtype(code, name) for code in codes)
    }


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


@functools.lru_cache(maxsize=4096)
def _may_be_a_dtype(code: CodeType, name: str) -> bool:
    """Whether a statement hands the type on, and names something that takes dtypes."""
    if name not in code.co_names:
        return False
    steps = list(dis.get_instructions(code))
    handed_on, names = False, set[str]()
    for at, step in enumerate(steps):
        if step.opname.startswith(_ENDS):
            handed_on, names = False, set()
        elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval == name:
            handed_on = handed_on or not _is_called(steps, at)
        else:
            names.update(_texts(step.argval))
        if handed_on and not names.isdisjoint(_TAKE_DTYPES):
            return True
    return False


def _texts(value: object) -> Iterator[str]:
    """A name, or the names of the arguments of a call."""
    return (
        one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str)
    )


def _is_called(steps: list[dis.Instruction], at: int) -> bool:
    """Whether what an instruction loads is called: by a mark of the compiler's, or what follows."""
    beside = at + _MARK
    marked = 0 <= beside < len(steps) and steps[beside].opname == "PUSH_NULL"
    if marked or "NULL" in steps[at].argrepr:
        return True
    depth = 1  # Python 3.10 has no such mark: where is what was loaded taken from the stack?
    for step in steps[at + 1 :]:
        if step.opname.startswith("CALL_FUNCTION") and depth + _effect(step) <= 1:
            return depth + _effect(step) == 1
        depth += _effect(step)
        if depth < 1 or "JUMP" in step.opname:
            return False
    return False


def _effect(step: dis.Instruction) -> int:
    return dis.stack_effect(step.opcode, step.arg)
