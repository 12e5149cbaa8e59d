"""Copies of a user's objects in which every tensor is a fake one.

Objects that can change are copied: modules, optimizers, containers, plain objects. Objects that a
program shares are not: classes, functions, imported modules, locks, open files, widgets. An object
that is reached in two ways has one copy, so tied weights stay tied.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ipyflops.dry_runs.errors import DryRunError, without_warning_as_error
from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.measuring import gradient_of
from ipyflops.torch_private import (
    FAKE_BUFFER,
    FAKE_PARAMETER,
    SHARED_MODULES,
    hooks_of,
    post_accumulate_hooks_of,
)

_IMMUTABLE = (
    type(None), bool, int, float, complex, str, bytes, range, type(...), type(NotImplemented),
    types.CodeType, types.GetSetDescriptorType, types.MemberDescriptorType, enum.Enum,
    torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
)  # fmt: skip
#: Objects of these packages are not copied: they run the notebook, or show something.
_SHARED_PACKAGES = frozenset(
    (
        *("IPython", "ipykernel", "ipyflops", "ipyparallel", "ipywidgets", "anywidget", "comm"),
        *("traitlets", "zmq", "tornado", "matplotlib", "tqdm", "asyncio", "concurrent", "logging"),
        *("multiprocessing", "socket", "threading", "_thread", "queue", "selectors", "subprocess"),
        *("weakref", "_weakref", "_io", "io", "contextvars", "_contextvars"),
    )
)
#: Objects of these parts of torch are not copied: operators, processes, streams, profilers.
_SHARED_OF_TORCH = (
    *SHARED_MODULES,
    *("torch.library", "torch.cuda"),
    *("torch.distributed.device_mesh", "torch.distributed.distributed_c10d", "torch.profiler"),
)
#: Copied attribute by attribute, even if their classes define how they are pickled.
_BY_ATTRIBUTES = (torch.nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)
#: Bytes of the largest NumPy array that is copied. The dry run can read larger ones, not write.
MAX_ARRAY_BYTES = 1 << 28
_WEAK_DICTIONARIES = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
_LRU_CACHE: type = type(functools.lru_cache(lambda: None))
#: Objects that are not copied, but whose code reaches further objects.
CodeOwner = types.FunctionType | type | types.ModuleType


class Copier:
    """Makes the copies, each once.

    Parameters
    ----------
    mode : DryRunMode
    on_code_owner : callable
        Called with every function, class and module that is reached. They are not copied.

    Attributes
    ----------
    uncopied : dict
        Names of the types of objects that could not be copied: the dry run changes them for good.
    can_be_reused : bool
        Whether no dictionary with weak references was met. It is shared, and so it remembers a copy
        that a run has given to it, for as long as the copy lives.
    """

    def __init__(self, mode: DryRunMode, on_code_owner: Callable[[CodeOwner], None]) -> None:
        self._mode = mode
        self._on_code_owner = on_code_owner
        #: Copies by the id of the original, as `copy.deepcopy` has them in its `memo`.
        self._copies: dict[int, Any] = {}
        self._originals: list[Any] = []
        self.uncopied: dict[str, None] = {}
        self.can_be_reused = True
        #: Copies whose class says what to do when one is gone.
        self._with_finalizers: list[Any] = []
        weakref.finalize(self, _without_finalizers, self._with_finalizers)

    @property
    def copies(self) -> list[Any]:
        """What was made so far."""
        originals = set(map(id, self._originals))
        return [made for made in self._copies.values() if id(made) not in originals]

    def is_shared(self, value: Any) -> bool:
        """Whether an object is no copy: the code and its caller have the same one."""
        return self._copies.get(id(value)) is value or _is_shared(type(value))

    def copy(self, value: Any) -> Any:
        """Return the copy of an object; the object itself where it is shared or cannot change."""
        kind = type(value)
        if kind in _IMMUTABLE or issubclass(kind, _IMMUTABLE):
            return value
        # `self` stands for no copy, because None can be one.
        copied = self._copies.get(id(value), self)
        if copied is not self:
            return copied
        make = _MAKERS.get(kind)
        if make is not None:
            return make(self, value)
        if issubclass(kind, Tensor):
            return self._tensor(value)
        if issubclass(kind, type):
            self._on_code_owner(value)
            return value
        if issubclass(kind, _BY_ATTRIBUTES) and not issubclass(kind, torch.jit.ScriptModule):
            return self._by_attributes(value)
        if _is_shared(kind):
            self.can_be_reused = self.can_be_reused and not issubclass(kind, _WEAK_DICTIONARIES)
            return value
        try:
            return without_warning_as_error(self._by_protocol, value)
        except DryRunError:
            raise
        except Exception:
            # Copying runs code of the object's class, which may fail in any way.
            self.uncopied[kind.__name__] = None
            return self._record(value, value)

    def _record(self, value: Any, made: Any) -> Any:
        self._copies[id(value)] = made
        self._originals.append(value)  # so that no other object gets its id
        if made is not value and hasattr(type(made), "__del__"):
            self._with_finalizers.append(made)
        return made

    # --- tensors -------------------------------------------------------------------------------

    def _tensor(self, tensor: Tensor) -> Tensor:
        if torch.nn.parameter.is_lazy(tensor):
            raise DryRunError(
                "a dry run cannot give a lazy module its parameters: call it once, for real, or "
                "build it in the code itself"
            )
        fake: Tensor = self._record(tensor, self._mode.fake_of(tensor))
        gradient = gradient_of(tensor)
        if gradient is not None:
            fake.grad = self.copy(gradient)
        torch_attributes = _fake_attributes(fake)
        for name, value in vars(tensor).items():
            if name not in torch_attributes:
                setattr(fake, name, self.copy(value))
        for hook in hooks_of(tensor):
            fake.register_hook(self.copy(hook))
        for hook in post_accumulate_hooks_of(tensor):
            fake.register_post_accumulate_grad_hook(self.copy(hook))
        return fake

    # --- containers ----------------------------------------------------------------------------

    def _list(self, value: list[Any]) -> list[Any]:
        made: list[Any] = self._record(value, [])
        made.extend(map(self.copy, value))
        return made

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = self._record(value, {})
        for key, item in list(value.items()):  # other threads may change it meanwhile
            made[self.copy(key)] = self.copy(item)
        return made

    def _ordered(self, value: OrderedDict[Any, Any]) -> OrderedDict[Any, Any]:
        """A dictionary of hooks, mostly an empty one: each module has a dozen of these."""
        made: OrderedDict[Any, Any] = self._record(value, OrderedDict())
        for key, item in list(value.items()):  # other threads may change it meanwhile
            made[self.copy(key)] = self.copy(item)
        for name, item in vars(value).items():  # as the metadata of a `state_dict`
            made.__dict__[name] = self.copy(item)
        return made

    def _set(self, value: set[Any]) -> set[Any]:
        made: set[Any] = self._record(value, set())
        made.update(map(self.copy, list(value)))
        return made

    def _immutable_container(self, value: Any) -> Any:
        items = list(value)
        made = [self.copy(item) for item in items]
        if all(one is other for one, other in zip(items, made, strict=True)):
            return value
        copied = self._copies.get(id(value))  # a tuple may hold something that holds the tuple
        return copied if copied is not None else self._record(value, type(value)(made))

    # --- code ----------------------------------------------------------------------------------

    def _code_owner(self, value: Any) -> Any:
        self._on_code_owner(value)
        return value

    def _method(self, value: types.MethodType) -> Any:
        owner = self.copy(value.__self__)
        function = self.copy(value.__func__)
        if owner is value.__self__ and function is value.__func__:
            return value
        return self._record(value, types.MethodType(function, owner))

    def _builtin(self, value: types.BuiltinMethodType) -> Any:
        owner = value.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return value
        made = self.copy(owner)
        return value if made is owner else self._record(value, getattr(made, value.__name__))

    def _descriptor(self, value: Any) -> Any:
        for name in ("__func__", "fget", "fset", "fdel", "func"):
            self.copy(getattr(value, name, None))
        return value

    def _cached_function(self, value: Any) -> Any:
        """A function with `functools.lru_cache`: the original must not cache fake results."""
        empty = functools.lru_cache(**value.cache_parameters())(self.copy(value.__wrapped__))
        return self._record(value, functools.update_wrapper(empty, value))

    # --- objects -------------------------------------------------------------------------------

    def _weak_reference(self, value: weakref.ref[Any]) -> Any:
        target = value()
        made = None if target is None else self.copy(target)
        return value if made is target else self._record(value, weakref.ref(made))

    def _generator(self, value: torch.Generator) -> Any:
        return self._record(value, value.clone_state())

    def _by_attributes(self, value: Any) -> Any:
        made = self._record(value, object.__new__(type(value)))
        self._on_code_owner(type(value))
        for name, item in list(object.__getattribute__(value, "__dict__").items()):
            made.__dict__[name] = self.copy(item)
        return made

    def _by_protocol(self, value: Any) -> Any:
        """Copy any object as `copy.deepcopy` does, with fakes for the tensors in it."""
        kind = type(value)
        self._on_code_owner(kind)
        array = _large_array(value)
        if array is not None:
            return self._record(value, array)
        deepcopy = getattr(kind, "__deepcopy__", None)
        if deepcopy is not None:
            self._copy_tensors_of_module(value)
            with _FakeDeepCopies(self):
                return self._record(value, deepcopy(value, self._copies))
        reduce = copyreg.dispatch_table.get(kind)
        reduced = reduce(value) if reduce is not None else value.__reduce_ex__(4)
        return value if isinstance(reduced, str) else self._rebuilt(value, *reduced)

    def _rebuilt(
        self,
        value: Any,
        make: Callable[..., Any],
        arguments: tuple[Any, ...],
        state: Any = None,
        items: Iterator[Any] | None = None,
        pairs: Iterator[tuple[Any, Any]] | None = None,
        set_state: Callable[[Any, Any], None] | None = None,
    ) -> Any:
        """Build an object from what `object.__reduce_ex__` has given."""
        made = self._record(value, make(*map(self.copy, arguments)))
        if state is not None:
            state = self.copy(state)
            if set_state is not None:
                set_state(made, state)
            elif hasattr(made, "__setstate__"):
                made.__setstate__(state)
            else:
                attributes, slots = state if _has_slots(state) else (state, None)
                for name, item in (attributes or {}).items():
                    made.__dict__[name] = item
                for name, item in (slots or {}).items():
                    setattr(made, name, item)
        for item in items or ():
            made.append(self.copy(item))
        for key, item in pairs or ():
            made[self.copy(key)] = self.copy(item)
        return made

    def _copy_tensors_of_module(self, value: Any) -> None:
        """Copy a module's tensors before its own `__deepcopy__` copies them for real."""
        if isinstance(value, torch.nn.Module):
            for tensor in (*value.parameters(), *value.buffers()):
                self.copy(tensor)


