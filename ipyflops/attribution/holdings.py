"""What plain objects hold: ``agent.actor``, ``agent.nets.0``, ``run.net`` of a closure.

No code of their classes is called, so a property is not seen, and nothing is computed by looking.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import partial
from types import CellType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

import torch

from ipyflops.attribution.modules import (
    DescendantNames,
    follow,
    submodules,
    unwrap_compiled,
    vars_of,
)
from ipyflops.cells import is_installed

#: So many attributes, items and variables of closures lead from a variable to what it holds.
MAX_STEPS = 3
#: Of a longer list or dictionary only the beginning is looked at.
MAX_ITEMS = 10_000
#: The longest key of a dictionary that is part of a name.
MAX_KEY = 40
#: Packages whose objects are large, or hold modules only as guests.
_PASSED_BY = frozenset(
    ("torch", "numpy", "pandas", "matplotlib", "IPython", "ipykernel", "traitlets", "ipyflops")
)
#: What holds no module, and is met often.
_LEAVES = (str, bytes, int, float, complex, bool, type(None), type, torch.Tensor, torch.dtype)


def is_holder(value: object) -> bool:
    """Whether it is a module or an optimizer, which a place can stand for."""
    return issubclass(type(value), (torch.nn.Module, torch.optim.Optimizer))


def parts(value: object) -> Iterator[tuple[str, object]]:
    """Give what a plain object holds, each with the name that leads to it.

    An empty name says that it is the same thing to a user: the function in a ``partial``, the
    object that a method is bound to.
    """
    kind = type(value)
    if issubclass(kind, (list, tuple)):
        items: Any = value
        names = getattr(kind, "_fields", ()) if issubclass(kind, tuple) else ()
        for index, item in enumerate(items[:MAX_ITEMS]):
            yield str(names[index]) if index < len(names) else str(index), item
    elif issubclass(kind, dict):
        mapping: Any = value
        for key, item in _items(mapping)[:MAX_ITEMS]:
            if _is_name(key):
                yield str(key), item
    elif kind is FunctionType:
        yield from _of_function(value)
    elif kind is MethodType:
        yield "", value.__self__  # type: ignore[attr-defined]
    elif issubclass(kind, partial):
        function: Any = value
        yield "", function.func
        yield from function.keywords.items()
        yield from ((str(index), item) for index, item in enumerate(function.args))
    elif issubclass(kind, ModuleType):
        file = vars_of(value).get("__file__")
        if type(file) is str and not is_installed(file):
            yield from _items(vars_of(value))
    else:
        yield from _items(vars_of(value))
        yield from _in_slots(value)


def _items(mapping: Any) -> list[tuple[Any, object]]:
    """The items of a dictionary. It is copied first, which is one step.

    Garbage may be collected while items are listed, and what that calls may change the dictionary.
    """
    return list(dict.copy(mapping).items())


def _is_name(key: object) -> bool:
    """Whether a key can be part of a name: text that is not long, or a number that is no id()."""
    if type(key) is str:
        return 0 < len(key) <= MAX_KEY
    return type(key) is int and abs(key) < MAX_ITEMS


def _in_slots(value: object) -> Iterator[tuple[str, object]]:
    for one in type(value).__mro__:
        if "__slots__" in vars(one):
            for name, slot in list(vars(one).items()):
                if type(slot) is MemberDescriptorType:
                    try:
                        yield name, slot.__get__(value, type(value))
                    except AttributeError:  # nothing is in it
                        continue


def _of_function(function: Any) -> Iterator[tuple[str, object]]:
    cells: tuple[CellType, ...] = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    if "__wrapped__" in function.__dict__:
        yield "", function.__dict__["__wrapped__"]


class Way(NamedTuple):
    """How a variable leads to a module or optimizer.

    Attributes
    ----------
    names : tuple of str
        What follows the variable in the name of `owner`.
    owner : Module or Optimizer
        What these names lead to.
    below : tuple of str
        The registered names that lead from there on.
    """

    names: tuple[str, ...]
    owner: Any
    below: tuple[str, ...]


class _Held(NamedTuple):
    owner: weakref.ref[Any]
    names: tuple[str, ...]
    below: tuple[str, ...]


class Holdings:
    """Finds modules and optimizers in what the user's variables hold, and below the modules there.

    What nobody holds is looked for everywhere. So that a program with thousands of these does not
    take hours, objects are looked at anew only until `MAX_LOOKED_AT` were; then what was found last
    must do.
    """

    MAX_LOOKED_AT = 50_000

    def __init__(self) -> None:
        self._looked_at = 0
        #: By the variable's name and the id of what it holds. Nothing is kept alive.
        self._found: dict[tuple[str, int], dict[int, _Held]] = {}
        #: By the id of the module.
        self._below: dict[int, tuple[weakref.ref[Any], DescendantNames]] = {}

    def find(self, variable: str, value: object, holder: object) -> Way | None:
        """Say how a variable leads to a module or optimizer; None if it does not."""
        if is_holder(value):
            return self._through(value, holder)
        found = self._found.get((variable, id(value)))
        way = None if found is None else self._among(found, holder)
        if way is not None or self._looked_at >= self.MAX_LOOKED_AT or not _may_hold(value):
            return way
        found = self._found[variable, id(value)] = self._look(value)
        return self._among(found, holder)

    def _among(self, found: dict[int, _Held], holder: object) -> Way | None:
        held = found.get(id(holder))
        owner = None if held is None else held.owner()
        if held is None or owner is None:
            return None
        at = follow(owner, held.below) if held.below else owner
        return Way(held.names, owner, held.below) if at is holder else None

    def _through(self, model: object, holder: object) -> Way | None:
        """The way through the registered names of a module that a variable holds."""
        for name, optimizer in _optimizers(model):
            if optimizer is holder:
                return Way((name,), optimizer, ())
        module = (torch.nn.Module,)
        if not (issubclass(type(model), module) and issubclass(type(holder), module)):
            return None
        below = self._registered(model, holder)
        return None if below is None else Way((), model, below)

    def _look(self, top: object) -> dict[int, _Held]:
        """The modules and optimizers that an object leads to, by their ids."""
        found: dict[int, _Held] = {}
        seen = {id(top)}
        level: list[tuple[tuple[str, ...], object]] = [((), top)]
        for _ in range(MAX_STEPS):
            further: list[tuple[tuple[str, ...], object]] = []
            models: list[_Held] = []
            # What has no name of its own is no step, and is looked at with the others.
            for names, owner in level:
                for name, held in parts(owner):
                    self._looked_at += 1
                    value = unwrap_compiled(held)
                    if id(value) in seen or issubclass(type(value), _LEAVES):
                        continue
                    seen.add(id(value))
                    path = (*names, name) if name else names
                    if is_holder(value):
                        models.append(_Held(weakref.ref(value), path, ()))
                        found[id(value)] = models[-1]
                    elif _may_hold(value):
                        (further if name else level).append((path, value))
            self._add_registered(models, found)
            level = further
        return found

    def _add_registered(self, models: list[_Held], found: dict[int, _Held]) -> None:
        """Add what is registered below modules, level by level."""
        waiting = [(model, model.owner()) for model in models]
        for held, module in waiting:
            for name, optimizer in _optimizers(module):
                names = (*held.names, *held.below, name)
                found.setdefault(id(optimizer), _Held(weakref.ref(optimizer), names, ()))
            for name, child in submodules(module).items():
                self._looked_at += 1
                value = unwrap_compiled(child)
                if value is not None and id(value) not in found:
                    found[id(value)] = _Held(held.owner, held.names, (*held.below, name))
                    waiting.append((found[id(value)], value))

    def _registered(self, model: Any, module: Any) -> tuple[str, ...] | None:
        """The registered names from a model down to a module; None if it is not below."""
        known = self._below.get(id(model))
        if known is not None and known[0]() is model:
            assert model is not None
            found = known[1].find(model, module)
            if found is not None or self._looked_at >= self.MAX_LOOKED_AT:
                return found
        names = DescendantNames()
        self._below[id(model)] = (weakref.ref(model), names)
        found = names.find(model, module)
        self._looked_at += len(names)
        return found


def _optimizers(owner: object) -> Iterator[tuple[str, object]]:
    """The optimizers that a module has as plain attributes."""
    for name, value in _items(vars_of(owner)):
        if issubclass(type(value), torch.optim.Optimizer):
            yield name, value


def _may_hold(value: object) -> bool:
    """Whether to look into an object."""
    if issubclass(type(value), _LEAVES):
        return False
    if type(value) is dict and "__builtins__" in value:
        return False  # the variables of a file, which are names of their own
    package = str(getattr(type(value), "__module__", "")).partition(".")[0]
    return package not in _PASSED_BY
