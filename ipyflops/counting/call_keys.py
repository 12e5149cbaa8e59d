"""What tells two calls of an operator apart, as far as their cost goes.

What a call costs is worked out once for each key. Keys are made for every call, so they are made
fast. A key holds:

- the shapes and dtypes of the tensors that go in, whole numbers, texts and dtypes;
- the shapes and dtypes of the results: ``x[mask]`` is as large as the mask says, an image is
  resized by a factor, and ``x / 2`` of whole numbers has the default dtype;
- which of the tensors are the same object: ``x * x`` reads x once;
- of the other numbers those that formulas look at. All of them would make a new key in every step
  of a learning rate's schedule. Where any number decides, the formula says so (`by_number`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.formulas import Formula, Verdict, offsets_among, operator_name

#: Floating point scalars that a formula may look at; all others are as good as one.
TELLING_NUMBERS = frozenset(
    {0.0, 0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0, float("inf"), -float("inf")}
)

#: Common operators the size and dtype of whose results the arguments tell: there a key is shorter.
TOLD_BY_INPUTS = frozenset(
    f"aten::{name}"
    for name in (
        "_log_softmax",
        "_log_softmax_backward_data",
        "_softmax",
        "_softmax_backward_data",
        "addmm",
        "baddbmm",
        "bmm",
        "convolution",
        "convolution_backward",
        "gelu",
        "gelu_backward",
        "mm",
        "native_batch_norm_backward",
        "native_layer_norm",
        "native_layer_norm_backward",
        "relu",
        "silu",
        "silu_backward",
        "threshold_backward",
    )
)

_STRIDED = torch.strided
#: In a key: the tensor is the same object as the one before it, or as the first one.
_AS_BEFORE, _AS_FIRST = object(), object()
#: Among so many tensors each is compared with each by `_AS_BEFORE` and `_AS_FIRST` alone.
_FEW = 3

Key: TypeAlias = tuple[Any, ...]
#: Takes an operator, its arguments and what it gave.
KeyFunction: TypeAlias = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], Key]


class _NoKeyError(Exception):
    """A tensor's shape and dtype do not tell what an operation on it costs."""


def call_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> Key:
    """What tells two calls apart as far as their cost goes.

    A key that begins with None tells nothing: the cost has to be worked out for every call.
    """
    key = input_key(func, args, kwargs, out)
    if key[0] is None:
        return key
    try:
        if type(out) is Tensor:
            if out.layout is not _STRIDED:
                return (None, id(func))
            if args and out is args[0]:
                return key  # what works in place gives its first argument
            return (*key, out.shape, out.dtype)
        parts: list[Any] = []
        _add_result(parts, out)
    except (_NoKeyError, RuntimeError):
        return (None, id(func))
    return (*key, *parts)


def input_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> Key:
    """The same of the arguments alone, which is all for many operators."""
    parts: list[Any] = [id(func)]
    append = parts.append
    first = before = None
    count = 0
    #: The tensors in lists and keyword arguments.
    others: list[int] = []
    try:
        # What most calls have is dealt with right here: this runs for every one of them.
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is Parameter:
                if value.layout is not _STRIDED:
                    return (None, id(func))
                parts += (value.shape, value.dtype)
                if value is before:
                    append(_AS_BEFORE)
                elif value is first:
                    append(_AS_FIRST)
                elif first is None:
                    first = value
                before = value
                count += 1
            elif kind is int or value is None:
                append(value)
            else:
                _add_part(parts, others, value)
        if kwargs:
            for name, value in kwargs.items():
                append(name)
                _add_part(parts, others, value)
    except (_NoKeyError, RuntimeError):  # the latter from nested tensors, which have no shape
        return (None, id(func))
    if count > _FEW or others:
        _add_repetitions(parts, others, args)
    return tuple(parts)


def key_function(func: Any, verdict: Verdict) -> KeyFunction:
    """Return what makes the keys of an operator's calls."""
    if type(verdict) is not Formula:
        return call_key
    if verdict.by_value:
        return _no_key
    more: list[Callable[[Sequence[Any]], Hashable]] = []
    if verdict.by_device:
        more.append(_device)
    if verdict.by_number or not verdict.is_ours:  # a formula of a user's may look at any number
        more.append(_numbers)
    if verdict.by_offsets:
        more.append(offsets_among)
    if not more:
        return input_key if operator_name(func) in TOLD_BY_INPUTS else call_key

    def longer_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> Key:
        values = [*args, *kwargs.values()]
        return (*call_key(func, args, kwargs, out), *(part(values) for part in more))

    return longer_key


def _no_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> Key:
    return (None, id(func))


def _device(values: Sequence[Any]) -> str:
    """The type of the device of the first tensor."""
    return next((value.device.type for value in values if isinstance(value, Tensor)), "")


def _numbers(values: Sequence[Any]) -> str:
    """All floating point numbers, as text: NaN is not equal to itself."""
    return repr([*_each_number(values)])


def _each_number(values: Sequence[Any]) -> Iterator[float | complex]:
    for value in values:
        if isinstance(value, (float, complex)):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _each_number(value)


def _add_part(parts: list[Any], tensors: list[int], value: Any) -> None:
    """Add an argument to the parts of a key, and the tensors in it to a list."""
    kind = type(value)
    if kind is list or kind is tuple:
        parts.append(len(value))
        for item in value:
            if type(item) is Tensor or type(item) is Parameter:
                _add_tensor(parts, item)
                tensors.append(id(item))
            else:
                _add_part(parts, tensors, item)
    elif kind is float or kind is complex:
        # As keys 1.0 and True would be 1.
        parts.append(kind)
        parts.append(value if value in TELLING_NUMBERS else None)
    elif kind is bool:
        parts.append(kind)
        parts.append(value)
    elif kind is int or value is None or kind is str or kind is torch.dtype:
        parts.append(value)
    elif kind is Tensor or isinstance(value, Tensor):
        _add_tensor(parts, value)
        tensors.append(id(value))
    else:
        # Devices, layouts, generators, symbolic numbers: no formula looks at their value.
        parts.append(kind)


def _add_result(parts: list[Any], value: Any) -> None:
    """Add the tensors of a result; a number that an operator gives decides nothing."""
    kind = type(value)
    if kind is tuple or kind is list:
        parts.append(len(value))
        for item in value:
            if type(item) is Tensor:
                _add_tensor(parts, item)
            else:
                _add_result(parts, item)
    elif kind is Tensor or isinstance(value, Tensor):
        _add_tensor(parts, value)
    else:
        parts.append(kind)


def _add_tensor(parts: list[Any], tensor: Tensor) -> None:
    if tensor.layout is not _STRIDED:
        raise _NoKeyError
    parts.append(tensor.shape)
    parts.append(tensor.dtype)


def _add_repetitions(parts: list[Any], others: list[int], args: Sequence[Any]) -> None:
    """Add which tensors are the same object; nothing where all of them are different ones."""
    others += [id(value) for value in args if isinstance(value, Tensor)]
    if len(set(others)) < len(others):
        numbers: dict[int, int] = {}
        parts.append(tuple([numbers.setdefault(one, len(numbers)) for one in others]))
