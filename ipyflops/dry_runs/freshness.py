"""Makes copies what they were before a run, so that the next run can have them too.

Example: a sweep calls ``step`` for twenty batch sizes. Each call gets the same copy of the model.
After a call the gradients, the optimizer's state and whatever the call has put into modules and
containers are taken away again. That takes a tenth of the time of copying everything anew.

Only what is known completely is put back. An object of a class written in C may hold anything, and
a tensor that has other data now is another tensor: then everything is copied anew.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import operator
import random
import re
import sys
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private import FakeTensor, hooks_of, post_accumulate_hooks_of

#: Puts back what something was; says whether it could.
Restorer = Callable[[], bool]
#: Values that never change, and what belongs to code: a dry run substitutes that itself.
_UNCHANGING: tuple[type, ...] = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type, enum.Enum,
    type(NotImplemented), types.CodeType, types.FunctionType, types.ModuleType, re.Pattern,
    types.GetSetDescriptorType, types.MemberDescriptorType, property, staticmethod, classmethod,
    datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, decimal.Decimal,
    operator.itemgetter, operator.attrgetter, operator.methodcaller, weakref.ref,
    torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
)  # fmt: skip
_LRU_CACHE: type = type(functools.lru_cache(lambda: None))
#: Classes written in C of whose instances everything is known.
_KNOWN_IN_C: frozenset[type] = frozenset(
    (
        *(object, dict, list, set, tuple, frozenset, deque, OrderedDict, defaultdict),
        *(int, float, complex, str, bytes, functools.partial, types.SimpleNamespace),
        *random.Random.__bases__,
    )
)
_HEAP_TYPE = 1 << 9
_POINTER = 8
#: A place for a dictionary of attributes, and one for weak references.
_TWO_PLACES = 2
_NOTHING = object()
#: Objects that are nothing but what they contain.
_PLAIN: frozenset[type] = frozenset((dict, list, set, tuple, frozenset))
#: What is put back by being cleared, if it was empty.
_CLEARED: frozenset[type] = frozenset((dict, list, set, OrderedDict))


class Freshness:
    """What copies are like before the first run.

    Parameters
    ----------
    copies : iterable
        What was copied; all that it holds is looked at too.
    is_shared : callable
        Whether something is not copied, and so is not to be put back.

    Attributes
    ----------
    is_complete : bool
        Whether everything can be put back.
    """

    def __init__(self, copies: Iterable[Any], is_shared: Callable[[Any], bool]) -> None:
        self._is_shared = is_shared
        self._restorers: list[Restorer] = []
        #: Containers that hold nothing: each module has a dozen of these.
        self._empty: list[Any] = []
        self._seen: dict[int, Any] = {}
        self._waiting = list(copies)
        self.is_complete = True
        while self._waiting and self.is_complete:
            value = self._waiting.pop()
            if id(value) not in self._seen and not isinstance(value, _UNCHANGING):
                self._seen[id(value)] = value
                if not is_shared(value):
                    self.is_complete = self._look_at(value)

    def restore(self) -> bool:
        """Put everything back; False where that is not possible, and the copies are of no use."""
        if any(self._empty):
            for one in self._empty:
                one.clear()
        return self.is_complete and all(restore() for restore in self._restorers)

    def _look_at(self, value: Any) -> bool:
        """Remember what something is like now; False if that cannot be known."""
        kind = type(value)
        if isinstance(value, Tensor):
            return type(value) is FakeTensor and self._tensor(value)
        if kind is types.MethodType:
            self._waiting += (value.__self__, value.__func__)
            return True
        if kind is types.BuiltinMethodType:
            self._waiting.append(value.__self__)
            return True
        if kind is _LRU_CACHE:
            self._restorers.append(_emptied(value))
        elif kind is torch.Generator:
            self._restorers.append(_with_state(value.get_state(), value.set_state))
            return True
        elif _is_array(value):
            return self._array(value)
        elif not all(map(_is_known, kind.__mro__)):
            return False
        self._contents(value)
        if kind not in _PLAIN:
            self._attributes(value)
        return True

    def _contents(self, value: Any) -> None:
        if type(value) in _CLEARED and not value:
            self._empty.append(value)
        elif isinstance(value, dict):
            self._dictionary(value)
        elif isinstance(value, list):
            held = list(list.__iter__(value))
            self._waiting += held
            self._restorers.append(lambda: _restore_list(value, held))
        elif isinstance(value, set):
            members = list(set.__iter__(value))
            self._waiting += members
            self._restorers.append(lambda: _restore_set(value, members))
        elif isinstance(value, deque):
            queued = list(value)
            self._waiting += queued
            self._restorers.append(lambda: _restore_deque(value, queued))
        elif isinstance(value, (tuple, frozenset)):
            self._waiting += value
        elif isinstance(value, functools.partial):
            self._waiting += (value.func, *value.args, *value.keywords.values())
        elif isinstance(value, random.Random):
            self._restorers.append(_with_state(value.getstate(), value.setstate))

    def _dictionary(self, value: dict[Any, Any]) -> None:
        kind: Any = OrderedDict if isinstance(value, OrderedDict) else dict
        keys, items = list(kind.keys(value)), list(kind.values(value))
        factory = getattr(value, "default_factory", None) if kind is dict else None
        self._waiting += keys
        self._waiting += items
        self._restorers.append(lambda: _restore_dictionary(value, kind, keys, items, factory))

    def _attributes(self, value: Any) -> None:
        kind = type(value)
        attributes = _attributes_of(value)
        if attributes is not None:
            self._dictionary(attributes)
        slots = [
            (one, _read(one, value))
            for base in kind.__mro__
            if base not in _KNOWN_IN_C
            for one in vars(base).values()
            if isinstance(one, types.MemberDescriptorType)
        ]
        self._waiting += (held for _, held in slots if held is not _NOTHING)
        self._restorers.append(
            # An object can be given another class, or another dictionary.
            lambda: (
                type(value) is kind
                and _attributes_of(value) is attributes
                and all(_restore_slot(slot, value, held) for slot, held in slots)
            )
        )

    def _array(self, array: Any) -> bool:
        if array.dtype.hasobject or type(array).__module__ != "numpy":
            return False
        if array.flags.writeable:
            before = array.copy()
            self._restorers.append(lambda: _restore_array(array, before))
        return True

    # --- tensors ---------------------------------------------------------------------------------

    def _tensor(self, tensor: FakeTensor) -> bool:
        if not tensor.is_leaf:
            return False  # its graph is from before the run, and can be changed by it
        gradient, attributes = tensor.grad, dict(vars(tensor))
        hooks = _hooks(tensor)
        self._waiting += (gradient, *hooks)
        self._waiting += (held for held in attributes.values() if held is not tensor.fake_mode)
        constant = tensor.constant
        state = _TensorState(
            tensor.untyped_storage(), _data_of(tensor), tensor.requires_grad, gradient, attributes,
            hooks, constant,
            None if constant is None else constant.clone(),
        )  # fmt: skip
        # What is known of a value is a real tensor, whose own state is remembered here.
        self._seen[id(constant)] = constant
        self._restorers.append(lambda: state.restore(tensor))
        return True


@dataclass(frozen=True, slots=True)
class _TensorState:
    """What a fake tensor is like."""

    storage: torch.UntypedStorage
    data: tuple[Any, ...]
    requires_grad: bool
    gradient: Tensor | None
    attributes: dict[str, Any]
    hooks: list[Any]
    #: The values of a tensor whose values are known, and a copy of them.
    constant: Tensor | None
    values: Tensor | None

    def restore(self, tensor: FakeTensor) -> bool:
        """Make a tensor as it was; False if it has other data or belongs to a graph now."""
        if (
            type(tensor) is not FakeTensor
            or not tensor.is_leaf
            or tensor.constant is not self.constant
            or not _are_same(_hooks(tensor), self.hooks)
            or tensor.untyped_storage() is not self.storage
            or _data_of(tensor) != self.data
        ):
            return False
        if self.constant is not None and self.values is not None:
            self.constant.copy_(self.values)
        if tensor.requires_grad is not self.requires_grad:
            tensor.requires_grad_(self.requires_grad)
        if tensor.grad is not self.gradient:
            tensor.grad = self.gradient
        attributes = vars(tensor)
        if not _are_same(attributes.values(), self.attributes.values()) or (
            attributes.keys() != self.attributes.keys()
        ):
            attributes.clear()
            attributes.update(self.attributes)
        return True


def _hooks(tensor: FakeTensor) -> list[Any]:
    return [*hooks_of(tensor), *post_accumulate_hooks_of(tensor)]


def _data_of(tensor: FakeTensor) -> tuple[Any, ...]:
    """Which data a tensor has, and how it looks at them."""
    return (
        tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.dtype,
        tensor.untyped_storage().nbytes(), tensor.is_conj(), tensor.is_neg(),
    )  # fmt: skip


# --- what is known completely --------------------------------------------------------------------


@functools.lru_cache
def _is_known(kind: type) -> bool:
    """Whether all that an instance holds can be seen, as far as a class adds to it."""
    return kind in _KNOWN_IN_C or (_is_written_in_python(kind) and kind is not weakref.WeakSet)


def _is_written_in_python(kind: type) -> bool:
    """Whether a class has no room for anything but its attributes."""
    if not kind.__flags__ & _HEAP_TYPE or kind.__base__ is None:
        return False
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    slots = sum(isinstance(one, types.MemberDescriptorType) for one in vars(kind).values())
    room = kind.__basicsize__ - kind.__base__.__basicsize__
    return room <= _POINTER * (slots + _TWO_PLACES) and (file is None or file.endswith(".py"))


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def _attributes_of(value: Any) -> dict[str, Any] | None:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return attributes if type(attributes) is dict else None


def _read(slot: types.MemberDescriptorType, owner: Any) -> Any:
    try:
        return slot.__get__(owner)
    except AttributeError:
        return _NOTHING


# --- putting back --------------------------------------------------------------------------------


def _are_same(these: Collection[Any], those: Collection[Any]) -> bool:
    return len(these) == len(those) and all(map(operator.is_, these, those))


def _restore_list(value: list[Any], held: list[Any]) -> bool:
    if not _are_same(value, held):
        list.__setitem__(value, slice(None), held)
    return True


def _restore_set(value: set[Any], members: list[Any]) -> bool:
    if len(value) != len(members) or set(map(id, value)) != set(map(id, members)):
        set.clear(value)
        set.update(value, members)
    return True


def _restore_deque(value: deque[Any], queued: list[Any]) -> bool:
    if not _are_same(value, queued):
        value.clear()
        value.extend(queued)
    return True


def _restore_dictionary(
    value: dict[Any, Any], kind: Any, keys: list[Any], items: list[Any], factory: Any
) -> bool:
    if not (_are_same(kind.keys(value), keys) and _are_same(kind.values(value), items)):
        kind.clear(value)
        for key, item in zip(keys, items, strict=True):
            kind.__setitem__(value, key, item)
    return kind is not dict or getattr(value, "default_factory", None) is factory


def _restore_slot(slot: types.MemberDescriptorType, owner: Any, held: Any) -> bool:
    if _read(slot, owner) is not held:
        if held is _NOTHING:
            slot.__delete__(owner)
        else:
            slot.__set__(owner, held)
    return True


def _restore_array(array: Any, before: Any) -> bool:
    if array.shape != before.shape or array.dtype != before.dtype or not array.flags.writeable:
        return False
    array[...] = before
    return True


def _emptied(function: Any) -> Restorer:
    def restore() -> bool:
        function.cache_clear()
        return True

    return restore


def _with_state(state: Any, set_state: Callable[[Any], object]) -> Restorer:
    def restore() -> bool:
        set_state(state)
        return True

    return restore
