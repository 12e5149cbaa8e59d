"""The tree of places while a count is running: where an operator can be, and how places are named.

A place is made when something first runs in it. It knows its module only by a weak reference, so
that counting keeps no module alive. Places of modules and optimizers are made by one thread at a
time; who asks for one sees to that. A line of code may be asked for by several at once.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from ipyflops.attribution import parameters
from ipyflops.attribution.parameters import ParameterCounts, submodules, vars_of
from ipyflops.report.tables import ScopeKind
from ipyflops.torch_private import (
    BUFFERS,
    CHILDREN,
    COMPILED_CALLS_MODULE,
    COMPILED_FROM,
    PARAMETERS,
)

if TYPE_CHECKING:
    from ipyflops.attribution.marks import Location, UserFrame


class Place:
    """A node of the running tree.

    Attributes
    ----------
    parent : Place or None
    name, type : str
    kind : {"root", "module", "code", "optimizer"}
    layer : {"dropout", "linear"} or None
        The layer of the article that this place is, where plain operators have to be read as one.
    folded : bool
        Whether it is no node of its own in a report, but part of its parent.
    whole : str
        Why its submodules are never seen to be called, if they are not; see `hides_submodules`.
    calls, parameters : int
    locations : dict
        Its locations (see `marks`) by line, phase and whether a constructor is at work.
    user_frames : dict
        What marks the frames of the user's file in which this place runs, likewise.
    reference : weakref.ref or None
        To the module or optimizer that this place stands for.
    """

    __slots__ = (
        "_children",
        "_counts",
        "_known",
        "_names",
        "_uncertain",
        "calls",
        "folded",
        "kind",
        "layer",
        "locations",
        "name",
        "parameters",
        "parent",
        "reference",
        "type",
        "user_frames",
        "whole",
    )

    def __init__(
        self,
        parent: Place | None,
        name: str,
        type_name: str = "",
        kind: ScopeKind = "module",
        *,
        layer: str | None = None,
        folded: bool = False,
    ) -> None:
        self.parent = parent
        self.name = name
        self.type = type_name
        self.kind = kind
        self.layer = layer
        self.folded = folded
        self.whole = ""
        self.calls = 0
        self.parameters = 0
        self.locations: dict[Hashable, Location] = {}
        self.user_frames: dict[Hashable, UserFrame] = {}
        self._children: dict[tuple[str, str], Place] = {}
        # The places of modules and optimizers below, by id: children, or further down.
        self._known: dict[int, Place] = {}
        self._names: DescendantNames | None = None
        self._counts: ParameterCounts | None = None
        self._uncertain = False
        self.reference: weakref.ref[Any] | None = None

    @property
    def holder(self) -> Any:
        """The module or optimizer that this place stands for; None if there is none any more."""
        return None if self.reference is None else self.reference()

    def enclosing(self) -> Iterator[Place]:
        """Give this place and those around it, from the inside out."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def code(self, name: str) -> Place:
        """The child that stands for a line of code outside any module."""
        key = ("code", name)
        return self._children.get(key) or self._children.setdefault(
            key, Place(self, name, "", "code")
        )

    def dropout(self) -> Place:
        """The part of this place that runs inside ``torch.nn.functional.dropout``."""
        key = ("layer", "dropout")
        child = self._children.get(key)
        if child is None:
            child = Place(self, "dropout", "", self.kind, layer="dropout", folded=True)
            self._children[key] = child
        return child

    def known(self, holder: object) -> Place | None:
        """The place below that stands for a module or optimizer, if it has one already."""
        child = self._known.get(id(holder))
        # An object that is gone may have left its id to another.
        return child if child is not None and child.holder is holder else None

    def remember(self, holder: object, place: Place) -> None:
        """Make `known` give this place for a module or optimizer."""
        self._known[id(holder)] = place

    def module(self, module: torch.nn.Module) -> Place:
        """The place of a module that was called here, by its registered name where it has one."""
        return self.registered(module) or self.held(
            module, attribute_name(self.holder, module) or type(module).__name__
        )

    def registered(self, module: torch.nn.Module) -> Place | None:
        """The place of a module that is registered below this place's module; None if it is not."""
        known = self.known(module)
        if known is not None:
            return known
        parent = self.holder
        if not issubclass(type(parent), torch.nn.Module):
            return None
        if self._names is None:
            self._names = DescendantNames()
        names = self._names.find(parent, module)
        if names is None:
            return None
        place = self.descend(parent, names)
        self.remember(module, place)
        return place

    def descend(self, parent: torch.nn.Module, names: Iterable[str]) -> Place:
        """The place below this one at registered names, with the containers in between."""
        place, module = self, parent
        for name in names:
            module = original(submodules(module)[name])
            key = ("module", name)
            child = place._children.get(key)
            if child is None or (child.holder is not module and child.holder is not None):
                child = place._new(module, name, key)
            child.reference = weakref.ref(module)
            place = child
        return place

    def held(
        self, holder: torch.nn.Module | torch.optim.Optimizer, name: str, kind: ScopeKind = "module"
    ) -> Place:
        """The child for a module or optimizer of that name, which nothing has registered.

        A second one of the same name that lives beside the first becomes ``name#2``; one that
        comes after the first is gone (a module made anew in every call, say) takes its place.
        """
        known = self.known(holder)
        if known is not None:
            return known
        number = 1
        while True:
            label = name if number == 1 else f"{name}#{number}"
            key = (kind, label)
            child = self._children.get(key)
            if child is None:
                child = self._new(holder, label, key, kind)
            elif child.holder is None and child.type == type(holder).__name__:
                child.reference = weakref.ref(holder)
            elif child.holder is not holder:
                number += 1
                continue
            self.remember(holder, child)
            return child

    def _new(
        self,
        holder: torch.nn.Module | torch.optim.Optimizer,
        name: str,
        key: tuple[str, str],
        kind: ScopeKind = "module",
    ) -> Place:
        child = Place(self, name, type(holder).__name__, kind)
        child.reference = weakref.ref(holder)
        if issubclass(type(holder), torch.nn.Module):
            child.whole = hides_submodules(holder)
            child.parameters = self._count_parameters(holder, child)
            child.layer = "linear" if _is_linear(holder) else None
        self._children[key] = child
        return child

    def _count_parameters(self, module: object, child: Place) -> int:
        """The parameters of a module; all those below it are counted along, for their places."""
        found = None if self._counts is None else self._counts.find(module)
        if found is not None:
            child._counts = self._counts
            return found
        child._counts = counts = ParameterCounts(module)
        found = counts.find(module)
        # Where there is no such table, a parameter may be waiting for its shape.
        child._uncertain = found is None
        return parameters.count(module) if found is None else found

    def finish(self) -> None:
        """Count those parameters, here and below, that may have had no shape before."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            waiting.extend(place._children.values())
            if place._uncertain and (holder := place.holder) is not None:
                place.parameters = parameters.count(holder)

    def children(self) -> list[Place]:
        """The children, in the order in which they were made."""
        return list(self._children.values())


def common(places: Sequence[Place]) -> Place | None:
    """The innermost place that all of some places are, or lie in."""
    chains = [list(place.enclosing()) for place in places]
    return next((one for one in chains[0] if all(one in chain for chain in chains)), None)


class DescendantNames:
    """Finds the registered names of a module's descendants, one level of depth at a time.

    Only names and ids are kept, so nothing is kept alive; a find is verified by following it.
    """

    __slots__ = ("_found", "_frontier", "_seen")

    def __init__(self) -> None:
        self._found: dict[int, tuple[str, ...]] = {}
        self._seen: set[int] = set()
        self._frontier: list[tuple[str, ...]] = [()]

    def find(self, parent: torch.nn.Module, module: torch.nn.Module) -> tuple[str, ...] | None:
        """The names from `parent` down to `module`, the shortest way; None if it is not below."""
        names = self._verified(parent, module)
        while names is None and self._frontier:
            self._next_level(parent)
            names = self._verified(parent, module)
        if names is None:
            # It may have been registered since.
            for name, child in submodules(parent).items():
                if original(child) is module:
                    names = self._found[id(module)] = (name,)
        return names

    def _verified(self, parent: torch.nn.Module, module: torch.nn.Module) -> tuple[str, ...] | None:
        names = self._found.get(id(module))
        return names if names is not None and follow(parent, names) is module else None

    def _next_level(self, parent: torch.nn.Module) -> None:
        frontier: list[tuple[str, ...]] = []
        for names in self._frontier:
            holder = follow(parent, names)
            if holder is None:
                continue
            for name, held in submodules(holder).items():
                child = original(held)
                if child is not None and id(child) not in self._seen:
                    self._seen.add(id(child))
                    self._found[id(child)] = (*names, name)
                    frontier.append((*names, name))
        self._frontier = frontier


def original(value: Any) -> Any:
    """The module that ``torch.compile`` made a module of; anything else as it is.

    What is compiled is called by its own name, as if the wrapper were not there.
    """
    compiler = sys.modules.get(COMPILED_CALLS_MODULE)
    if compiler is not None and type(value) is compiler.OptimizedModule:
        return submodules(value).get(COMPILED_FROM)
    return value


def follow(module: torch.nn.Module, names: Iterable[str]) -> torch.nn.Module | None:
    """The module at registered names, or None."""
    found: torch.nn.Module | None = module
    for name in names:
        if found is None:
            return None
        found = original(submodules(found).get(name))
    return found


def hides_submodules(module: object) -> str:
    """What a module is that runs its submodules' operators without calling them; else nothing."""
    if issubclass(type(module), torch.jit.ScriptModule):
        return "TorchScript"
    if issubclass(type(module), torch.fx.GraphModule):
        called = {
            str(node.target).partition(".")[0]
            for node in cast("torch.fx.GraphModule", module).graph.nodes
            if node.op == "call_module"
        }
        hidden = [child for name, child in submodules(module).items() if name not in called]
        if any(parameters.count(child) for child in hidden):
            return "a flattened graph"
    return ""


def _is_linear(module: object) -> bool:
    """Whether a module runs what a linear layer runs; a subclass may add something of its own."""
    kind = type(module)
    return issubclass(kind, torch.nn.Linear) and kind.forward is torch.nn.Linear.forward


def attribute_name(owner: object, module: torch.nn.Module) -> str | None:
    """The attribute of `owner` that holds a module unregistered, also in a list or dictionary."""
    for name, value in vars_of(owner).items():
        if original(value) is module:
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
