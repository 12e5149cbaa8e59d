"""The functions that have a row of their own, for what runs outside of modules.

``loss = compute_loss(x)`` runs in ``compute_loss``. What a library does has two rows: the function
that the user's code calls, and in it the one that runs the operators, as ``odeint.rk4_step``. What
lies between them says little to a reader, and is often dozens of frames.
"""

from __future__ import annotations

import inspect
import os
from types import CodeType, FrameType
from typing import Any

from torch.autograd.function import BackwardCFunction

from ipyflops.attribution.frames import read_variables, self_of
from ipyflops.attribution.lines import Function
from ipyflops.attribution.places import Place
from ipyflops.cells import PYTORCH_FOLDER, library_of

#: Of PyTorch: what is as good as an operator, and what only leads to the code of others.
_NO_ROWS = tuple(
    os.path.join(PYTORCH_FOLDER, *parts)
    for parts in (
        ("functional.py",),
        ("library.py",),
        ("overrides.py",),
        ("nn", "functional.py"),
        *((folder, "") for folder in ("autograd", "compiler", "export", "fx", "jit", "utils")),
        ("nn", "modules", ""),
    )
)
_DERIVATIVES = os.path.join(PYTORCH_FOLDER, "autograd", "functional.py")
#: Methods that a reader knows by the name of their class.
_NAMED_AFTER_CLASS = frozenset({"__call__", "__init__", "forward"})


def function_of(code: CodeType, frame: FrameType | None) -> Function | None:
    """Give what a reader calls a function; None if it has no row.

    Parameters
    ----------
    code : code
    frame : frame or None
        One that runs it, if there is one.
    """
    name = code.co_name
    if not code.co_flags & inspect.CO_OPTIMIZED or (name[0] == "<" and name != "<lambda>"):
        return None  # a module or class, or a comprehension, which is part of what is around it
    library = library_of(code.co_filename)
    if library == "":
        return None
    if library is not None and (code.co_flags & inspect.CO_NESTED or name == "<lambda>"):
        return None  # mostly a decorator's
    label = name
    if name in _NAMED_AFTER_CLASS:
        label = _class_of(code, frame) or name
        if label.startswith("__"):
            return None  # made by Python, as the ``__init__`` of a data class
    elif library is not None and name.startswith("__"):
        return None
    if library == "torch" and not _is_public(code.co_filename, label):
        return None
    return Function(label, library or "")


def _is_public(filename: str, name: str) -> bool:
    """Whether a function of PyTorch is one that people call."""
    if filename.startswith(_NO_ROWS) and filename != _DERIVATIVES:
        return False
    parts = filename[len(PYTORCH_FOLDER) :].split(os.sep)
    return not any(part[0] == "_" for part in (*parts[:-1], name) if part) and (
        parts[-1][:1] != "_" or parts[-1] == "__init__.py"
    )


def _class_of(code: CodeType, frame: FrameType | None) -> str:
    """The class that a method stands in; empty if that cannot be known."""
    qualified: str | None = getattr(code, "co_qualname", None)
    if qualified is not None:
        outer = qualified.rpartition(".")[0].rpartition(".")[2]
        return "" if outer == "<locals>" else outer
    return _class_of_first_argument(code, frame) if frame is not None else ""


def _class_of_first_argument(code: CodeType, frame: FrameType) -> str:
    """The class of `self`, before Python 3.11; of a function of autograd, that of its context.

    Autograd makes a class for the contexts of each function: ``ScaleBackward`` for ``Scale``.
    """
    value: Any = self_of(frame)
    if value is not None:
        return type(value).__name__
    first = read_variables(frame).get(code.co_varnames[0]) if code.co_argcount else None
    is_context = issubclass(type(first), BackwardCFunction)
    return type(first).__name__.removesuffix("Backward") if is_context else ""


def place_of_function(base: Place, function: Function) -> Place:
    """Give the place of a function that was called at a place; that place itself if it has none.

    Parameters
    ----------
    base : Place
        The root or the place of another function; in any other, functions have no rows.
    function : Function
    """
    known = base.functions
    if known is None:
        return base
    place = known.get(function)
    if place is None:
        place = known[function] = _found(base, function)
    return place


def _found(base: Place, function: Function) -> Place:
    caller = base.function
    # Inside a library, rows stand below the function that the user's code has called.
    entry = base.parent if base.is_inner and base.parent is not None else base
    if not function.package:
        for outer in base.enclosing():
            if outer.function is function:
                return outer  # a function called inside itself is one place, however deep
        return entry.in_function(function)
    if caller is None or not caller.package:
        return base if function.label.startswith("_") else base.in_function(function)
    if function.package == caller.package == "torch" or function.label == caller.label:
        return base  # a part of it, or what it hands on to
    if entry.function is not None and function.label == entry.function.label:
        return entry
    return entry.in_function(function, is_inner=True)
