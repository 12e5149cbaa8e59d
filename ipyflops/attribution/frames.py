"""What a Python frame can tell: by its code alone, and by its variables."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from sys import getprofile, getrefcount, gettrace
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

import torch
import torch.utils.checkpoint

from ipyflops.attribution.marks import TraceFunction
from ipyflops.attribution.modules import vars_of
from ipyflops.attribution.this_thread import THREAD, Token
from ipyflops.cells import is_installed, is_the_users
from ipyflops.torch_private import (
    CALL_CODE,
    COMPILED_CALLS_FILE,
    ENGINE_CODE,
    HIGHER_ORDER_FOLDER,
    SHARDING_FILE,
    is_compiled_call,
)

# What a code object can tell. A code object may tell several of these things.
SELF = 1  # it has a variable `self`
USER = 2  # it is in the file whose lines are wanted
ENGINE = 4  # it drives the autograd engine
DROPOUT = 8  # it is torch.nn.functional.dropout or a sibling
CALL = 16  # it is the function through which a module is called
CONSTRUCTOR = 32  # it is an __init__
SUSPENDABLE = 64  # a generator or coroutine: who calls it changes while it lives
COMPILED = 128  # through it torch.compile calls what it has compiled, here the eager code
SHAPE_PROPAGATION = 256  # it runs operators on torch's own fake tensors, only to learn shapes
FOLLOWED = 512  # its lines are told apart, if it is a module's method
CLOSURE = 1024  # an optimizer was given it to compute the loss
UPDATE = 2048  # it works on gradients or averages parameters, as an optimizer does

#: What a place can stand for.
_WITH_METHODS = (torch.nn.Module, torch.optim.Optimizer)
_MODULE_FILE = torch.nn.modules.module.__file__
_GRAPH_FILE = torch.fx.graph_module.__file__
_FUNCTIONAL_FILE = torch.nn.functional.__file__
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
#: Clips gradients.
_CLIPPING_FILE = inspect.getfile(torch.nn.utils.clip_grad_norm_)
_RECOMPUTING_FILES = (
    torch.utils.checkpoint.__file__,
    inspect.getfile(torch.autograd.Function),
)
_UPDATES = frozenset(
    inspect.unwrap(method).__code__
    for method in (
        torch.amp.GradScaler.unscale_,
        torch.amp.GradScaler.step,
        torch.amp.GradScaler.update,
        torch.optim.swa_utils.AveragedModel.update_parameters,
    )
)
#: Of a function's code: its variables are no dictionary.
_OPTIMIZED = inspect.CO_OPTIMIZED
_SUSPENDABLE_FLAGS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
#: Whether reading a function's variables leaves a snapshot of them; see `read_variables`.
_SNAPSHOTS = sys.version_info < (3, 13)
#: How often each snapshot is held by a `FrameIdentity`, by the snapshot's id.
_HELD: dict[int, int] = {}


def classify(code: CodeType, user_file: str, frame: FrameType | None = None) -> int:
    """Say what frames of a code object can tell: a sum of the constants above, 0 for nothing.

    A frame of it, where there is one, tells whether it is a method that has no `self`.
    """
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
        kind = COMPILED if is_compiled_call(code) else 0
    elif file == SHARDING_FILE:
        kind = SHAPE_PROPAGATION
    elif file == _CLIPPING_FILE:
        kind = UPDATE
    elif _has_self(code) or (frame is not None and receiver(frame) is not None):
        kind = SELF | (CONSTRUCTOR if code.co_name == "__init__" else 0)
        kind |= UPDATE if code in _UPDATES else 0
    if file == user_file:
        kind |= USER
    if code.co_flags & _SUSPENDABLE_FLAGS:
        kind |= SUSPENDABLE
    return kind


def is_to_follow(code: CodeType, kind: int, user_file: str) -> bool:
    """Whether the lines of code may be told apart: of methods, and of the user's functions."""
    file = code.co_filename
    if kind & SELF:
        return is_the_users(file)
    # A comprehension is on a line of what it stands in. A file may run as a whole, by %run.
    is_function = code.co_flags & _OPTIMIZED and not code.co_name.startswith("<")
    return (
        bool(is_function or code.co_name == "<module>")
        and file != user_file
        and not is_installed(file)
    )


