"""Who asked for an operator, where dispatch modes and tensor subclasses hand it on.

``x + y`` in a cell, under another counter: the operator reaches this counter from the other one's
handler, which runs for the line of the cell. That line asked.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from ipyflops.attribution.frames import read_variables
from ipyflops.torch_private import (
    CALL_CODE,
    COMPILED_CALLS_FILE,
    GUARDED_CALLS_FILE,
    OPERATORS_MODULE,
    TorchDispatchMode,
    UnwrappedMode,
    direct_call,
)

#: The method by which dispatch modes and tensor subclasses handle operators.
_HANDLER = "__torch_dispatch__"
_OPERATORS_FILE = sys.modules[OPERATORS_MODULE].__file__
#: Where operators are called by their names, and what keeps a handler from being compiled.
_HANDING_ON = (_OPERATORS_FILE, COMPILED_CALLS_FILE, GUARDED_CALLS_FILE)


def hands_on(code: CodeType) -> bool:
    """Whether the frames of a code object may call operators that others asked for."""
    return code.co_name == _HANDLER or code.co_filename == _OPERATORS_FILE


def asking_frame(frame: FrameType, func: Any) -> FrameType:
    """Give the frame that asked for an operator, below all that only hand it on.

    Those are the operator's own ``__call__``, and modes and tensor subclasses that handle this very
    operator. What a subclass runs instead of another operator, it asks for itself.

    Parameters
    ----------
    frame : frame
        It called the operator.
    func : torch._ops.OpOverload
        The operator.
    """
    asking = _below_operator(frame)
    current: FrameType | None = asking
    while current is not None and current.f_code is not CALL_CODE:
        caller = current.f_back
        if caller is not None and current.f_code.co_name == _HANDLER and _handles(current, func):
            asking = _below_operator(caller)
        current = caller
    return asking


def _below_operator(frame: FrameType) -> FrameType:
    """The first frame that neither calls an operator nor keeps a handler from being compiled."""
    while frame.f_code.co_filename in _HANDING_ON and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _handles(handler: FrameType, func: Any) -> bool:
    """Whether a handler was called for an operator: its first parameter after `self` says which."""
    names = handler.f_code.co_varnames[: handler.f_code.co_argcount]
    variables = read_variables(handler)
    return any(variables.get(name) is func for name in names[:2])


def references_between(frame: FrameType, asking: FrameType, tensor: Any) -> float:
    """Count the references to a tensor that those hold who handed an operator on.

    Beside what their frames hold, calling an operator from Python may take one. Where a tensor
    subclass hands it on there may be any number: its objects hold the tensors that they wrap.
    """
    found = 0
    seen: set[int] = set()
    current: FrameType | None = frame
    while current is not None and current is not asking:
        variables = read_variables(current)
        if current.f_code.co_name == _HANDLER:
            if not _is_of_mode(current, variables):
                return math.inf
            found += _TAKEN
        for value in variables.values():
            found += value is tensor
            if isinstance(value, (tuple, list)) and id(value) not in seen:
                seen.add(id(value))
                found += sum(item is tensor for item in value)
        current = current.f_back
    return found


def _is_of_mode(handler: FrameType, variables: Mapping[str, Any]) -> bool:
    first = variables.get(handler.f_code.co_varnames[0])
    return issubclass(type(first), TorchDispatchMode)


def _references_without_holder() -> int:
    """How many references a dispatched tensor has that only PyTorch's C++ code holds.

    One is that of the arguments, one that of asking. From PyTorch 2.10 on, C++ code that holds a
    tensor holds its Python object as well.
    """
    held, holder = torch.empty(0), torch.empty(0)
    holder.grad = held  # a reference from C++
    return sys.getrefcount(held)


class _Counts(UnwrappedMode, TorchDispatchMode):
    """Counts the references to what an operator is given, and hands it on if it is to."""

    def __init__(self, hands_on: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.references = 0
        self._hands_on = hands_on

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.references = sys.getrefcount(args[0])
        return direct_call(func)(*args) if self._hands_on else args[0]


def _references_of_a_call() -> int:
    """How many references to a tensor the call of an operator from Python takes.

    It is one in PyTorch 2.13 and none in 2.11. The outer mode runs nothing, so that no mode of the
    user's sees the operator.
    """
    tensor = torch.empty(0)
    with _Counts(hands_on=False) as outer, _Counts(hands_on=True) as inner:
        torch.neg(tensor)
    taken: int = outer.references - inner.references - 1  # the inner mode's own `args`
    return taken


#: The references to a tensor in ``args`` when ``sys.getrefcount(args[0])`` asks.
UNHELD = _references_without_holder()
_TAKEN = _references_of_a_call()
