"""Which variables code names: itself, in the functions that it defines, and in those that it calls.

Names of attributes are not among them: of ``model.base(x)`` only ``model`` and ``x`` are.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

_NAMING = ("_NAME", "_GLOBAL", "_GLOBALS")


def variables_named(code: CodeType) -> set[str]:
    """The variables that code names outside of functions; of a class those that are not its own."""
    steps = [one for one in dis.get_instructions(code) if one.opname != "IMPORT_NAME"]
    named = {str(one.argval) for one in steps if one.opname.endswith(_NAMING)}
    if code.co_name == "<module>" or code.co_flags & inspect.CO_OPTIMIZED:
        return named
    return named - {str(one.argval) for one in steps if one.opname == "STORE_NAME"}


def variables_named_within(codes: Iterable[CodeType]) -> Iterator[str]:
    """The variables that code names, with the functions and classes in it, that are not theirs."""
    for code in codes:
        yield from variables_named(code)
        yield from variables_named_within(functions_in(code))


def functions_in(code: CodeType) -> list[CodeType]:
    """The functions, classes and generators that stand in code."""
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def variables_used(parts: Iterable[CodeType], namespace: Mapping[str, Any]) -> set[str]:
    """The variables of a namespace that code names, also by functions that were defined there.

    Parameters
    ----------
    parts : iterable of code
    namespace : mapping of str to object
        The globals of the code.
    """
    used: set[str] = set()
    waiting = list(parts)
    while waiting:
        code = waiting.pop()
        new = {*variables_named_within([code]), *code.co_freevars} - used
        used |= new
        for name in new:
            value = namespace.get(name)
            if isinstance(value, FunctionType) and value.__globals__ is namespace:
                waiting.append(value.__code__)
    return used
