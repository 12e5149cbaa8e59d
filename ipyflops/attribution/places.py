"""The tree of places while a count is running: where an operator can be, and how places are named.

A place is made when something first runs in it. It knows its module only by a weak reference, so
that counting keeps no module alive. Several threads may ask for the place of a line of code at
once. Places of modules and optimizers must be asked for by one thread at a time: callers hold a
lock while they do.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, MappingProxyType
from typing import Any

import torch

from ipyflops.attribution import parameters
from ipyflops.attribution.labels import Labels
from ipyflops.attribution.lines import Function
from ipyflops.attribution.modules import (
    DescendantNames,
    is_linear,
    submodules,
    unwrap_compiled,
)
from ipyflops.attribution.parameters import ParameterCounts, opaque_because
from ipyflops.report import ScopeKind

_EMPTY: Any = MappingProxyType({})  # nothing can be put into it
_Module = torch.nn.Module  # asked for with every new place


class Place:
    """Where operators run: a module, an optimizer, or a function or line of code outside both.

    Places form a tree: that of ``model.encoder`` lies below that of ``model``, and the root holds
    all others. A report shows each as a `Scope`.

    Attributes
    ----------
    parent : Place or None
    name, type : str
    kind : {"root", "module", "code", "optimizer", "function"}
    layer : {"dropout", "linear"} or None
        The layer of the article that this place is, where plain operators have to be read as one.
    folded : bool
        Whether a report counts it as its parent, and shows no scope of its own for it.
    opaque_because : str
        What it is (``TorchScript``, say) that runs its submodules without calling them; empty
        where submodules are called, and so have places of their own.
    outermost : Place
        The outermost module around it, or itself.
    met : set of int
        The ids of all that places of its tree have stood for.
    calls, parameters : int
    instances : int
        How many modules of one class it has stood for.
    entries : dict of code to int
        How often each method was called from outside the module, beside ``forward``.
    of_user : bool
        Whether the user knows it by its name, which no library and no class has given.
    function : Function or None
    functions : dict of Function to Place, or None
        The places of those that were called here; None where functions have no places.
    is_inner : bool
        Whether it is a function inside a library, which the user's code has not called itself.
    reference : weakref.ref or None
        To the module or optimizer that this place stands for, the one met last.
    """

    __slots__ = (
        "_children",
        "_counts",
        "_known",
        "_labels",
        "_names",
        "_others",
        "_shapes_missing",
        "calls",
        "entries",
        "folded",
        "function",
        "functions",
        "instances",
        "is_inner",
        "kind",
        "layer",
        "met",
        "name",
        "of_user",
        "opaque_because",
        "outermost",
        "parameters",
        "parent",
        "reference",
        "type",
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
        self.kind: ScopeKind = kind
        self.met: set[int] = set() if parent is None else parent.met
        self.outermost: Place = self
        if parent is not None and parent.kind == "module":
            self.outermost = parent.outermost
        self.layer = layer
        self.folded = folded
        self.opaque_because = ""
        self.of_user = True
        self.calls = 0
        self.instances = 1
        self.entries: Mapping[CodeType, int] = _EMPTY
        self.parameters = 0
        # Made when something is put in, but where several threads may ask at once.
        self._children: dict[tuple[str, str], Place] = _EMPTY if kind == "module" else {}
        #: Of modules and optimizers below, by id: children, or further down.
        self._known: dict[int, Place] = _EMPTY
        self._labels: Labels | None = None
        #: All that it stands for, by id, where that is more than one.
        self._others: dict[int, weakref.KeyedRef[int, Any]] = _EMPTY
        self._names: DescendantNames | None = None
        self._counts: ParameterCounts | None = None
        self._shapes_missing = False
        self.reference: weakref.ref[Any] | None = None
        self.function: Function | None = None
        self.functions: dict[Function, Place] | None = {} if kind in ("root", "function") else None
        self.is_inner = False

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
        """Give the child that stands for a line of code outside any module."""
        key = ("code", name)
        return self._children.get(key) or self._children.setdefault(
            key, Place(self, name, "", "code")
        )

    def in_function(self, function: Function, *, is_inner: bool = False) -> Place:
        """Give the child that stands for a function.

        Functions of the user's that share a name are told apart, those of libraries are not.
        """
        number, label = 1, function.label
        while True:
            child = self._children.get(("function", label))
            if child is None:
                of_same = self.function is not None and self.function.package == function.package
                type_name = "function" if of_same else function.type
                child = Place(self, label, type_name, "function")
                child.function, child.is_inner = function, is_inner
                self._children["function", label] = child
            known = child.function
            if known is function or (known is not None and known.package and function.package):
                return child
            number += 1
            label = f"{function.label}#{number}"

    def dropout(self) -> Place:
        """Give the child that stands for ``torch.nn.functional.dropout`` when called here."""
        key = ("layer", "dropout")
        child = self._children.get(key)
        if child is None:
            child = Place(self, "dropout", "", self.kind, layer="dropout", folded=True)
            self._add(key, child)
        return child

    @property
    def times_called(self) -> int:
        """How often a module was called; of one that never was, how often a method of it ran."""
        return self.calls or max(self.entries.values(), default=0)

    def enter(self, method: CodeType) -> None:
        """Note that a method was called from outside the module."""
        self.entries = {**self.entries, method: self.entries.get(method, 0) + 1}

    def enter_from(self, caller: Place) -> None:
        """Note that a function was called at another place, if it was not at work already."""
        if self is not caller and self is not caller.parent:
            self.calls += 1

    def known(self, holder: object) -> Place | None:
        """Give the place below that stands for a module or optimizer, if there is one already."""
        child = self._known.get(id(holder))
        # An object that is gone may have left its id to another.
        return child if child is not None and child.stands_for(holder) else None

    def stands_for(self, holder: object) -> bool:
        """Whether this is the place of a module or optimizer."""
        if self.holder is holder:
            return True
        other = self._others.get(id(holder))
        return other is not None and other() is holder

    def remember(self, holder: object, place: Place) -> None:
        """Make `known` give this place for a module or optimizer."""
        if not self._known:
            self._known = {}
        self._known[id(holder)] = place

    @property
    def labels(self) -> Labels:
        """What the children are called."""
        if self._labels is None:
            self._labels = Labels()
        return self._labels

    def without_name(self, module: torch.nn.Module) -> Place:
        """Give the child for a module that no variable leads to: it is called as its class."""
        self.labels.found_no_name(module)
        place = self.unregistered(module, type(module).__name__)
        place.of_user = self.kind != "root"
        return place

    def first_call(self, parent: Any, module: Any) -> Place | None:
        """Make the place of a module that `parent`, this place's module, has registered itself.

        None in all but the usual case: that no place of the tree has ever stood for the module, and
        no other module has had its name.
        """
        if id(module) in self.met or not issubclass(type(parent), _Module):
            return None
        if self._names is None:
            self._names = DescendantNames()
        name = self._names.of_child(parent, module)
        if name is None or not issubclass(type(module), _Module):
            return None
        if not self.labels.take("module", name, type(module).__name__):
            return None
        place = self._new(module, name, ("module", name))
        self.remember(module, place)
        return place

    def registered(self, module: torch.nn.Module) -> Place | None:
        """Give the place of a module registered below this place's module; None if it is not."""
        known = self.known(module)
        if known is not None:
            return known
        parent = self.holder
        if not issubclass(type(parent), _Module):
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
        """Give the place below this one at registered names; makes those in between as well.

        Another module that takes the name of one that still lives becomes ``name#2``: what the
        first has counted stays.
        """
        place, module = self, parent
        for name in names:
            module = unwrap_compiled(submodules(module)[name])
            label, number = name, 1
            child = place._child(module, label, "module")
            while not (place.instances > 1 or child.holder in (None, module)):
                number += 1
                label = f"{name}#{number}"
                child = place._child(module, label, "module")
            child.meet(module)
            place = child
        return place

    def unregistered(
        self, holder: torch.nn.Module | torch.optim.Optimizer, name: str, kind: ScopeKind = "module"
    ) -> Place:
        """Give the child for a module or optimizer that nothing here has registered."""
        place = self.known(holder)
        if place is None:
            place = self._child(holder, name, kind)
            self.remember(holder, place)
        place.meet(holder)
        return place

    def is_taken(self, holder: object, name: str) -> bool:
        """Whether another module or optimizer has had a name here."""
        child = self._children.get(("module", name)) or self._children.get(("optimizer", name))
        return child is not None and not child.stands_for(holder)

    def _child(
        self, holder: torch.nn.Module | torch.optim.Optimizer, name: str, kind: ScopeKind
    ) -> Place:
        """Give the child of a name; that of another class becomes ``name#2``.

        Those of one class and name are one child. Whether the first of them is gone when the next
        one comes often depends on when garbage is collected, so that is not asked.
        """
        key = (kind, self.labels.label(kind, name, type(holder).__name__))
        return self._children.get(key) or self._new(holder, key[1], key, kind)

    def meet(self, holder: Any) -> None:
        """Note that this place stands for a module or optimizer now, beside those before it."""
        if self.holder is holder:
            return
        if self.kind == "module" and not self.stands_for(holder):
            self.instances += 1
        if not self._others:
            self._others = {}
        others = self._others

        def forget(reference: weakref.KeyedRef[int, Any]) -> None:
            if others.get(reference.key) is reference:
                del others[reference.key]

        for one in (self.holder, holder):
            if one is not None and id(one) not in others:
                others[id(one)] = weakref.KeyedRef(one, forget, id(one))
        self.reference = weakref.ref(holder)
        self.met.add(id(holder))

    def rename(self, place: Place, holder: torch.optim.Optimizer, name: str) -> None:
        """Call a child after an optimizer that wraps its own."""
        del self._children[place.kind, place.name]
        renamed = self._child(holder, name, place.kind)
        place.name, place.type = renamed.name, renamed.type
        self._children[place.kind, place.name] = place

    def _new(
        self,
        holder: torch.nn.Module | torch.optim.Optimizer,
        name: str,
        key: tuple[str, str],
        kind: ScopeKind = "module",
    ) -> Place:
        child = Place(self, name, type(holder).__name__, kind)
        child.reference = weakref.ref(holder)
        self.met.add(id(holder))
        if issubclass(type(holder), _Module):
            child.opaque_because = opaque_because(holder)
            child.parameters = self._count_parameters(holder, child)
            child.layer = "linear" if is_linear(holder) else None
        self._add(key, child)
        return child

    def _add(self, key: tuple[str, str], child: Place) -> None:
        if not self._children:
            self._children = {}
        self._children[key] = child

    def _count_parameters(self, module: object, child: Place) -> int:
        """The parameters of a module; all those below it are counted along, for their places."""
        elements = None if self._counts is None else self._counts.find(module)
        if elements is not None:
            child._counts = self._counts
            return elements
        child._counts = counts = ParameterCounts(module)
        elements = counts.find(module)
        # Where one walk could not count them, a parameter may be waiting for its shape.
        child._shapes_missing = elements is None
        return parameters.count(module) if elements is None else elements

    def finish(self) -> None:
        """Count the parameters again, here and below, that may have had no shape before."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            waiting.extend(place.children())
            place.finish_own()

    def finish_own(self) -> None:
        """Count this place's parameters again, if they may have had no shape before."""
        if self._shapes_missing and (holder := self.holder) is not None:
            self.parameters = parameters.count(holder)

    def children(self) -> list[Place]:
        """The children, in the order in which they were made."""
        return list(self._children.values())


def common(places: Sequence[Place]) -> Place | None:
    """Give the innermost place that is, or encloses, each of some places; None if there is none."""
    chains = [list(place.enclosing()) for place in places]
    return next((one for one in chains[0] if all(one in chain for chain in chains)), None)