def self_of(frame: FrameType) -> Any:
    """The variable ``self`` of a frame; None if it has none now. See `read_variables`."""
    code = frame.f_code
    if not code.co_flags & _OPTIMIZED:
        return None  # the body of a class, whose namespace may be an object of any kind
    variables = frame.f_locals
    value = variables.get("self")
    if _SNAPSHOTS:
        # This runs for each call of a module, so the usual case is asked for first.
        if not _HELD and gettrace() is None and getprofile() is None:
            if getrefcount(variables) <= 3:
                _take_out(code, variables)
        elif getrefcount(variables) <= 3 + _HELD.get(id(variables), 0):
            _empty_snapshot(frame, variables)
    if value is None and not _has_self(code):
        return receiver(frame)
    return value


def _has_self(code: CodeType) -> bool:
    return "self" in code.co_varnames[: code.co_argcount] or "self" in code.co_freevars


def receiver(frame: FrameType) -> Any:
    """The module or optimizer whose method a frame runs, where the method has no `self`.

    ``def encode(this, x)`` has another word for it, a class or static method may be given it, and
    a function that was made the ``forward`` of one module may know it from around. None if there is
    none: a plain function that is given a module is not its method.
    """
    code = frame.f_code
    if not (code.co_flags & _OPTIMIZED and is_the_users(code.co_filename)):
        return None
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] + code.co_freevars
    if not names:
        return None
    variables = read_variables(frame)
    for name in names:
        value = variables.get(name)
        if issubclass(type(value), _WITH_METHODS) and _is_method(value, code):
            return value
    return None


def _is_method(holder: object, code: CodeType) -> bool:
    """Whether code is that of a method of an object's class, or of its own ``forward``."""
    for kind in type(holder).__mro__:
        member = vars(kind).get(code.co_name)
        if member is not None:
            if type(member) in (staticmethod, classmethod):
                member = member.__func__
            if any(code is one for one in _codes_of(member)):
                return True
    own = vars_of(holder).get("forward")
    return own is not None and any(code is one for one in _codes_of(own))


def _empty_snapshot(frame: FrameType, variables: dict[str, Any]) -> None:
    """Take the variables of a function out of the snapshot of a frame that runs its code.

    Anything else stays: Python keeps nowhere but there what ``exec("scale = 3")`` or
    ``locals()["extra"] = 7`` in the function has made.
    """
    if gettrace() is not None and _may_be_traced_now(frame):
        return
    profiler = getprofile()
    if profiler is None or not _is_running(profiler):
        _take_out(frame.f_code, variables)


def _take_out(code: CodeType, variables: dict[str, Any]) -> None:
    """Take the variables that code has from a snapshot."""
    pop = variables.pop
    for name in code.co_varnames:
        pop(name, None)
    if variables:
        for name in code.co_cellvars + code.co_freevars:
            variables.pop(name, None)


class FrameIdentity:
    """Tells whether a frame is the one that it was made of, and keeps no tensor alive.

    Up to Python 3.12 a function's frame has a snapshot of its own, which serves: emptied, it holds
    nothing. Where there is none, or a tracer has a use for it, the frame itself is kept.
    """

    __slots__ = ("_frame", "_number", "_snapshot")

    def __init__(self, frame: FrameType) -> None:
        self._number = id(frame)
        self._frame: FrameType | None = None
        self._snapshot: dict[str, Any] | None = None
        if not (_SNAPSHOTS and frame.f_trace is None and frame.f_code.co_flags & _OPTIMIZED):
            self._frame = frame
            return
        self._snapshot = frame.f_locals
        number = id(self._snapshot)
        _HELD[number] = _HELD.get(number, 0) + 1
        self_of(frame)  # empties it

    def is_of(self, frame: FrameType) -> bool:
        """Whether it was made of this frame."""
        if self._snapshot is None or self._number != id(frame):
            return self._frame is frame
        found = frame.f_locals is self._snapshot
        self_of(frame)
        return found

    def __del__(self) -> None:
        if self._snapshot is not None:
            number = id(self._snapshot)
            _HELD[number] -= 1
            if not _HELD[number]:
                del _HELD[number]


def _may_be_traced_now(frame: FrameType) -> bool:
    """Whether a trace function may be at work for a frame; see `_empty_snapshot`.

    When it ends, Python takes the variables of the frame from the snapshot, as it does when a
    profile function ends.
    """
    if not (frame.f_trace is None or issubclass(type(frame.f_trace), TraceFunction)):
        return True
    return _is_running(gettrace())


def _is_running(tracer: Any) -> bool:
    """Whether this thread runs a trace or profile function; one in C (cProfile) has no code."""
    kind: Any = type(tracer)
    code = tracer.__code__ if kind in (FunctionType, MethodType) else _code_of_calls(kind)
    if code is None:
        return False
    running: FrameType | None = sys._getframe()
    while running is not None and running.f_code is not code:
        running = running.f_back
    return running is not None


