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

import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ipyflops.attribution.asking import UNHELD, asking_frame, hands_on, references_between
from ipyflops.attribution.marks import Location
from ipyflops.attribution.modules import vars_of
from ipyflops.torch_private import CALL_CODE, ENGINE_CODE, PARAMETERS, OpOverload

# What an operator may be in a product with a bias that PyTorch runs in several operators.
_PRODUCT = 1
_SCALING = 2  # of the bias by beta, before it is added
_ADDITION = 3  # of the bias
_PARTS = {
    **dict.fromkeys(("aten::mm", "aten::mv", "aten::bmm", "aten::convolution"), _PRODUCT),
    **dict.fromkeys(("aten::add", "aten::add_"), _ADDITION),
}
#: The last part of the keys of calls that add a bias.
BIAS = "the bias of a product"
_LINEAR_CODE = torch.nn.Linear.forward.__code__
#: How often a result is held outside of PyTorch: by the variable of the caller of `Biases.key`, and
#: up to Python 3.10 by that call, which holds its arguments until it ends.
_HELD_HERE = 2 if sys.version_info < (3, 11) else 1


def bias_part(func: Any) -> int:
    """Say what an operator may be in a product with a bias; 0 for nothing."""
    if func is torch.ops.aten.mul.Scalar:
        return _SCALING
    if not isinstance(func, OpOverload):
        return 0
    return _PARTS.get(func.name().partition(".")[0], 0)


class Biases:
    """Tells additions of biases from others, while a count is running."""

    def __init__(self) -> None:
        self._of_thread = _OfThread()

    def key(
        self,
        key: tuple[Any, ...],
        part: int,
        frame: FrameType | None,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        location: Location,
    ) -> tuple[Any, ...]:
        """Take note of an operator that ran; give its key, which ends with `BIAS` if it adds one.

        The caller holds the result, and no argument but in `args`.

        Parameters
        ----------
        key : tuple
            What else tells calls apart.
        part : int
            See `bias_part`.
        frame : frame or None
            It called the operator; there is none in a thread of the autograd engine.
        func, args, kwargs, out
            The operator, what it was given, and what came out.
        location : Location
            Where it ran.
        """
        # A derivative is written out by its formula, and has no bias.
        if frame is None or frame.f_code is ENGINE_CODE:
            return key
        call = self._of_thread.call
        asking = frame
        if part != _ADDITION:
            if hands_on(frame.f_code):
                asking = asking_frame(frame, func)
            if call is None or id(asking) != call.frame or asking.f_lasti != call.instruction:
                call = self._of_thread.call = _CallOfPyTorch(asking)
            if part == _PRODUCT:
                call.multiplied(out)
            else:
                call.scaled(args, out)
            return key
        if call is not None and call.waiting:
            if hands_on(frame.f_code):
                asking = asking_frame(frame, func)
            if id(asking) == call.frame and asking.f_lasti == call.instruction:
                in_place = out is args[0]
                del out
                if _is_held_by_torch_alone(args, in_place, frame, asking) and call.adds_bias(
                    args, kwargs
                ):
                    return (*key, BIAS)
        if location.place.layer == "linear" and _adds_own_bias(frame, args, location):
            return (*key, BIAS)
        return key


def _is_held_by_torch_alone(
    args: Sequence[Any], in_place: bool, frame: FrameType, asking: FrameType
) -> bool:
    """Whether nobody but PyTorch holds what something is added to.

    Beside the arguments, that is the result where it is the same tensor.
    """
    others = sys.getrefcount(args[0]) - UNHELD - in_place * _HELD_HERE
    return others <= 0 or (
        frame is not asking and others <= references_between(frame, asking, args[0])
    )


class _OfThread(threading.local):
    """The call into PyTorch that ran a thread's last product."""

    call: _CallOfPyTorch | None = None


