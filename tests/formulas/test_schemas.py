"""Formulas read arguments by names that the operators' own schemas have."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

from ipyflops.formulas.registry import REGISTRY
from tests.formulas import schemas
from tests.missing import RELEASE


@pytest.fixture(scope="module", autouse=True)
def late_operators() -> None:
    schemas.load_modules()


def parse(function: Callable[..., Any]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def names_read(function: Callable[..., Any]) -> set[str]:
    """The names of arguments that a function asks its ``call`` for."""
    return {name for node in ast.walk(parse(function)) for name in _asked_for(node)}


@functools.cache
def helpers(function: FunctionType) -> frozenset[FunctionType]:
    """What a function hands its ``call`` to, directly or not; the function is one of them."""
    found = {function}
    for node in ast.walk(parse(function)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            helper = function.__globals__.get(node.func.id)
            handed = any(isinstance(one, ast.Name) and one.id == "call" for one in node.args)
            if handed and isinstance(helper, FunctionType) and helper not in found:
                found |= helpers(helper)
    return frozenset(found)


def _asked_for(node: ast.AST) -> Iterator[str]:
    """The names in ``call["name"]``, ``call.get("name")`` and ``"name" in call``."""
    asked: list[ast.expr] = []
    if isinstance(node, ast.Subscript) and _is_call(node.value):
        asked = [node.slice]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and _is_call(node.func.value):
            asked = node.args[:1]
    elif isinstance(node, ast.Compare) and _is_call(node.comparators[0]):
        asked = [node.left]
    for one in asked:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "call"


def readers() -> dict[FunctionType, set[str]]:
    """Formulas and their helpers, with the operators whose calls each may get."""
    entries = [
        *REGISTRY.formulas.items(),
        *((name, entry) for (_, name), entry in REGISTRY.structured_formulas.items()),
    ]
    operators: dict[FunctionType, set[str]] = {}
    for name, entry in entries:
        for function in helpers(entry.function):  # type: ignore[arg-type]
            operators.setdefault(function, set()).add(name)
    return operators


def arguments_of(name: str) -> set[str] | None:
    """The names of an operator's arguments in all its overloads and releases; None if unknown."""
    known = [*schemas.installed(name), *schemas.released(name).values()]
    if not known:
        return None
    return {argument.name for func in known for argument in func._schema.arguments}


#: Formulas are for the operators of all releases, and read arguments that only newer ones have.
has_all = pytest.mark.skipif(RELEASE < (2, 13), reason="this PyTorch lacks operators of newer ones")


@has_all
def test_the_schema_of_every_operator_with_a_formula_is_at_hand() -> None:
    names = [name for name in REGISTRY.formulas if not name.startswith("higher_order::")]
    assert [name for name in names if arguments_of(name) is None] == []


@has_all
def test_every_argument_that_a_formula_reads_is_one_of_its_operators() -> None:
    """A formula or helper that serves several may ask for what only one of them has."""
    wrong, checked = [], 0
    for function, names in readers().items():
        known = [arguments for name in names if (arguments := arguments_of(name)) is not None]
        if "*" in names or not known:
            continue
        checked += 1
        missing = names_read(function) - set().union(*known)
        if missing:
            wrong.append(f"{function.__module__}.{function.__name__}: {sorted(missing)}")
    assert not wrong
    assert checked > 200
