"""What really ran, under a dispatch mode and without one, as PyTorch's profiler tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeAlias, TypeVar

import torch
from torch._C._profiler import _EventType
from torch.profiler import ProfilerActivity, profile

from ipyflops.formulas import Formula, lookup
from ipyflops.torch_private import can_decompose

T = TypeVar("T")
#: An operator and what it was given, as often as it ran.
Kernels: TypeAlias = Counter[tuple[str, tuple[Any, ...]]]

#: Operators that compute the same under another name or from lengths in another form.
SAME = {"aten::_index_put_impl": "aten::index_put"}
LENGTHS = {"aten::_ctc_loss": 1, "aten::_ctc_loss_backward": 2, "aten::index_put": 0}


def kernels_of(function: Callable[[], T]) -> tuple[T, Kernels]:
    """Run a function and give what it gave, and all that computed something in it.

    The outermost operator that has a formula stands for all that it runs itself. Under a mode each
    operator runs once more inside of itself, so that this finds the same with a mode and without.
    """
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as recorded:
        result = function()
    found: Kernels = Counter()
    _collect(recorded.profiler.kineto_results.experimental_event_tree(), found)
    return result, found


def _collect(events: Iterable[Any], found: Kernels) -> None:
    for event in events:
        if event.tag == _EventType.TorchOp and _computes(event.name, _overload_name(event)):
            found[_described(event)] += 1
        else:
            _collect(event.children, found)


def _overload_name(event: Any) -> str:
    """The overload that ran; empty where the profiler does not tell, as before PyTorch 2.8."""
    return str(getattr(event, "overload_name", ""))


@cache
def _computes(name: str, overload: str) -> bool:
    """Whether an operator has a formula, and is not made of others."""
    library, _, operator = name.partition("::")
    packet = getattr(getattr(torch.ops, library, None), operator, None) if operator else None
    overloads = packet.overloads() if hasattr(packet, "overloads") else []
    funcs = {one: func for one in overloads if (func := _overload(packet, one)) is not None}
    # The profiler leaves the names of some overloads out: then it is the default one, or any.
    named = funcs.get(overload or "default")
    return any(
        isinstance(lookup(func), Formula) and not can_decompose(func)
        for func in ([named] if named else funcs.values())
    )


def _overload(packet: Any, overload: str) -> Any:
    """An overload; None for one that only TorchScript knows."""
    try:
        func = getattr(packet, overload)
        can_decompose(func)
    except RuntimeError:
        return None
    return func


def _described(event: Any) -> tuple[str, tuple[Any, ...]]:
    name = event.name.rstrip("_")  # in place or not, it computes the same
    name = SAME.get(name, name)
    given = event.extra_fields.inputs
    if "out" in _overload_name(event):
        given = given[:-1]
    if name in LENGTHS:
        given = given[: LENGTHS[name]]
    return name, tuple(map(_plain, given))


def _plain(given: Any) -> Any:
    if hasattr(given, "sizes"):
        return tuple(given.sizes), str(given.dtype)
    if isinstance(given, (list, tuple)):
        return tuple(map(_plain, given))
    return given if isinstance(given, (int, float, str, bool)) else None