@lru_cache(64)
def _code_of_calls(kind: Any) -> CodeType | None:
    """The code that runs when an object of a class is called."""
    return getattr(inspect.getattr_static(kind, "__call__", None), "__code__", None)


def calls_itself(frame: FrameType, module: object) -> bool:
    """Whether a module's own ``__call__`` called that of PyTorch, which `frame` is of."""
    outer = frame.f_back.f_back if frame.f_back is not None else None
    return outer is not None and outer.f_code.co_name == "__call__" and self_of(outer) is module


def by_higher_order(frame: FrameType) -> bool:
    """Whether a higher-order operator calls the compiled code; it has compiled that itself."""
    caller = frame.f_back
    return caller is not None and caller.f_code.co_filename.startswith(HIGHER_ORDER_FOLDER)


def read_variables(frame: FrameType) -> Mapping[str, Any]:
    """The variables of a frame.

    Up to Python 3.12 reading ``f_locals`` of a function leaves a snapshot of all its variables with
    the frame, which would keep tensors alive that the code lets go of. So the snapshot is emptied
    at once. It is left as it is if somebody else holds it, because ``locals()`` gives the function
    this same dictionary. Nothing is given of a namespace that is no dictionary, as that of a class
    body may be: reading it would run code of the user's.
    """
    variables = frame.f_locals
    if not frame.f_code.co_flags & _OPTIMIZED:
        # A module's or class's own namespace, no snapshot.
        return variables if issubclass(type(variables), dict) else {}
    copied = dict(variables)
    # Three references: the frame's, this function's, and that of the question itself.
    if _SNAPSHOTS and getrefcount(variables) <= 3 + _HELD.get(id(variables), 0):
        _empty_snapshot(frame, variables)
    return copied


def closure_codes(frame: FrameType) -> Iterator[CodeType]:
    """Give the code of the functions that a frame of an optimizer was given.

    An optimizer calls them to compute the loss, as ``optimizer.step(closure)`` does. Where one is
    wrapped in other functions, the code of these is given, too.
    """
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if len(names) < 2:
        return
    variables = read_variables(frame)
    for name in names:
        yield from _codes_of(variables.get(name))


def _codes_of(function: Any) -> Iterator[CodeType]:
    """Give the code of a function, and of those that it wraps."""
    while function is not None:
        if issubclass(type(function), partial):
            function = function.func
        elif type(function) is MethodType:
            function = function.__func__
        elif type(function) is FunctionType:
            yield function.__code__
            function = function.__dict__.get("__wrapped__")
        else:
            # An object whose class makes it one that can be called.
            call = vars(type(function)).get("__call__")
            function = call if type(call) is FunctionType else None


def may_compute_loss(frame: FrameType, kind: int) -> bool:
    """Whether a frame that an optimizer called may be that of a function for its loss.

    That is any function of the user's, but the methods of an optimizer.
    """
    if not is_the_users(frame.f_code.co_filename):
        return False
    return not (kind & SELF and issubclass(type(self_of(frame)), torch.optim.Optimizer))


def recomputes(frame: FrameType) -> bool:
    """Whether a frame of a backward pass runs a forward again, and is not a hook for gradients.

    What the autograd engine calls tells. Checkpointing runs a forward again, and so does the
    backward of a custom function. Of the user's functions, hooks are given gradients; whatever else
    is given anything else restores what a forward has saved.
    """
    while frame.f_back is not None and frame.f_back.f_code is not ENGINE_CODE:
        frame = frame.f_back
    code = frame.f_code
    if code.co_filename in _RECOMPUTING_FILES:
        return True
    names = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]
    if not (names and is_the_users(code.co_filename)):
        return False
    given = read_variables(frame).get(names[0])
    gradients: Any = given if type(given) in (tuple, list) else (given,)
    return not all(one is None or issubclass(type(one), torch.Tensor) for one in gradients)


def user_frames(
    frame: FrameType, user_file: str, thread: Token
) -> tuple[list[FrameType], list[FrameType]]:
    """The frames that may hold the user's variables, in the order in which to look.

    The first group are those of the user's file, the outermost first. The second are all others
    around that are neither PyTorch's nor ours, from the inside out. In both, those of the thread
    that entered the block come after those of this thread, from the inside out.
    """
    around = list(_around(frame.f_back))
    if THREAD.token is not thread:
        around.extend(_around(thread.frame()))
    in_file = [one for one in around if one.f_code.co_filename == user_file]
    others = [
        one
        for one in around
        if one.f_code.co_filename != user_file and is_the_users(one.f_code.co_filename)
    ]
    return in_file[::-1], others


def _around(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
