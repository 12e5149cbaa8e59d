"""The stack of dispatch modes: leaving it from the middle, and giving others the first look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ipyflops.torch_private import TorchDispatchMode, mode_stack


def contains(mode: TorchDispatchMode) -> bool:
    """Whether a mode is on this thread's stack; it is not while it handles an operator."""
    return any(one is mode for one in mode_stack())


def enter(mode: TorchDispatchMode) -> None:
    """Put a mode on top, without what a class of modes does on entering besides."""
    TorchDispatchMode.__enter__(mode)


def leave(mode: TorchDispatchMode) -> None:
    """Take a mode from wherever it is: another asyncio task may have entered one since."""
    above: list[TorchDispatchMode] = []
    for one in reversed(mode_stack()):
        TorchDispatchMode.__exit__(one, None, None, None)
        if one is mode:
            break
        above.append(one)
    for one in reversed(above):
        enter(one)


def others(own: type[TorchDispatchMode]) -> list[TorchDispatchMode]:
    """The modes on the stack that are the user's own; torch has some that it keeps below them."""
    return [
        mode
        for mode in mode_stack()
        if not issubclass(type(mode), own) and not mode.is_infra_mode()
    ]


@contextmanager
def beneath(mode: TorchDispatchMode, first: Iterable[TorchDispatchMode]) -> Iterator[None]:
    """Put a mode on the stack with some others, which are on it already, above it."""
    before = [one for one in mode_stack() if not one.is_infra_mode()]
    first = list(first)
    order = [one for one in before if one not in first] + [mode, *first]
    for one in reversed(before):
        TorchDispatchMode.__exit__(one, None, None, None)
    for one in order:
        enter(one)
    try:
        yield
    finally:
        for one in reversed(order):
            TorchDispatchMode.__exit__(one, None, None, None)
        for one in before:
            enter(one)
