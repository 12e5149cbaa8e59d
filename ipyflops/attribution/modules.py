"""Reads what modules hold, and under which names, without calling any code of their classes."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ipyflops.torch_private import (
    BUFFERS,
    CHILDREN,
    COMPILED_CALLS_MODULE,
    COMPILED_FROM,
    PARAMETERS,
)

#: Bound here, for these are asked for with every new module.
_Linear = torch.nn.Linear


def submodules(module: object) -> Mapping[str, Any]:
    """Give a module's registered children, whatever its class makes of attribute access."""
    children = vars_of(module).get(CHILDREN)
    return children if isinstance(children, dict) else {}


def vars_of(value: object) -> Mapping[str, Any]:
    """Give an object's own attributes, without calling any code of its class."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return attributes if isinstance(attributes, dict) else {}


def unwrap_compiled(value: Any) -> Any:
    """Give the module inside of one that ``torch.compile`` made; anything else as it is.

    What is compiled is called by its own name, as if the wrapper were not there.
    """
    compiler = sys.modules.get(COMPILED_CALLS_MODULE)
    if compiler is not None and type(value) is compiler.OptimizedModule:
        return submodules(value).get(COMPILED_FROM)
    return value


def follow(module: torch.nn.Module, names: Iterable[str]) -> torch.nn.Module | None:
    """Give the module at registered names; None if there is none."""
    reached: torch.nn.Module | None = module
    for name in names:
        if reached is None:
            return None
        reached = unwrap_compiled(submodules(reached).get(name))
    return reached


def attribute_name(owner: object, module: torch.nn.Module) -> str | None:
    """Name the attribute of `owner` that holds a module unregistered, also in a list or dict."""
    for name, value in vars_of(owner).items():
        if unwrap_compiled(value) is module:
            return name
        # By the type itself: `isinstance` would ask the object for its class.
        if issubclass(type(value), (list, tuple)):
            for index, item in enumerate(value):
                if item is module:
                    return f"{name}.{index}"
        elif issubclass(type(value), dict) and name not in (CHILDREN, PARAMETERS, BUFFERS):
            for key, item in value.items():
                if item is module:
                    return f"{name}.{key}"
    return None


class DescendantNames:
    """Finds the registered names of a module's descendants, one level of depth at a time.

    Only names and ids are kept, so nothing is kept alive. An id may have passed to another module
    meanwhile, so names are followed from the parent down before they are given. Another parent has
    other descendants: with it all begins anew.
    """

    __slots__ = ("_frontier", "_names", "_parent", "_seen")

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, ...]] = {}
        self._seen: set[int] = set()
        self._frontier: list[tuple[str, ...]] = [()]
        self._parent: weakref.ref[torch.nn.Module] | None = None

    def find(self, parent: torch.nn.Module, module: torch.nn.Module) -> tuple[str, ...] | None:
        """The names from `parent` down to `module`, the shortest way; None if it is not below."""
        self._begin(parent)
        names = self._verified(parent, module)
        while names is None and self._frontier:
            self._next_level(parent)
            names = self._verified(parent, module)
        if names is None:
            # It may have been registered since.
            for name, child in submodules(parent).items():
                if child is module or unwrap_compiled(child) is module:
                    names = self._names[id(module)] = (name,)
                    break
        return names

    def of_child(self, parent: torch.nn.Module, module: object) -> str | None:
        """The name of a module that `parent` holds itself; None if it holds no such module.

        It may hold it under another name, or since a moment ago: `find` says.
        """
        if self._parent is None or self._parent() is not parent:
            self._begin(parent)
        if not self._seen:
            self._next_level(parent)
        names = self._names.get(id(module))
        if names is None or len(names) != 1 or submodules(parent).get(names[0]) is not module:
            return None
        return names[0]

    def __len__(self) -> int:
        """How many modules were met."""
        return len(self._seen)

    def _begin(self, parent: torch.nn.Module) -> None:
        if self._parent is None or self._parent() is not parent:
            self._parent = weakref.ref(parent)
            self._names, self._seen, self._frontier = {}, set(), [()]

    def _verified(self, parent: torch.nn.Module, module: torch.nn.Module) -> tuple[str, ...] | None:
        names = self._names.get(id(module))
        return names if names is not None and follow(parent, names) is module else None

    def _next_level(self, parent: torch.nn.Module) -> None:
        frontier: list[tuple[str, ...]] = []
        seen, known = self._seen, self._names
        is_compiled = COMPILED_CALLS_MODULE in sys.modules
        for names in self._frontier:
            holder = follow(parent, names)
            if holder is None:
                continue
            for name, held in submodules(holder).items():
                child = unwrap_compiled(held) if is_compiled else held
                if child is not None and id(child) not in seen:
                    seen.add(id(child))
                    path = known[id(child)] = (*names, name)
                    frontier.append(path)
        self._frontier = frontier


def is_linear(module: object) -> bool:
    """Whether a module runs what a linear layer runs; a subclass may add something of its own."""
    kind = type(module)
    return issubclass(kind, _Linear) and kind.forward is _Linear.forward
