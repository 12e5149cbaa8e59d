"""What running code again changes: modules, optimizers, tensors and random numbers.

Repeats of a training step train. A `Watch` says afterwards what moved on, at almost no cost; a
`Snapshot` keeps copies and puts them back.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from ipyflops.torch_private import version_of

#: What random numbers are called among the names of what moved.
RANDOM = "random numbers"

_WITH_STATE = (torch.optim.Optimizer, LRScheduler)


def variables_of(parts: Iterable[CodeType], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The modules, optimizers, schedulers, tensors and generators that code names.

    Also those that the functions name which it calls by name; not what lies inside other objects.
    """
    found: dict[str, Any] = {}
    seen: set[str] = set()
    waiting = list(parts)
    while waiting:
        for name in _names(waiting.pop()):
            if name in seen or name not in namespace:
                continue
            seen.add(name)
            value = namespace[name]
            if isinstance(value, (torch.nn.Module, Tensor, torch.Generator, *_WITH_STATE)):
                found[name] = value
            if isinstance(value, MethodType):
                value = value.__func__
            if isinstance(value, FunctionType):
                waiting.append(value.__code__)
    return found


def _names(code: CodeType) -> Iterator[str]:
    """The names of variables in code and in the functions that it defines."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


class Watch:
    """Remembers in which state things are, without copies.

    Parameters
    ----------
    variables : mapping of str to object
        As `variables_of` gives them.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = dict(variables)
        self._before = self._now()

    def moved(self) -> tuple[str, ...]:
        """Names of what is no longer as it was."""
        now = self._now()
        return tuple(name for name, mark in self._before.items() if now[name] != mark)

    def _now(self) -> dict[str, object]:
        marks = {name: _mark(value) for name, value in self._variables.items()}
        marks[RANDOM] = _random_mark()
        return marks


def _mark(value: Any) -> object:
    """Something that differs once the value was written to."""
    if isinstance(value, torch.nn.Module):
        return tuple(map(_version, _tensors(value))), value.training
    if isinstance(value, Tensor):
        return _version(value), _version(gradient_of(value))
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return _flat(value.state_dict())


def _flat(value: Any) -> object:
    """A nested state with each tensor as its version; an optimizer may replace or write them."""
    if isinstance(value, Tensor):
        return _version(value)
    if isinstance(value, Mapping):
        return tuple((key, _flat(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(_flat, value))
    return value if isinstance(value, (int, float, str, bool)) else type(value)


def _version(tensor: Tensor | None) -> object:
    if tensor is None or torch.nn.parameter.is_lazy(tensor):
        return type(tensor)
    # Tensors made in inference mode count no versions.
    return id(tensor), -1 if tensor.is_inference() else version_of(tensor)


def gradient_of(tensor: Tensor) -> Tensor | None:
    """The gradient of a tensor that may have one."""
    # A result of the graph has a gradient only if it was asked to keep it; asking else would warn.
    return tensor.grad if tensor.is_leaf or tensor.retains_grad else None


def _tensors(module: torch.nn.Module) -> Iterator[Tensor | None]:
    for parameter in module.parameters():
        yield parameter
        yield parameter.grad
    yield from module.buffers()


def _random_mark() -> object:
    return tuple(_comparable(state) for _, state in random_states())


def _comparable(state: Any) -> object:
    if isinstance(state, Tensor):
        return state.numpy().tobytes()
    if isinstance(state, (list, tuple)):
        return tuple(map(_comparable, state))
    return state.tobytes() if hasattr(state, "tobytes") else state


def random_states() -> list[tuple[Callable[[Any], object], Any]]:
    """The state of every source of random numbers, and how to set it."""
    states: list[tuple[Callable[[Any], object], Any]] = [
        (torch.set_rng_state, torch.get_rng_state()),
        (random.setstate, random.getstate()),
    ]
    cuda: Any = torch.cuda
    if cuda.is_initialized():
        states.append((cuda.set_rng_state_all, cuda.get_rng_state_all()))
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        states.append((numpy.random.set_state, numpy.random.get_state()))
    return states


class Snapshot:
    """Copies of modules, optimizers, schedulers, tensors, variables and random numbers.

    Parameters
    ----------
    variables : mapping of str to object
        As `variables_of` gives them; with copies of their tensors in memory until this is gone.
    namespace : mutable mapping, optional
        Whose names are bound again to what they are bound to now.
    """

    def __init__(
        self, variables: Mapping[str, Any], namespace: MutableMapping[str, Any] | None = None
    ) -> None:
        self._namespace = namespace
        self._bound = dict(namespace) if namespace is not None else {}
        self._tensors: dict[int, _Kept] = {}
        self._training: list[tuple[torch.nn.Module, bool]] = []
        self._states: list[tuple[Callable[[Any], object], Any]] = []
        for value in variables.values():
            self._keep(value)
        self._states += random_states()

    def _keep(self, value: Any) -> None:
        if isinstance(value, torch.nn.Module):
            self._training += [(module, module.training) for module in value.modules()]
            for tensor in (*value.parameters(), *value.buffers()):
                self._keep_tensor(tensor)
        elif isinstance(value, Tensor):
            self._keep_tensor(value)
        elif isinstance(value, torch.Generator):
            self._states.append((value.set_state, value.get_state()))
        else:
            if isinstance(value, torch.optim.Optimizer):
                for group in value.param_groups:
                    for parameter in group["params"]:
                        self._keep_tensor(parameter)
            self._states.append((value.load_state_dict, copy.deepcopy(value.state_dict())))

    def _keep_tensor(self, tensor: Tensor) -> None:
        if id(tensor) in self._tensors or torch.nn.parameter.is_lazy(tensor):
            return
        gradient = gradient_of(tensor)
        self._tensors[id(tensor)] = _Kept(
            tensor,
            tensor.detach().clone(),
            gradient,
            None if gradient is None else gradient.detach().clone(),
        )

    def restore(self) -> None:
        """Put everything back."""
        for kept in self._tensors.values():
            kept.put_back()
        for module, training in self._training:
            module.training = training
        for put_back, state in self._states:
            put_back(state)
        if self._namespace is not None:
            for name in [name for name in self._namespace if name not in self._bound]:
                del self._namespace[name]
            self._namespace.update(self._bound)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A tensor and its gradient with copies of their values."""

    tensor: Tensor
    values: Tensor
    gradient: Tensor | None
    gradient_values: Tensor | None

    def put_back(self) -> None:
        _write_back(self.tensor, self.values)
        if self.gradient is not None and self.gradient_values is not None:
            _write_back(self.gradient, self.gradient_values)
        if gradient_of(self.tensor) is not self.gradient:
            self.tensor.grad = self.gradient


def _write_back(tensor: Tensor, values: Tensor) -> None:
    with torch.no_grad(), torch.inference_mode(tensor.is_inference()):
        # What is the same is not written: a backward pass may still need it. Its version does not
        # tell, for batch norm changes its statistics without a new one.
        if tensor.layout is not torch.strided or not torch.equal(tensor.detach(), values):
            tensor.detach().copy_(values)
