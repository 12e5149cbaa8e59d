"""All that is put in the place of something of PyTorch's while a dry run has a CUDA device.

It is there once for all such dry runs at the same time, and taken away with the last one, after
errors and interrupts too. In threads that do no such dry run each function is PyTorch's own.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.cuda import answers, tensors
from ipyflops.dry_runs.cuda.autocast import forget_weights
from ipyflops.dry_runs.cuda.mode import active_cuda_run
from ipyflops.dry_runs.cuda.operators import kernel_set
from ipyflops.torch_private import (
    FOREACH_TYPES,
    GROUPING,
    FakeTensor,
    KernelSet,
)

_MISSING = object()


class Patches:
    """Attributes and kernels that are others as long as any dry run has a CUDA device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The dry runs for which all is in place.
        self._runs: set[int] = set()
        #: What was there: the owner, the name, and the value in the owner's own dictionary.
        self._before: list[tuple[Any, str, Any]] = []
        self._kernels: KernelSet | None = None
        #: Has `here` in the threads in which a dry run has set the default device.
        self._set_default = threading.local()

    @contextmanager
    def active(self, run: object) -> Iterator[None]:
        """Have all of it in place in the block; after the last block all is as it was."""
        before = default_device()
        try:
            with self._lock:
                self._runs.add(id(run))
                if not self._before:
                    self._put()
            yield
        finally:
            if vars(self._set_default).pop("here", False):
                torch.set_default_device(None if before.type == "cpu" else before)
            self.leave(run)

    def leave(self, run: object) -> None:
        """End a dry run's need of it, also if that was done before, or begun and interrupted."""
        with self._lock:
            self._runs.discard(id(run))
            if not self._runs:
                self._take_away()

    def _put(self) -> None:
        own = torch.set_default_device
        setting = (torch, "set_default_device", self._noting_defaults(own))
        for owner, name, value in (setting, *_replacements()):
            self._before.append((owner, name, vars(owner).get(name, _MISSING)))
            setattr(owner, name, value)
        for types in FOREACH_TYPES:
            types.append(FakeTensor)
        self._kernels = kernel_set()
        self._kernels.install()

    def _noting_defaults(self, own: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(own)
        def set_default(device: Any) -> None:
            if active_cuda_run() is not None:
                self._set_default.here = True
            own(device)

        return set_default

    def _take_away(self) -> None:
        for types in FOREACH_TYPES:
            if FakeTensor in types:
                types.remove(FakeTensor)
        while self._before:
            owner, name, value = self._before[-1]
            if value is _MISSING:
                if name in vars(owner):
                    delattr(owner, name)
            else:
                setattr(owner, name, value)
            self._before.pop()
        if self._kernels is not None:
            self._kernels.remove()
            self._kernels = None


#: The one of this process.
PATCHES = Patches()


def default_device() -> torch.device:
    """Where tensors are made that name no device."""
    try:
        return torch.get_default_device()
    except AttributeError:  # in PyTorch 2.6, after it was set to None
        return torch.device("cpu")


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """The owner, the name and the new value of each attribute."""
    for owner, table in (
        (torch.cuda, answers.OF_CUDA),
        (torch.accelerator, answers.OF_ACCELERATOR),
        (torch.backends.cudnn, answers.OF_CUDNN),
    ):
        for name, answer in table.items():
            own = getattr(owner, name, None)
            if own is not None:
                yield owner, name, _in_dry_runs(own, answer)
    for name, attribute in tensors.OF_TENSORS.items():
        yield FakeTensor, name, attribute
    yield torch, "clear_autocast_cache", _forgetting(torch.clear_autocast_cache)
    yield torch, "Generator", _Generator
    yield torch.nn.RNNBase, "flatten_parameters", _flattening(torch.nn.RNNBase.flatten_parameters)
    owner, name = GROUPING
    grouping = getattr(owner, name, None)
    if grouping is not None:
        yield owner, name, _grouping(grouping)


def _in_dry_runs(own: Any, answer: Callable[..., Any]) -> Any:
    """A function that answers for the device in a dry run, and is PyTorch's own elsewhere."""
    if isinstance(own, type):
        return _class_in_dry_runs(own, answer)

    @functools.wraps(own)
    def answered(*args: Any, **kwargs: Any) -> Any:
        return (own if active_cuda_run() is None else answer)(*args, **kwargs)

    return answered


def _class_in_dry_runs(own: type, answer: Callable[..., Any]) -> type:
    """The same for a class: what it makes is the stand-in, which passes for an instance of it."""

    class Kind(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return (own if active_cuda_run() is None else answer)(*args, **kwargs)

        def __instancecheck__(cls, instance: Any) -> bool:
            is_stand_in = isinstance(answer, type) and isinstance(instance, answer)
            return is_stand_in or isinstance(instance, own)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, own)

    return Kind(own.__name__, (), {"__doc__": own.__doc__, "__module__": own.__module__})


def _forgetting(own: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(own)
    def cleared() -> None:
        forget_weights()
        own()

    return cleared


def _flattening(own: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(own)
    def flattened(module: torch.nn.RNNBase) -> None:
        # cuDNN wants a layer's weights side by side in memory, which fake tensors have none of.
        if active_cuda_run() is None:
            own(module)

    return flattened


def _grouping(own: Callable[..., Any]) -> Callable[..., Any]:
    """Groups of tensors of one device, for optimizers: C++ tells ``meta`` for the CUDA device."""

    @functools.wraps(own)
    def grouped(lists: Any, with_indices: bool = False) -> Any:
        groups = own(lists, with_indices)
        if active_cuda_run() is None:
            return groups
        return {
            (_device_of(group), dtype): (group, indices)
            for (_, dtype), (group, indices) in groups.items()
        }

    return grouped


def _device_of(group: Any) -> torch.device:
    first: Tensor = group[0][0]
    return first.device


class _OfGenerators(type(torch.Generator)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _OWN_GENERATOR)


_OWN_GENERATOR = torch.Generator


class _Generator(torch.Generator, metaclass=_OfGenerators):
    """A generator of random numbers: one on CUDA is one on the CPU, and nothing draws from it."""

    def __new__(cls, device: Any = "cpu") -> Any:
        kind = torch.device(device).type
        if kind == "cuda" and active_cuda_run() is not None:
            return _OWN_GENERATOR("cpu")
        return _OWN_GENERATOR(device)