class _CallOfPyTorch:
    """The products of one instruction of a frame, which is one call into PyTorch's C++ code.

    It holds neither the frame nor a tensor. So the frame may be gone, and another may have its
    number: that is why the product has to be in nobody's hands, too.

    Attributes
    ----------
    frame : int
        The id of the frame.
    instruction : int
        The index of the instruction in its code.
    waiting : set of int
        The products that no bias was added to yet.
    """

    __slots__ = ("_is_attention", "_made", "_scaled", "frame", "instruction", "waiting")
    #: Products that are remembered; those that are gone are forgotten when there are more.
    MAX_PRODUCTS = 64

    def __init__(self, frame: FrameType) -> None:
        self.frame = id(frame)
        self.instruction = frame.f_lasti
        self.waiting: set[int] = set()
        # The memory of tensors, by its id, so that views of them are known and none is kept alive:
        #: that of all products, and of all biases that were multiplied by beta.
        self._made: dict[int, weakref.ref[Any]] = {}
        self._scaled: dict[int, weakref.ref[Any]] | None = None
        self._is_attention = False

    def multiplied(self, out: Any) -> None:
        """Note a product. That of attention waits for no bias: what is added to it is a mask."""
        storage = _storage(out)
        if storage is None:
            return
        if len(self._made) > self.MAX_PRODUCTS:
            self._made = {key: one for key, one in self._made.items() if one() is not None}
            self.waiting &= self._made.keys()
        number = id(storage)
        self._made[number] = weakref.ref(storage)
        if not self._is_attention:
            self.waiting.add(number)

    def scaled(self, args: Sequence[Any], out: Any) -> None:
        """Note what was multiplied by a number: where ``vmap`` splits `addmm`, beta·bias.

        Attention multiplies queries and keys by a fraction before it multiplies them. The
        derivative of `addmm` along a direction has a beta·bias of its own, unless beta is 1; it has
        two products, and that which has its bias already is none of them.
        """
        is_one = type(args[1]) is int and args[1] == 1
        if not (is_one or self._made):
            self._is_attention = True
        elif is_one or len(self.waiting) == 1:
            storage = _storage(out)
            if storage is not None:
                self._scaled = self._scaled or {}
                self._scaled[id(storage)] = weakref.ref(storage)

    def adds_bias(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether an addition is that of a bias to one of the products.

        That is ``product + bias``, as `linear` writes it out, or ``beta·bias + product``, as
        ``vmap`` writes out `addmm`. Derivatives along a direction come after their product and
        before its bias; they have biases of their own, and these are additions like others.
        """
        if not isinstance(args[1], Tensor):
            return False
        first, second = _storage(args[0]), _storage(args[1])
        found = _has(self._scaled, first) or (
            kwargs.get("alpha", 1) == 1
            and id(first) in self.waiting
            and _has(self._made, first)
            and not _has(self._made, second)
        )
        if found:
            self.waiting.clear()
        return found


def _has(references: Mapping[int, weakref.ref[Any]] | None, storage: Any) -> bool:
    reference = references.get(id(storage)) if references else None
    return reference is not None and reference() is storage


def _storage(tensor: Any) -> Any:
    """The memory of a tensor; None if it has none of its own, as a sparse one."""
    try:
        return tensor.untyped_storage()
    except (AttributeError, NotImplementedError, RuntimeError):
        return None


def _adds_own_bias(frame: FrameType, args: Sequence[Any], location: Location) -> bool:
    """Whether the forward of a linear layer adds the layer's own bias to something."""
    bias: Any = (vars_of(location.place.holder).get(PARAMETERS) or {}).get("bias")
    own = _storage(bias)
    if own is None or not any(_storage(one) is own and one.shape == bias.shape for one in args[:2]):
        return False
    current: FrameType | None = frame
    while current is not None and current.f_code is not CALL_CODE:
        if current.f_code is _LINEAR_CODE:
            return True
        current = current.f_back
    return False
