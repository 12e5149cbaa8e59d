"""How many elements the parameters of modules have, each counted once."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch.nn import Parameter
from torch.nn.parameter import is_lazy

from ipyflops.attribution.modules import submodules, vars_of
from ipyflops.torch_private import CHILDREN, PARAMETERS, without_torch_function

_NO_PARAMETERS: Mapping[str, Any] = {}
_OPAQUE = (torch.jit.ScriptModule, torch.fx.GraphModule)


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
        with without_torch_function():
            self._walk(module)

    def find(self, module: object) -> int | None:
        """Give the elements of a module's parameters and all below it; None if it is not known."""
        counted = self._counts.get(id(module))
        return counted[1] if counted is not None and counted[0]() is module else None

    def _walk(self, top: object) -> None:
        order = _own_parameters(top)
        if order is None:
            return
        # From the innermost modules out: each is added to the one that holds it.
        counts, reference = self._counts, weakref.ref
        for own in reversed(order):
            around, tied, total = own.around, own.tied, own.elements
            if around is not None:
                around.elements += total
                if tied and around.tied:
                    around.tied.update(tied)
                elif tied:
                    around.tied = tied.copy()
            if tied:
                total += sum(tied.values())
            module = own.module
            counts[id(module)] = (reference(module), total)


class _Own:
    """A module, the one that holds it, and the elements of its own parameters.

    `tied` has those of parameters that are held more than once, by the parameter's id.
    """

    __slots__ = ("around", "elements", "module", "tied")

    def __init__(self, module: Any, around: _Own | None) -> None:
        self.module = module
        self.around = around
        self.elements = 0
        self.tied: dict[int, int] | None = None

    def tie(self, key: int, elements: int) -> None:
        """Note that a parameter of its own is held elsewhere, too."""
        if self.tied is None:
            self.tied = {}
        self.tied[key] = elements


def _own_parameters(top: object) -> list[_Own] | None:
    """What each module holds itself, each module before those below it.

    None where there is no such order, because one module is below two others or below itself, and
    where a parameter has no shape yet.
    """
    order: list[_Own] = []
    holders: dict[int, _Own] = {}
    seen: set[int] = set()
    waiting: list[_Own] = [_Own(top, None)]
    while waiting:
        own = waiting.pop()
        module = own.module
        if id(module) in seen:
            return None
        seen.add(id(module))
        order.append(own)
        attributes = vars_of(module)
        children = attributes.get(CHILDREN)
        if children and isinstance(children, dict):
            waiting += [_Own(child, own) for child in children.values() if child is not None]
        for parameter in (attributes.get(PARAMETERS) or _NO_PARAMETERS).values():
            if parameter is None:
                continue
            if type(parameter) is not Parameter and is_lazy(parameter):
                return None
            key, elements = id(parameter), int(parameter.numel())
            first = holders.get(key)
            if first is None:
                holders[key] = own
                own.elements += elements
                continue
            if first.tied is None or key not in first.tied:
                first.elements -= elements
                first.tie(key, elements)
            own.tie(key, elements)
    return order


def count(module: object) -> int:
    """Elements of the parameters of a module and all below it, each counted once."""
    with without_torch_function():
        return sum(map(_elements, _all_parameters(module)))


def parameter_bytes(module: object) -> tuple[int, int]:
    """Bytes of the parameters of a module and all below it, and of those that are trained.

    Each is counted once.
    """
    every = trained = 0
    with without_torch_function():
        for parameter in _all_parameters(module):
            size = _elements(parameter) * parameter.element_size()
            every += size
            trained += size if parameter.requires_grad else 0
    return every, trained


def trainable_elements(module: object) -> int:
    """Elements of the parameters of a module and all below it that require a gradient."""
    return sum(_elements(one) for one in _all_parameters(module) if one.requires_grad)


def _all_parameters(module: object) -> Iterator[Any]:
    """The parameters of a module and all below it, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [module]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        waiting.extend(submodules(current).values())
        for parameter in _parameters(current).values():
            if parameter is not None and id(parameter) not in seen:
                seen.add(id(parameter))
                yield parameter


def _elements(parameter: Any) -> int:
    """Elements of a parameter; none as long as it has no shape yet."""
    return 0 if is_lazy(parameter) else int(parameter.numel())


def _parameters(module: object) -> Mapping[str, Any]:
    return vars_of(module).get(PARAMETERS) or {}


def opaque_because(module: object) -> str:
    """What a module is that runs its submodules without calling them; empty if it calls them."""
    if not issubclass(type(module), _OPAQUE):
        return ""
    if issubclass(type(module), torch.jit.ScriptModule):
        return "TorchScript"
    if issubclass(type(module), torch.fx.GraphModule):
        called = {
            str(node.target).partition(".")[0]
            for node in cast("torch.fx.GraphModule", module).graph.nodes
            if node.op == "call_module"
        }
        hidden = [child for name, child in submodules(module).items() if name not in called]
        if any(count(child) for child in hidden):
            return "a flattened graph"
    return ""
