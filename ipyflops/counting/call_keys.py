"""What tells two calls of an operator apart, as far as their cost goes.

What a call costs is worked out once for each key. Keys are made for every call, so they are made
fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.formulas import Formula, Verdict

#: Floating point scalars that a formula may look at; all others are as good as one.
_TELLING_FLOATS = frozenset(
    {0.0, 0.5, 1.0, 2.0, 3.0, 4.0, -0.5, -1.0, -2.0, float("inf"), float("-inf")}
)

_STRIDED = torch.strided

Key = tuple[Any, ...]
KeyFunction = Callable[[Any, Sequence[Any], Mapping[str, Any]], Key]


class _NoKeyError(Exception):
    """A tensor's shape and dtype do not tell what an operation on it costs."""


def call_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    """What tells two calls apart as far as their cost goes.

    A key that begins with None tells nothing: the cost has to be worked out for every call.
    """
    parts: list[Any] = [id(func)]
    append = parts.append
    before = None
    try:
        # What most calls have is dealt with right here: this runs for every one of them.
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is Parameter:
                if value.layout is not _STRIDED:
                    return (None, id(func))
                append(value.shape)
                append(value.dtype)
                if value is before:
                    append(True)  # x * x reads x once
                before = value
            elif kind is int or value is None:
                append(value)
            else:
                _add_part(append, value)
        if kwargs:
            for name, value in kwargs.items():
                append(name)
                _add_part(append, value)
    except (_NoKeyError, RuntimeError):  # the latter from nested tensors, which have no shape
        return (None, id(func))
    return tuple(parts)


def key_function(verdict: Verdict) -> KeyFunction:
    """Give what makes the keys of an operator's calls."""
    if type(verdict) is Formula and verdict.by_value:
        return _no_key
    return _device_key if type(verdict) is Formula and verdict.by_device else call_key


def _no_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    return (None, id(func))


def _device_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    device = next((value.device.type for value in args if isinstance(value, Tensor)), "")
    return (*call_key(func, args, kwargs), device)


def _add_part(append: Callable[[Any], None], value: Any) -> None:
    kind = type(value)
    if kind is list or kind is tuple:
        append(len(value))
        for item in value:
            _add_part(append, item)
    elif isinstance(value, Tensor):
        if value.layout is not _STRIDED:
            raise _NoKeyError
        append(value.shape)
        append(value.dtype)
    elif kind is int or value is None or kind is str or kind is torch.dtype:
        append(value)
    elif kind is float:
        append(value if value in _TELLING_FLOATS else float)
    elif kind is bool:
        # As a key True would be 1.
        append(kind)
        append(value)
    else:
        # Devices, layouts, generators, symbolic numbers: no formula looks at their value.
        append(kind)
