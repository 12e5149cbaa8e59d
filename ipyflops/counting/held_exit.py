"""Ends a block even where an interrupt arrives before the first step of its ``__exit__``.

Python looks for interrupts, among others, when a function begins. One that arrives at the end of a
block is thus raised in `__exit__` before any of its code has run, and nobody calls `__exit__`
again. But a ``with`` statement asks for the exit function before the block begins, holds it, and
drops it where the block ends, however that happens. So the object that it gets notices when it is
dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import local
from typing import Any, Protocol, TypeVar, cast
from weakref import ref

Function = TypeVar("Function", bound=Callable[..., Any])


class Endable(Protocol):
    """What a ``with`` statement begins.

    Attributes
    ----------
    guard : weakref.ref or None
        Calls `dropped`, as long as it is there: to be deleted when the block has ended.
    """

    guard: ref[Any] | None

    def dropped(self, reference: ref[Any]) -> None:
        """End the block: nobody can call its exit function any more."""


class _ExitMethod:
    """Stands for the method `__exit__` in a class.

    What it gives is made of no Python code, so that no frame, and no traceback, refers to it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, owner: Any, kind: type | None = None) -> Callable[..., Any]:
        if owner is None:
            return self._function
        exit_function = partial(self._function, owner)
        _latest.reference = ref(exit_function)
        return exit_function


_latest = local()


def held(function: Function) -> Function:
    """Decorate the method `__exit__`, so that `ended_by_with` works.

    The method gets the block, which only a ``with`` statement knows, as the argument `block`.
    """
    return cast("Function", _ExitMethod(function))


def ended_by_with(owner: object, block: Endable) -> None:
    """Have the ``with`` statement that enters `owner` now end a block, at the latest.

    Where no such statement has asked for the exit function before, nothing happens.
    """
    reference = getattr(_latest, "reference", None)
    exit_function: partial[Any] | None = None if reference is None else reference()
    if exit_function is None or exit_function.args[0] is not owner or exit_function.keywords:
        return  # the exit function of another block
    exit_function.keywords["block"] = block
    block.guard = ref(exit_function, block.dropped)
