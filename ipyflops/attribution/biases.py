"""Which additions are those of a bias that belongs to a product, and so cost nothing.

``torch.nn.functional.linear`` mostly runs one ``addmm``, which starts each sum at the bias. On
strided input it runs ``mm`` and then ``add``. Both are the same layer and count the same. The
user's own ``x @ w + b`` runs ``mm`` and ``add`` as well, and there the addition counts.

The stack tells them apart. PyTorch runs the two operators of its own in one instruction of one
Python frame, as one call into C++. Between them nobody but PyTorch holds the product. The user's
are two instructions, and Python holds the product in between.

A second case is a tensor subclass that does a linear layer's work in Python code. What adds the
layer's own bias there, within the layer's own forward, is the bias as well.
"""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.marks import Location
from ipyflops.attribution.modules import vars_of
from ipyflops.torch_private import (
    CALL_CODE,
    COMPILED_CALLS_FILE,
    ENGINE_CODE,
    GUARDED_CALLS_FILE,
    OPERATORS_MODULE,
    PARAMETERS,
    OpOverload,
    TorchDispatchMode,
)

_OPERATORS_FILE = sys.modules[OPERATORS_MODULE].__file__
_HANDING_ON = (_OPERATORS_FILE, COMPILED_CALLS_FILE, GUARDED_CALLS_FILE)
#: The method by which dispatch modes and tensor subclasses handle operators.
_HANDLER = "__torch_dispatch__"
_LINEAR_CODE = torch.nn.Linear.forward.__code__


def _references_without_holder() -> int:
    """How many references a dispatched tensor has that only PyTorch's C++ code holds.

    One is that of the arguments, one that of asking. From PyTorch 2.10 on, C++ code that holds a
    tensor holds its Python object as well.
    """
    held, holder = torch.empty(0), torch.empty(0)
    holder.grad = held  # a reference from C++
    return sys.getrefcount(held)


_UNHELD = _references_without_holder()


class BiasPart(IntEnum):
    """What an operator may be in a product with a bias that PyTorch runs in several operators."""

    NONE = 0
    #: The product itself.
    PRODUCT = 1
    #: The bias times beta, which comes before it is added.
    SCALING = 2
    #: The addition of the bias.
    ADDITION = 3


_PARTS = {
    **dict.fromkeys(("aten::mm", "aten::mv", "aten::bmm", "aten::convolution"), BiasPart.PRODUCT),
    **dict.fromkeys(("aten::add", "aten::add_"), BiasPart.ADDITION),
}


def bias_part(func: Any) -> BiasPart:
    """Say what an operator may be in such a product."""
    if func is torch.ops.aten.mul.Scalar:
        return BiasPart.SCALING
    if not isinstance(func, OpOverload):
        return BiasPart.NONE
    return _PARTS.get(func.name().partition(".")[0], BiasPart.NONE)


class Biases:
    """Tells additions of biases from others, while a count is running."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def saw(
        self,
        part: BiasPart,
        frame: FrameType | None,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        location: Location,
    ) -> bool:
        """Take note of an operator that ran; whether it has added a bias to its product.

        The caller holds the result, and no argument but in `args`.

        Parameters
        ----------
        part : BiasPart
        frame : frame or None
            It called the operator; there is none in a thread of the autograd engine.
        func, args, kwargs, out
            The operator, what it was given, and what came out.
        location : Location
            Where it ran.
        """
        if frame is None or frame.f_code is ENGINE_CODE:
            return False  # a derivative is written out by its formula, and has no bias
        call: _CallOfPyTorch | None = getattr(self._of_thread, "call", None)
        if part is BiasPart.ADDITION:
            if call is not None:
                asking = _asking_frame(frame, func)
                in_place = out is args[0]
                del out
                references = sys.getrefcount(args[0]) - _UNHELD - in_place
                if (
                    call.is_current(asking)
                    and references <= _references_between(frame, asking, args[0])
                    and call.adds_bias(args, kwargs)
                ):
                    return True
            return location.place.layer == "linear" and _adds_own_bias(frame, args, location)
        asking = _asking_frame(frame, func)
        if call is None or not call.is_current(asking):
            call = self._of_thread.call = _CallOfPyTorch(asking)
        if part is BiasPart.PRODUCT:
            call.multiplied(args, out)
        else:
            call.scaled(args, out)
        return False


class _CallOfPyTorch:
    """The products of one instruction of a frame, which is one call into PyTorch's C++ code.

    It holds neither the frame nor a tensor. So the frame may be gone, and another may have its
    number: that is why the product has to be in nobody's hands, too.
    """

    __slots__ = ("_frame", "_instruction", "_is_attention", "_made", "_scaled", "_waiting")

    def __init__(self, frame: FrameType) -> None:
        self._frame = id(frame)
        self._instruction = frame.f_lasti
        #: The products that no bias was added to yet.
        self._waiting = _Storages()
        #: All products, and all biases that were multiplied by beta.
        self._made = _Storages()
        self._scaled = _Storages()
        self._is_attention = False

    def is_current(self, frame: FrameType) -> bool:
        """Whether a frame is still at this instruction."""
        return id(frame) == self._frame and frame.f_lasti == self._instruction

    def multiplied(self, args: Sequence[Any], out: Any) -> None:
        """Note a product. That of attention waits for no bias: what is added to it is a mask."""
        self._made.add(out)
        if not self._is_attention:
            self._waiting.add(out)

    def scaled(self, args: Sequence[Any], out: Any) -> None:
        """Note what was multiplied by a number: where ``vmap`` splits `addmm`, beta·bias.

        Attention multiplies queries and keys by a fraction before it multiplies them. The
        derivative of `addmm` along a direction has a beta·bias of its own, unless beta is 1; it has
        two products, and that which has its bias already is none of them.
        """
        is_one = type(args[1]) is int and args[1] == 1
        if not (is_one or len(self._made)):
            self._is_attention = True
        elif is_one or len(self._waiting) == 1:
            self._scaled.add(out)

    def adds_bias(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether an addition is that of a bias to one of the products.

        That is ``product + bias``, as `linear` writes it out, or ``beta·bias + product``, as
        ``vmap`` writes out `addmm`. Derivatives along a direction come after their product and
        before its bias; they have biases of their own, and these are additions like others.
        """
        first, second = args[0], args[1]
        if not len(self._waiting) or not isinstance(second, Tensor):
            return False
        found = self._scaled.has(first) or (
            kwargs.get("alpha", 1) == 1 and self._waiting.has(first) and not self._made.has(second)
        )
        if found:
            self._waiting.clear()
        return found


