"""Objects that give their state and take it back: optimizers, schedulers, scalers, samplers.

PyTorch's convention is ``state_dict()`` and ``load_state_dict(state)``. Whoever has both can be put
back to where it was, whatever it is; if that fails, it is named.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private import version_of


def keeps_state(value: object) -> bool:
    """Whether an object has ``state_dict`` and ``load_state_dict``.

    Its type is asked: an object may answer to any name, as a mock does.
    """
    kind = type(value)
    return all(callable(getattr(kind, name, None)) for name in ("state_dict", "load_state_dict"))


class KeptState:
    """The state of an object, copied, so that it can be put back.

    Parameters
    ----------
    value : object
        It keeps a state (see `keeps_state`).
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        try:
            self._state = copied(value.state_dict())
            self._known = True
        except Exception:  # it is the user's code, and may fail in any way
            self._known = False

    def restore(self) -> bool:
        """Put the state back; False if that fails, or the object does not take it."""
        if not self._known:
            return False
        value = self._value
        try:
            if same(value.state_dict(), self._state):
                return True
            # A copy: the object may keep what it is given, and change it later.
            value.load_state_dict(copied(self._state))
            return same(value.state_dict(), self._state)
        except Exception:  # as above
            return False


def copied(value: Any) -> Any:
    """Copy a state; tensors that a graph has made, too, which `copy.deepcopy` refuses.

    Examples
    --------
    >>> made = torch.ones(1, requires_grad=True) * 2
    >>> copied({"average": [made]})
    {'average': [tensor([2.])]}
    """
    if isinstance(value, Tensor) and not value.is_leaf:
        return value.detach().clone()
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    return copy.deepcopy(value)


def same(one: Any, other: Any) -> bool:
    """Whether two states hold the same values; what cannot be compared is taken to be the same.

    Examples
    --------
    >>> same({"step": 1, "mean": torch.ones(2)}, {"step": 1, "mean": torch.ones(2)})
    True
    >>> same([torch.ones(2)], [torch.zeros(2)])
    False
    """
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return bool(torch.equal(one.detach(), other.detach().to(one.device)))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (bool, int, float, str, type(None))):
        return bool(one == other) or one != one  # noqa: PLR0124 - of a number that is none
    return True


def state_fingerprint(value: Any) -> object:
    """Something that is different once the state of an object has changed; its type if it fails."""
    try:
        state = value.state_dict()
        again = value.state_dict()
    except Exception:  # it is the user's code, and may fail in any way
        return type(value)
    first = _fingerprint(state, _version)
    if first == _fingerprint(again, _version):
        return first
    # It gives new tensors each time, so that their versions say nothing.
    return _fingerprint(state, _sums)


def _fingerprint(value: Any, of_tensor: Any) -> object:
    """A nested state in which something stands for each tensor."""
    if isinstance(value, Tensor):
        return of_tensor(value)
    if isinstance(value, Mapping):
        return tuple((key, _fingerprint(item, of_tensor)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(_fingerprint(item, of_tensor) for item in value)
    return value if isinstance(value, (int, float, str, bool)) else type(value)


def _version(tensor: Tensor) -> object:
    # Tensors made in inference mode count no versions.
    return id(tensor), -1 if tensor.is_inference() else version_of(tensor)


def _sums(tensor: Tensor) -> object:
    if not tensor.numel() or tensor.is_complex():
        return tuple(tensor.shape)
    values = tensor.detach().flatten().double()
    return str(float(values.sum())), str(float(values.abs().sum())), str(float(values[0]))
