"""Lets the functions in a line's code see the variables of the function that the line stands in.

In ``def f(n): %flops sum(n for _ in range(3))`` the generator is a function of its own. Compiled
as a cell, it would look for ``n`` among the globals. Here the code becomes the body of a function
whose variables those of ``f`` are, and its globals stay the shell's own. Python's debugger does
the same since 3.13.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
from collections.abc import Callable, Collection, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType
from typing import Any

from ipyflops.cells.garbage import uncollected
from ipyflops.cells.variables import functions_in, variables_named_within

_TEMPLATE = """\
def outer():
    {names} = None
    {kind} inner():
        nonlocal {listed}
        pass
"""
_PREFIX = "outer.<locals>.inner"


@dataclass(frozen=True)
class Enclosed:
    """Code as the body of a function, whose free variables are those of another one.

    Attributes
    ----------
    code : code
    """

    code: CodeType

    @contextmanager
    def among(
        self, variables: MutableMapping[str, Any], globals_: dict[str, Any]
    ) -> Iterator[Callable[[], Any]]:
        """Give a function that runs the code; what that has assigned is put back at the end.

        Parameters
        ----------
        variables : mutable mapping of str to object
            Of the function that the code stands in.
        globals_ : dict
        """
        known = (variables, globals_, vars(builtins))
        before: dict[str, list[Any]] = {
            name: [space[name] for space in known if name in space][:1]
            for name in self.code.co_freevars
        }
        cells = {name: CellType(*value) for name, value in before.items()}
        try:
            yield FunctionType(self.code, globals_, "<module>", None, tuple(cells.values()))
        finally:
            for name, cell in cells.items():
                after = _contents(cell)
                if not after:
                    # The variables of a frame cannot be deleted from outside, from 3.13 on.
                    with suppress(KeyError, TypeError, ValueError):
                        del variables[name]
                elif not before[name] or before[name][0] is not after[0]:
                    variables[name] = after[0]


def _contents(cell: CellType) -> list[Any]:
    """What a cell holds: one object, or none."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def enclose(
    module: ast.Module,
    parts: Collection[CodeType],
    variables: Collection[str],
    compile_module: Callable[[ast.Module], CodeType],
) -> Enclosed | None:
    """Make code the body of a function, if functions in it need the variables around them.

    Parameters
    ----------
    module : ast.Module
        The code; not changed.
    parts : collection of code
        The same, compiled as a cell.
    variables : collection of str
        The names of the variables of the function that the code stands in.
    compile_module : callable
        Compiles a module.

    Returns
    -------
    Enclosed or None
        None if the code does without, or cannot stand in a function.
    """
    inner = set(variables_named_within(one for part in parts for one in functions_in(part)))
    if not inner.intersection(variables):
        return None
    steps = [one for part in parts for one in dis.get_instructions(part)]
    # Those that a `global` statement names stay global.
    own = {str(one.argval) for one in steps if one.opname.endswith("_GLOBAL")}
    stored = {str(one.argval) for one in steps if one.opname in {"STORE_NAME", "DELETE_NAME"}}
    named = {str(one.argval) for one in steps if one.opname.endswith("_NAME")} | inner
    names = sorted((named.intersection(variables) | stored) - own)
    awaits = any(part.co_flags & inspect.CO_COROUTINE for part in parts)
    template = uncollected(
        ast.parse,
        _TEMPLATE.format(
            names=" = ".join(names), listed=", ".join(names), kind="async def" if awaits else "def"
        ),
    )
    function: Any = template.body[0]
    body = list(module.body)
    if body and isinstance(body[-1], ast.Expr):
        body[-1] = ast.copy_location(ast.Return(body[-1].value), body[-1])
    function.body[1].body[1:] = body
    try:
        outer = compile_module(template)
    except SyntaxError:  # `from module import *`
        return None
    (code,) = (one for one in functions_in(functions_in(outer)[0]) if one.co_name == "inner")
    return Enclosed(_renamed(code).replace(co_name="<module>"))


def _renamed(code: CodeType) -> CodeType:
    """The same code, and functions in it, under the names that they have in a cell."""
    constants = tuple(_renamed(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    if not hasattr(code, "co_qualname"):
        return code.replace(co_consts=constants)  # Python 3.10 has these names elsewhere
    name = code.co_qualname
    name = "<module>" if name == _PREFIX else name.removeprefix(f"{_PREFIX}.<locals>.")
    return code.replace(co_consts=constants, co_qualname=name)
