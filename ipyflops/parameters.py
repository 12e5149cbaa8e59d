"""How many elements the parameters of modules have, each counted once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.parameter import is_lazy

_NONE: frozenset[int] = frozenset()


class ParameterCounts:
    """The parameters of a module and of all below it, counted in one walk.

    Asking `count` for each module of a model would walk the model once for each of its levels.

    Parameters
    ----------
    module : torch.nn.Module
    """

    __slots__ = ("_counts",)

    def __init__(self, module: object) -> None:
        #: By the module's id; the reference tells whether that is still the same module.
        self._counts: dict[int, tuple[weakref.ref[Any], int]] = {}
        with torch._C.DisableTorchFunctionSubclass():
            self._walk(module)

    def find(self, module: object) -> int | None:
        """Elements of the parameters of a module and all below it; None if it is not among them."""
        found = self._counts.get(id(module))
        return found[1] if found is not None and found[0]() is module else None

    def _walk(self, top: object) -> None:
        order, tied = _survey(top)
        if order is None:
            return
        own: dict[int, int] = {}
        # What the modules below a module have that others have too: by id, for each id once.
        below: dict[int, frozenset[int]] = {}
        for module in reversed(order):
            elements, shared = 0, _NONE
            for parameter in _parameters(module).values():
                if parameter is None:
                    continue
                if id(parameter) in tied:
                    shared |= {id(parameter)}
                else:
                    elements += _elements(parameter)
            for child in submodules(module).values():
                if child is not None:
                    elements += own[id(child)]
                    shared |= below[id(child)]
            own[id(module)], below[id(module)] = elements, shared
            total = elements + sum(tied[one] for one in shared)
            self._counts[id(module)] = (weakref.ref(module), total)


def _survey(top: object) -> tuple[list[Any] | None, dict[int, int]]:
    """All modules, each before those below it, and the elements of parameters held more than once.

    There is no such order where one module is below two others, or below itself, and nothing to
    survey yet where a parameter has no shape.
    """
    order: list[Any] = []
    tied: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[Any] = [top]
    while waiting:
        module = waiting.pop()
        if id(module) in seen:
            return None, {}
        seen.add(id(module))
        order.append(module)
        waiting.extend(child for child in submodules(module).values() if child is not None)
        for parameter in _parameters(module).values():
            if parameter is None:
                continue
            if is_lazy(parameter):
                return None, {}
            if id(parameter) in seen:
                tied[id(parameter)] = _elements(parameter)
            seen.add(id(parameter))
    return order, tied


def count(module: object) -> int:
    """Elements of the parameters of a module and all below it, each counted once."""
    elements = 0
    seen: set[int] = set()
    waiting: list[Any] = [module]
    with torch._C.DisableTorchFunctionSubclass():
        while waiting:
            current = waiting.pop()
            if current is None or id(current) in seen:
                continue
            seen.add(id(current))
            waiting.extend(submodules(current).values())
            for parameter in _parameters(current).values():
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    elements += _elements(parameter)
    return elements


def _elements(parameter: Any) -> int:
    """Elements of a parameter; none as long as it has no shape yet."""
    return 0 if is_lazy(parameter) else int(parameter.numel())


def _parameters(module: object) -> Mapping[str, Any]:
    return vars_of(module).get("_parameters") or {}


def submodules(module: object) -> Mapping[str, Any]:
    """The registered children; read past whatever the class makes of attribute access."""
    found = vars_of(module).get("_modules")
    return found if isinstance(found, dict) else {}


def vars_of(value: object) -> Mapping[str, Any]:
    """The instance's own attributes, without calling any code of its class."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return attributes if isinstance(attributes, dict) else {}