class _Storages:
    """The memory of some tensors, by which a view is known, too; none is kept alive."""

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[Any]] = {}

    def __len__(self) -> int:
        return len(self._references)

    def add(self, tensor: Any) -> None:
        storage = _storage(tensor)
        if storage is not None:
            self._references[id(storage)] = weakref.ref(storage)

    def has(self, tensor: Any) -> bool:
        if not self._references:
            return False
        storage = _storage(tensor)
        reference = self._references.get(id(storage))
        return reference is not None and reference() is storage

    def clear(self) -> None:
        self._references.clear()


def _storage(tensor: Any) -> Any:
    """The memory of a tensor; None if it has none of its own, as a sparse one."""
    if isinstance(tensor, Tensor) and tensor.layout is torch.strided:
        try:
            return tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            pass
    return None


def _asking_frame(frame: FrameType, func: Any) -> FrameType:
    """The frame that asked for an operator, below all that only hand it on.

    Those are the operator's own ``__call__``, and modes and tensor subclasses that handle this very
    operator. What a subclass runs instead of another operator, it asks for itself.
    """
    code = frame.f_code
    if code.co_filename != _OPERATORS_FILE and code.co_name != _HANDLER:
        return frame
    asking = _below_operator(frame)
    current: FrameType | None = asking
    while current is not None and current.f_code is not CALL_CODE:
        caller = current.f_back
        if caller is not None and current.f_code.co_name == _HANDLER and _handles(current, func):
            asking = _below_operator(caller)
        current = caller
    return asking


def _below_operator(frame: FrameType) -> FrameType:
    """The first frame that neither calls an operator nor keeps a handler from being compiled."""
    while frame.f_code.co_filename in _HANDING_ON and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _handles(handler: FrameType, func: Any) -> bool:
    """Whether a handler was called for an operator: its first parameter after `self` says which."""
    names = handler.f_code.co_varnames[: handler.f_code.co_argcount]
    variables = read_variables(handler)
    return any(variables.get(name) is func for name in names[:2])


def _references_between(frame: FrameType, asking: FrameType, tensor: Any) -> float:
    """How many references those hold to a tensor that handed an operator on.

    Beside what their frames hold, calling an operator from Python takes one. Where a tensor
    subclass hands it on there may be any number: its objects hold the tensors that they wrap.
    """
    found = 0
    seen: set[int] = set()
    current: FrameType | None = frame
    while current is not None and current is not asking:
        variables = read_variables(current)
        if current.f_code.co_name == _HANDLER:
            if not _is_of_mode(current, variables):
                return math.inf
            found += 1
        for value in variables.values():
            found += value is tensor
            if isinstance(value, (tuple, list)) and id(value) not in seen:
                seen.add(id(value))
                found += sum(item is tensor for item in value)
        current = current.f_back
    return found


def _is_of_mode(handler: FrameType, variables: Mapping[str, Any]) -> bool:
    first = variables.get(handler.f_code.co_varnames[0])
    return issubclass(type(first), TorchDispatchMode)


def _adds_own_bias(frame: FrameType, args: Sequence[Any], location: Location) -> bool:
    """Whether the forward of a linear layer adds the layer's own bias to something."""
    bias = (vars_of(location.place.holder).get(PARAMETERS) or {}).get("bias")
    own = _Storages()
    own.add(bias)
    if bias is None or not any(own.has(one) and one.shape == bias.shape for one in args[:2]):
        return False
    current: FrameType | None = frame
    while current is not None and current.f_code is not CALL_CODE:
        if current.f_code is _LINEAR_CODE:
            return True
        current = current.f_back
    return False
