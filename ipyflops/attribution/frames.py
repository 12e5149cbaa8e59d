"""What a Python frame can tell: classified by its code, read with care."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from ipyflops.torch_private import (
    CALL_CODE,
    COMPILED_CALLS_FILE,
    ENGINE_CODE,
    HIGHER_ORDER_FOLDER,
    SHARDING_FILE,
)

# What a code object can tell; it may be several of these.
SELF = 1  # it has a variable `self`
USER = 2  # it is in the file whose lines are wanted
ENGINE = 4  # it drives the autograd engine
DROPOUT = 8  # it is torch.nn.functional.dropout or a sibling
CALL = 16  # it is the function through which a module is called
CONSTRUCTOR = 32  # it is an __init__
SUSPENDABLE = 64  # a generator or coroutine: who calls it changes while it lives
COMPILED = 128  # through it torch.compile calls what it has compiled, here the eager code
FOLLOWED = 512  # the lines of it are told apart, if it is a module's method
REHEARSAL = 256  # it runs operators on fake tensors of torch's own, only to learn their shapes

_MODULE_FILE = torch.nn.modules.module.__file__
_GRAPH_FILE = torch.fx.graph_module.__file__
_FUNCTIONAL_FILE = torch.nn.functional.__file__
_TORCH = os.path.dirname(torch.__file__)
#: Where no frame holds a variable of the user's: torch, what it has generated, and this package.
_IPYFLOPS = os.path.dirname(os.path.dirname(__file__))
_NOT_THE_USERS = (_TORCH + os.sep, "<eval_with_key>", _IPYFLOPS + os.sep)
_DROPOUT_NAMES = frozenset(
    {
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
    }
)
_SUSPENDABLE_FLAGS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_SNAPSHOTS = sys.version_info < (3, 13)


def classify(code: CodeType, user_file: str) -> int:
    """What frames of a code object can tell, as a sum of the constants above; 0 for nothing."""
    kind = 0
    file = code.co_filename
    if code is ENGINE_CODE:
        kind = ENGINE
    elif file == _MODULE_FILE:
        # Of the machinery of nn.Module only the call itself tells something.
        kind = CALL if code is CALL_CODE else 0
    elif file == _GRAPH_FILE:
        kind = 0  # how a graph's module is called: through objects that are called like a module
    elif file == _FUNCTIONAL_FILE:
        kind = DROPOUT if code.co_name in _DROPOUT_NAMES else 0
    elif file == COMPILED_CALLS_FILE:
        # The same file has the wrapper of code that must not be compiled: of optimizers, say.
        kind = COMPILED if code.co_name == "compile_wrapper" else 0
    elif file == SHARDING_FILE:
        kind = REHEARSAL
    elif "self" in code.co_varnames[: code.co_argcount] or "self" in code.co_freevars:
        kind = SELF | (CONSTRUCTOR if code.co_name == "__init__" else 0)
    if file == user_file:
        kind |= USER
    if kind and code.co_flags & _SUSPENDABLE_FLAGS:
        kind |= SUSPENDABLE
    return kind


def is_outside_torch(code: CodeType) -> bool:
    """Whether code is somebody's own and not PyTorch's."""
    return not code.co_filename.startswith(_NOT_THE_USERS)


def self_of(frame: FrameType) -> Any:
    """The variable ``self`` of a frame; None if it has none now. See `read_variables`."""
    variables = frame.f_locals
    found = variables.get("self")
    if (
        _SNAPSHOTS
        and frame.f_code.co_flags & inspect.CO_OPTIMIZED
        and sys.getrefcount(variables) <= 3
    ):
        variables.clear()
    return found


def calls_itself(frame: FrameType, module: object) -> bool:
    """Whether a module's own ``__call__`` led to torch's, which `frame` is of."""
    outer = frame.f_back.f_back if frame.f_back is not None else None
    return outer is not None and outer.f_code.co_name == "__call__" and self_of(outer) is module


def by_higher_order(frame: FrameType) -> bool:
    """Whether compiled code is called by a higher-order operator, which has compiled it itself."""
    caller = frame.f_back
    return caller is not None and caller.f_code.co_filename.startswith(HIGHER_ORDER_FOLDER)


def read_variables(frame: FrameType) -> Mapping[str, Any]:
    """The variables of a frame.

    Up to Python 3.12 reading ``f_locals`` of a function leaves a snapshot of all its variables with
    the frame, which would keep tensors alive that the code lets go of. So it is emptied at once,
    unless somebody else holds it: what ``locals()`` gives there is this same dictionary.
    """
    variables = frame.f_locals
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return variables  # a module's or class's own namespace, no snapshot
    found = dict(variables)
    # Three references: the frame's, this function's, and that of the question itself.
    if _SNAPSHOTS and sys.getrefcount(variables) <= 3:
        variables.clear()
    return found


def user_frames(
    frame: FrameType, user_file: str, thread: int
) -> tuple[list[FrameType], list[FrameType]]:
    """The frames that may hold the user's variables, in the order in which to look.

    First those of the user's file, the outermost first; then all others around that are neither
    torch's nor ours, from the inside out, and at last those of the thread that entered the block.
    """
    around = list(_around(frame.f_back))
    if threading.get_ident() != thread:
        around.extend(_around(sys._current_frames().get(thread)))
    in_file = [one for one in around if one.f_code.co_filename == user_file]
    others = [
        one
        for one in around
        if one.f_code.co_filename != user_file
        and not one.f_code.co_filename.startswith(_NOT_THE_USERS)
    ]
    return in_file[::-1], others


def _around(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
