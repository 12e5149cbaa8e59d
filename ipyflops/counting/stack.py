"""The stack of dispatch modes: how to leave it from the middle, and how to go below others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ipyflops.torch_private import TorchDispatchMode, mode_stack


def contains(mode: TorchDispatchMode) -> bool:
    """Whether a mode is on this thread's stack; a mode that handles an operator is not on it."""
    return any(one is mode for one in mode_stack())


def enter(mode: TorchDispatchMode) -> None:
    """Put a mode on top; does nothing else, as its own ``__enter__`` might."""
    TorchDispatchMode.__enter__(mode)


def leave(mode: TorchDispatchMode) -> None:
    """Take a mode off the stack, even from below others that a task has entered since."""
    above: list[TorchDispatchMode] = []
    for one in reversed(mode_stack()):
        TorchDispatchMode.__exit__(one, None, None, None)
        if one is mode:
            break
        above.append(one)
    for one in reversed(above):
        enter(one)


def user_modes(own: type[TorchDispatchMode]) -> list[TorchDispatchMode]:
    """Give the modes on the stack that are the user's: neither of class `own` nor PyTorch's."""
    return [
        mode
        for mode in mode_stack()
        if not issubclass(type(mode), own) and not mode.is_infra_mode()
    ]


@contextmanager
def beneath(mode: TorchDispatchMode, above: Iterable[TorchDispatchMode]) -> Iterator[None]:
    """Put a mode on the stack below some others, which are on it already."""
    before = [one for one in mode_stack() if not one.is_infra_mode()]
    above = list(above)
    order = [one for one in before if one not in above] + [mode, *above]
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
