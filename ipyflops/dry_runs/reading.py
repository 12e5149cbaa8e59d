"""How the code of a dry run reads numbers from fake tensors: ``loss.item()``, ``mask.tolist()``.

Of a number that is not known a stand-in is given. For that some methods of fake tensors, and
functions that are mostly given such numbers (``math.exp``, ``torch.tensor``), are others as long as
any dry run lasts. What is neither a stand-in nor a fake tensor of a dry run goes on to the function
itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ipyflops.dry_runs.conversion import is_of_dry_run
from ipyflops.dry_runs.known_values import MAX_ELEMENTS, values_of
from ipyflops.dry_runs.replacement import Replacement
from ipyflops.dry_runs.stand_ins import (
    StandIn,
    StandInBool,
    StandInFloat,
    array_of_stand_ins,
    given_inside,
    holds_stand_in,
    is_for_printf,
    stand_in_for,
)
from ipyflops.torch_private import (
    KEPT_ELEMENTS,
    FakeTensor,
    forget_value,
    without_dispatch,
)

#: Elements of the largest array of stand-ins.
MAX_ARRAY = 1 << 24
Function = Callable[..., Any]
_GIVES_FLOAT = (
    *("exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "pow", "fabs", "fsum", "hypot"),
    *("sin", "cos", "tan", "tanh", "atan", "atan2", "copysign", "fmod"),
)
_GIVES_TRUTH = ("isnan", "isinf", "isfinite", "isclose")


def _reads(make: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """A method of fake tensors that reads numbers, and what it gives where they are not known."""

    def replaced(own: Function) -> Function:
        @functools.wraps(own)
        def read(tensor: Any) -> Any:
            if not is_of_dry_run(tensor):
                return own(tensor)
            numbers = tensor.fake_mode.numbers
            with numbers.stand_ins_do():
                value = own(tensor)
                return make(tensor) if numbers.given else value

        return read

    return replaced


def _listed(tensor: Any) -> Any:
    return array_of_stand_ins(tensor.shape, tensor.dtype).tolist()


def _element(tensor: Any) -> StandIn:
    return stand_in_for(tensor.dtype)


def _plain(kind: type, unknown: Any) -> Callable[[Function], Function]:
    """``"%.3f" % loss`` writes ``nan``; whoever else asks a tensor for a plain number needs it."""

    def replaced(own: Function) -> Function:
        @functools.wraps(own)
        def number(tensor: Any) -> Any:
            if not is_of_dry_run(tensor) or not is_for_printf():
                return own(tensor)
            value = tensor.item()
            return unknown if isinstance(value, StandIn) else kind(value)

        return number

    return replaced


def _formatted(own: Function) -> Function:
    @functools.wraps(own)
    def formatted(tensor: Any, form: str) -> str:
        one = is_of_dry_run(tensor) and tensor.dim() == 0 and bool(form)
        return format(tensor.item(), form) if one else own(tensor, form)

    return formatted


def _as_array(own: Function) -> Function:
    @functools.wraps(own)
    def array(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_of_dry_run(tensor) or tensor.requires_grad:
            return own(tensor, *args, **kwargs)
        known = values_of(tensor)
        if known is not None:
            with without_dispatch():  # the tensor itself could not be resized any more
                return known.clone().numpy()
        if tensor.numel() > MAX_ARRAY:
            return own(tensor, *args, **kwargs)
        tensor.fake_mode.numbers.met_stand_in = True
        return array_of_stand_ins(tensor.shape, tensor.dtype)

    return array


def _is_unknown_fake(own: Function) -> Function:
    """Transformers asks by this whether it can read the values of a mask, and keeps one if not."""

    @functools.wraps(own)
    def is_fake_tensor(value: Any) -> bool:
        if not own(value) or values_of(value) is not None:
            return False
        if is_of_dry_run(value):
            value.fake_mode.numbers.met_question = True
        return True

    return is_fake_tensor


def _of_stand_ins(make: Callable[[], Any]) -> Callable[[Function], Function]:
    """A function of plain numbers, and what it gives if one of them is not known."""

    def replaced(own: Function) -> Function:
        @functools.wraps(own)
        def function(*args: Any, **kwargs: Any) -> Any:
            args = tuple(one.item() if is_of_dry_run(one) else one for one in args)
            return make() if holds_stand_in(args) else own(*args, **kwargs)

        return function

    return replaced


def _tensor_of_stand_ins(own: Function) -> Function:
    @functools.wraps(own)
    def tensor(data: Any, *args: Any, **kwargs: Any) -> Any:
        if not holds_stand_in(data):
            return own(data, *args, **kwargs)
        made = own(given_inside(data), *args, **kwargs)
        forget_value(made)
        return made

    return tensor


_REPLACEMENTS = (
    Replacement(FakeTensor, "item", _reads(_element)),
    Replacement(FakeTensor, "tolist", _reads(_listed)),
    Replacement(FakeTensor, "__float__", _plain(float, math.nan)),
    Replacement(FakeTensor, "__int__", _plain(int, 0)),
    Replacement(FakeTensor, "__format__", _formatted),
    Replacement(FakeTensor, "numpy", _as_array),
    Replacement(*KEPT_ELEMENTS, lambda _: MAX_ELEMENTS),
    Replacement("transformers.utils.import_utils", "is_fake_tensor", _is_unknown_fake),
    Replacement(torch, "tensor", _tensor_of_stand_ins),
    Replacement(torch, "as_tensor", _tensor_of_stand_ins),
    *(Replacement(math, name, _of_stand_ins(StandInFloat)) for name in _GIVES_FLOAT),
    *(Replacement(math, name, _of_stand_ins(StandInBool)) for name in _GIVES_TRUTH),
)


@contextmanager
def numbers_read() -> Iterator[None]:
    """Have stand-ins given in the block for numbers that are not known."""
    with ExitStack() as stack:
        for one in _REPLACEMENTS:
            stack.enter_context(one.active())
        yield
