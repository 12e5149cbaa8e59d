"""Operators on lists of tensors: each is the plain operator, once for every tensor of the list.

`torch._foreach_addcmul_` costs what `addcmul_` costs for each of the tensors. The formula looks the
plain operator up when it is asked, so that a cost is written down in one place only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_sums import add_up
from ipyflops.formulas.operator_names import operator_name, overload_name
from ipyflops.formulas.registry import (
    Formula,
    FormulaError,
    FreeOperator,
    formula,
    lookup,
    mark_free,
)
from ipyflops.torch_private import schema_of

_PREFIX = "aten::_foreach_"
#: Operators on lists whose plain form has another name.
_PLAIN_NAMES = {
    "norm": "linalg_vector_norm",
    "powsum": "linalg__powsum",
    "_native::_foreach_mm_native_0": "mm",
}
_FREE = ("zero", "clone", "copy")
#: Overloads of the plain operator, for those that tell what the second list is.
_PLAIN_OVERLOADS = {
    "List": "Tensor",
    "ScalarList": "Scalar",
    "ScalarAndTensor": "Scalar",
}
#: Stands for a number that is only known on the device: anything but 0 and 1, which may be free.
_SOME_NUMBER = 2.0


def _plain(func: Any) -> Any:
    """The plain operator that an operator on lists applies to every tensor."""
    base = operator_name(func).removeprefix(_PREFIX).removesuffix("_")
    overload = overload_name(func)
    packet = getattr(torch.ops.aten, _PLAIN_NAMES.get(base, base))
    for candidate in (_PLAIN_OVERLOADS.get(overload, overload), "Tensor", "Scalar", "default"):
        if candidate in packet.overloads():
            return getattr(packet, candidate)
    return getattr(packet, packet.overloads()[0])


def _element(argument: Any, value: Any, index: int) -> Any:
    """What an argument is for one of the tensors."""
    if isinstance(value, (list, tuple)):
        return value[index]
    if argument.name == "scalars" and isinstance(value, Tensor):
        return _SOME_NUMBER
    return value


def plain_calls(call: Call) -> list[Call]:
    """Take a call on lists apart into those on their tensors."""
    plain = _plain(call.func)
    names = [argument.name for argument in schema_of(plain).arguments]
    lists: list[tuple[Any, str]] = []
    for position, argument in enumerate(schema_of(call.func).arguments):
        if not argument.is_out:
            name = argument.name
            if name not in names and position < len(names):
                name = names[position]
            lists.append((argument, name))
    results = call.out if isinstance(call.out, (list, tuple)) else call["self"]
    calls = []
    for index in range(len(results)):
        arguments = {
            name: _element(argument, call[argument.name], index) for argument, name in lists
        }
        first = next(iter(arguments))
        calls.append(Call(plain, (arguments.pop(first),), arguments, results[index]))
    return calls


def of_each_tensor(call: Call) -> Cost:
    """The plain operator's cost for every tensor of the list, added up."""
    calls = plain_calls(call)
    if not calls:
        return ZERO_COST
    verdict = lookup(calls[0].func)
    if isinstance(verdict, FreeOperator):
        return ZERO_COST
    if not isinstance(verdict, Formula):
        raise FormulaError(f"{call.operator} applies {calls[0].operator}, which has no formula")
    return add_up([verdict(plain) for plain in calls])


# Each has a function in `torch`. Asking the dispatcher for its names takes ten times as long.
_NAMES = {"aten::" + name.removesuffix("_") for name in vars(torch)}
formula(
    *sorted(
        name
        for name in _NAMES
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX) not in _FREE
    ),
    "_native::_foreach_mm_native_0",
)(of_each_tensor)
mark_free("fills or copies every tensor of a list", *(_PREFIX + name for name in _FREE))
