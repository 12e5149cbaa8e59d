"""A picture of objects down to the bytes of their tensors, to see whether anything changed."""

from __future__ import annotations

import random
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor


class Picture:
    """Of all that can be reached from some objects: identities, types, values, storages.

    The objects are kept, so that no id is given to another one.
    """

    def __init__(self, *objects: object, **variables: object) -> None:
        self._seen: dict[int, object] = {}
        self.parts: dict[str, object] = {}
        for index, one in enumerate(objects):
            self._add(str(index), one)
        for name, one in variables.items():
            self._add(name, one)
        self.parts["random"] = (
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
            repr(np.random.get_state(legacy=False)),
        )
        self.parts["settings"] = (torch.is_grad_enabled(), torch.get_default_dtype())

    def _add(self, path: str, value: Any) -> None:
        kind = type(value)
        assert not issubclass(kind, FakeTensor), f"{path} is fake"
        if value is None or kind in (bool, int, float, complex, str, bytes):
            self.parts[path] = (kind, repr(value))
            return
        self.parts[path] = (kind, id(value))
        if id(value) in self._seen or isinstance(value, types.ModuleType):
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self._tensor(path, value)
        elif isinstance(value, np.ndarray):
            self.parts[f"{path}[]"] = (value.dtype, value.shape, value.tobytes())
        elif isinstance(value, torch.Generator):
            self.parts[f"{path}[]"] = value.get_state().numpy().tobytes()
        elif isinstance(value, Mapping):
            for index, (key, item) in enumerate(value.items()):
                self._add(f"{path}.key{index}", key)
                self._add(f"{path}[{key if isinstance(key, str) else index}]", item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            self.parts[f"{path} length"] = len(value)
            for index, item in enumerate(value):
                self._add(f"{path}[{index}]", item)
        elif isinstance(value, types.FunctionType):
            for index, cell in enumerate(value.__closure__ or ()):
                self._add(f"{path} cell{index}", cell.cell_contents)
            self._add(f"{path}.__defaults__", value.__defaults__)
            self._add(f"{path}.__kwdefaults__", value.__kwdefaults__)
        elif isinstance(value, types.MethodType):
            self._add(f"{path}.__self__", value.__self__)
        elif isinstance(value, type):
            for name, item in list(vars(value).items()):
                if not name.startswith("__"):
                    self._add(f"{path}.{name}", item)
            return
        attributes = getattr(value, "__dict__", {})
        for name, item in list(attributes.items()):
            self._add(f"{path}.{name}", item)

    def _tensor(self, path: str, tensor: Tensor) -> None:
        gradient = tensor.grad if tensor.is_leaf else None
        # A node's object in Python lives, and keeps its id, only while somebody has it.
        self._seen[id(tensor.grad_fn)] = tensor.grad_fn
        self.parts[f"{path}[]"] = (
            tensor.dtype,
            tensor.device,
            tensor.shape,
            tensor.stride(),
            tensor.storage_offset(),
            tensor.requires_grad,
            id(tensor.grad_fn),
            tensor._version,
            tensor.is_leaf,
        )
        if tensor.device.type != "meta":
            storage = tensor.untyped_storage()
            values = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().tobytes()
            self.parts[f"{path} storage"] = (storage.data_ptr(), values)
        self._add(f"{path}.grad", gradient)
        self._add(f"{path} hooks", tensor._backward_hooks)

    def assert_same(self, later: Picture) -> None:
        """Compare, and name what differs."""
        paths = {**self.parts, **later.parts}
        changed = [path for path in paths if self.parts.get(path) != later.parts.get(path)]
        assert not changed, f"changed: {changed[:10]}"
        assert list(self.parts) == list(later.parts), "the order changed"