def _without_finalizers(copies: list[Any]) -> None:
    """Let copies be gone without a word: `__del__` would close what the originals still use.

    Example: the copy of a connection would tell the other side that the connection is over.
    """
    for made in copies:
        # Classes whose objects look otherwise in memory, as those of C, do not let it.
        with suppress(Exception):
            made.__class__ = _Gone
    copies.clear()


class _Gone:
    """What a copy is of when it is no longer needed."""


_MAKERS: Mapping[type, Callable[[Copier, Any], Any]] = {
    list: Copier._list,
    dict: Copier._dict,
    OrderedDict: Copier._ordered,
    set: Copier._set,
    tuple: Copier._immutable_container,
    frozenset: Copier._immutable_container,
    types.FunctionType: Copier._code_owner,
    types.ModuleType: Copier._code_owner,
    types.MethodType: Copier._method,
    types.BuiltinMethodType: Copier._builtin,
    property: Copier._descriptor,
    staticmethod: Copier._descriptor,
    classmethod: Copier._descriptor,
    functools.cached_property: Copier._descriptor,
    _LRU_CACHE: Copier._cached_function,
    weakref.ref: Copier._weak_reference,
    torch.Generator: Copier._generator,
}


class _FakeDeepCopies(TorchFunctionMode):
    """Makes tensors give fake copies of themselves while an object copies itself."""

    def __init__(self, copier: Copier) -> None:
        super().__init__()
        self._copier = copier

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__:
            return self._copier.copy(args[0])
        return func(*args, **(kwargs or {}))


def _is_shared(kind: type) -> bool:
    return any(
        base.__module__.partition(".")[0] in _SHARED_PACKAGES
        or base.__module__.startswith(_SHARED_OF_TORCH)
        for base in kind.__mro__
    )


def _large_array(value: Any) -> Any:
    """A read-only view of a NumPy array that is too large to copy or is mapped from a file."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    if value.nbytes <= MAX_ARRAY_BYTES and not isinstance(value, numpy.memmap):
        return None
    view = value.view()
    view.flags.writeable = False
    return view


def _has_slots(state: Any) -> bool:
    return isinstance(state, tuple) and len(state) == 2


def _fake_attributes(fake: Tensor) -> frozenset[str]:
    """The attributes that torch itself gives a fake tensor."""
    return frozenset(vars(fake)) | {FAKE_PARAMETER, FAKE_BUFFER}
