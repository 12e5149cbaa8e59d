"""The stack of dispatch modes of a thread: how to leave it from the middle, or go below others.

Whatever is done here can be done again: what an interrupt has cut short is then put right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ipyflops.torch_private import (
    TorchDispatchMode,
    let_functions_reach,
    mode_stack,
    pop_mode,
    push_mode,
    settle_mode_flags,
    stack_height,
)


class BlockMode(TorchDispatchMode):
    """A mode that belongs to a block, and knows whether it belongs on this thread's stack."""

    def belongs_here(self) -> bool:
        """Whether operators that this thread runs are to pass through the mode."""
        raise NotImplementedError


def contains(mode: TorchDispatchMode) -> bool:
    """Whether a mode is on this thread's stack; a mode that handles an operator is not on it."""
    return any(one is mode for one in mode_stack())


def enter(mode: TorchDispatchMode, *, elsewhere: bool) -> None:
    """Put a mode on top; `elsewhere` says whether another thread has one on its stack."""
    if not contains(mode):
        let_functions_reach(mode)
        push_mode(mode)
    settle_mode_flags(elsewhere)


def settle(*, elsewhere: bool) -> bool:
    """Take off the modes of blocks that do not belong here, wherever others were entered above.

    Returns
    -------
    bool
        Whether there was one.
    """
    before = _upper()
    left = [one for one in before if not _is_foreign(one)]
    if len(left) < len(before):
        _arrange(left)
    settle_mode_flags(elsewhere)
    return len(left) < len(before)


def leave_all(*, elsewhere: bool) -> None:
    """Take off the modes of all blocks, where a thread ends."""
    _arrange([mode for mode in _upper() if not issubclass(type(mode), BlockMode)])
    settle_mode_flags(elsewhere)


def user_modes() -> list[TorchDispatchMode]:
    """Return the modes on the stack that are the user's: neither of a block nor PyTorch's."""
    return [mode for mode in _upper() if not issubclass(type(mode), BlockMode)]


def run_under(
    mode: TorchDispatchMode, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Call a function with a mode on top of the stack."""
    height = stack_height()
    try:
        push_mode(mode)
        return function(*args, **kwargs)
    finally:
        try:
            _cut_to(height)
        finally:
            _cut_to(height)  # does nothing, unless an interrupt has cut the first one short


def _cut_to(height: int) -> None:
    while stack_height() > height:
        pop_mode()


def run_beneath(
    mode: TorchDispatchMode, above: Iterable[TorchDispatchMode], function: Callable[[], Any]
) -> Any:
    """Call a function with a mode below some others, which are on the stack already."""
    before = _upper()
    above = list(above)
    order = [one for one in before if one not in above] + [mode, *above]
    try:
        _set(order)
        return function()
    finally:
        _arrange(before)


def _upper() -> list[TorchDispatchMode]:
    """The modes on the stack that are not PyTorch's own, which lie below all others."""
    return [mode for mode in mode_stack() if not mode.is_infra_mode()]


def _is_foreign(mode: TorchDispatchMode) -> bool:
    return issubclass(type(mode), BlockMode) and not mode.belongs_here()  # type: ignore[attr-defined]


def _arrange(order: list[TorchDispatchMode]) -> None:
    """Make these the modes on the stack."""
    try:
        _set(order)
    finally:
        _set(order)  # does nothing, unless an interrupt has cut the first one short


def _set(order: list[TorchDispatchMode]) -> None:
    present = _upper()
    equal = 0
    while equal < min(len(present), len(order)) and present[equal] is order[equal]:
        equal += 1
    for _ in present[equal:]:
        pop_mode()
    for mode in order[equal:]:
        push_mode(mode)
