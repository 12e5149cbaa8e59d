"""What running code again changes: modules, optimizers, tensors, random numbers, kept states.

Repeats of a training step train the model further. A `ChangeDetector` says afterwards what has
changed, without copies. A `Snapshot` keeps copies and puts them back.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor

from ipyflops.counting import accelerator_in_use, module_of
from ipyflops.measuring.kept_states import KeptState, keeps_state, state_fingerprint
from ipyflops.torch_private import version_of

#: The name of random numbers among the names of what has changed.
RANDOM = "random numbers"


def variables_of(parts: Iterable[CodeType], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The modules, tensors, generators and objects that keep a state, which code names.

    Functions that the code names are followed. What lies inside other objects is not found.
    """
    variables: dict[str, Any] = {}
    seen: set[str] = set()
    waiting = list(parts)
    while waiting:
        for name in _names(waiting.pop()):
            if name in seen or name not in namespace:
                continue
            seen.add(name)
            value = namespace[name]
            if isinstance(value, (torch.nn.Module, Tensor, torch.Generator)) or keeps_state(value):
                variables[name] = value
            if isinstance(value, MethodType):
                value = value.__func__
            if isinstance(value, FunctionType):
                waiting.append(value.__code__)
    return variables


def _names(code: CodeType) -> Iterator[str]:
    """The names of variables in code and in the functions that it defines."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


class ChangeDetector:
    """Detects changes of modules, optimizers, tensors and random numbers, without copies.

    It compares the versions that torch counts for every tensor, which take almost no time.

    Parameters
    ----------
    variables : mapping of str to object
        As `variables_of` gives them.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = dict(variables)
        self._before = self._fingerprints()

    def changed(self) -> tuple[str, ...]:
        """Names of what is no longer as it was."""
        now = self._fingerprints()
        return tuple(name for name, before in self._before.items() if now[name] != before)

    def _fingerprints(self) -> dict[str, object]:
        fingerprints = {name: _fingerprint(value) for name, value in self._variables.items()}
        fingerprints[RANDOM] = _random_fingerprint()
        return fingerprints


def _fingerprint(value: Any) -> object:
    """Something that is different once the value was written to."""
    if isinstance(value, torch.nn.Module):
        return tuple(map(_version, _tensors(value))), value.training
    if isinstance(value, Tensor):
        return _version(value), _version(gradient_of(value))
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return state_fingerprint(value)


def _version(tensor: Tensor | None) -> object:
    if tensor is None or torch.nn.parameter.is_lazy(tensor):
        return type(tensor)
    # Tensors made in inference mode count no versions.
    return id(tensor), -1 if tensor.is_inference() else version_of(tensor)


def gradient_of(tensor: Tensor) -> Tensor | None:
    """The gradient of a tensor that may have one."""
    # Results of operators have gradients only after retain_grad(); reading others would warn.
    return tensor.grad if tensor.is_leaf or tensor.retains_grad else None


def _tensors(module: torch.nn.Module) -> Iterator[Tensor | None]:
    for parameter in module.parameters():
        yield parameter
        yield parameter.grad
    yield from module.buffers()


def _random_fingerprint() -> object:
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
    kind = accelerator_in_use()
    module = None if kind is None else module_of(kind)
    for all_devices in ("_all", ""):  # MPS has one device, and no function for all
        getter = getattr(module, f"get_rng_state{all_devices}", None)
        if getter is not None:
            states.append((getattr(module, f"set_rng_state{all_devices}"), getter()))
            break
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        states.append((numpy.random.set_state, numpy.random.get_state()))
    return states


class Snapshot:
    """Copies of modules, tensors, kept states, variables and random numbers.

    Parameters
    ----------
    variables : mapping of str to object
        As `variables_of` gives them. Copies of their tensors take memory as long as this lives.
    namespace : mutable mapping, optional
        Its names are bound again to the objects that they are bound to now.
    """

    def __init__(
        self, variables: Mapping[str, Any], namespace: MutableMapping[str, Any] | None = None
    ) -> None:
        self._namespace = namespace
        self._bound = dict(namespace) if namespace is not None else {}
        self._tensors: dict[int, _TensorCopy] = {}
        self._training: list[tuple[torch.nn.Module, bool]] = []
        self._states: list[tuple[Callable[[Any], object], Any]] = []
        self._kept: dict[str, KeptState] = {}
        for name, value in variables.items():
            self._save(name, value)
        self._states += random_states()

    def _save(self, name: str, value: Any) -> None:
        if isinstance(value, torch.nn.Module):
            self._training += [(module, module.training) for module in value.modules()]
            for tensor in (*value.parameters(), *value.buffers()):
                self._save_tensor(tensor)
        elif isinstance(value, Tensor):
            self._save_tensor(value)
        elif isinstance(value, torch.Generator):
            self._states.append((value.set_state, value.get_state()))
        else:
            if isinstance(value, torch.optim.Optimizer):
                for group in value.param_groups:
                    for parameter in group["params"]:
                        self._save_tensor(parameter)
            self._kept[name] = KeptState(value)

    def _save_tensor(self, tensor: Tensor) -> None:
        if id(tensor) in self._tensors or torch.nn.parameter.is_lazy(tensor):
            return
        gradient = gradient_of(tensor)
        self._tensors[id(tensor)] = _TensorCopy(
            tensor,
            tensor.detach().clone(),
            gradient,
            None if gradient is None else gradient.detach().clone(),
        )

    def restore(self) -> tuple[str, ...]:
        """Put everything back; give the names of objects whose state could not be put back."""
        for copied in self._tensors.values():
            copied.restore()
        for module, training in self._training:
            module.training = training
        failed = tuple(name for name, kept in self._kept.items() if not kept.restore())
        for set_state, state in self._states:
            set_state(state)
        if self._namespace is not None:
            for name in [name for name in self._namespace if name not in self._bound]:
                del self._namespace[name]
            self._namespace.update(self._bound)
        return failed


@dataclass(frozen=True, slots=True)
class _TensorCopy:
    """A tensor and its gradient, with copies of their values."""

    tensor: Tensor
    values: Tensor
    gradient: Tensor | None
    gradient_values: Tensor | None

    def restore(self) -> None:
        _write_back(self.tensor, self.values)
        if self.gradient is not None and self.gradient_values is not None:
            _write_back(self.gradient, self.gradient_values)
        if gradient_of(self.tensor) is not self.gradient:
            self.tensor.grad = self.gradient


def _write_back(tensor: Tensor, values: Tensor) -> None:
    with torch.no_grad(), torch.inference_mode(tensor.is_inference()):
        # Equal values are not written: a backward pass may still need the tensor unchanged. The
        # version does not tell, because batch norm changes its statistics without a new version.
        if tensor.layout is not torch.strided or not torch.equal(tensor.detach(), values):
            tensor.detach().copy_(values)
