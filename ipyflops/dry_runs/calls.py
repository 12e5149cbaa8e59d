"""Counts one call of a function on fake tensors: `ipyflops.dry_run`."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

from ipyflops.cells import readable_name
from ipyflops.counting import FlopCounter
from ipyflops.dry_runs.cuda import device_for
from ipyflops.dry_runs.errors import FileLabels
from ipyflops.dry_runs.execution import DryRun
from ipyflops.report import Report, Source


def dry_run(function: Callable[..., object], /, *args: Any, **kwargs: Any) -> Report:
    """Count what a call does, on fake tensors: nothing is computed, and any size fits.

    The function gets copies of its arguments and of all objects that it uses by name (variables,
    closures, defaults). Tensors in the copies, also those of modules, optimizers and containers,
    have the same shape, strides, dtype and device as the real ones, but no values and no memory.
    The real objects do not change: parameters, buffers, gradients, optimizer state, random numbers,
    variables and containers. A number that the function reads (``loss.item()``, ``float(loss)``) is
    a placeholder. It can be kept, averaged and printed.

    Parameters
    ----------
    function : callable
        A function, or a module.
    *args, **kwargs
        Arguments of the call, with three exceptions. ``dry_run(step, device="cuda")`` counts as on
        a CUDA device, even if there is none. With ``memory=True`` the report says what uses memory
        (see `Report.memory`). With ``shapes=True`` it has the inputs and outputs of each module. If
        the function has a parameter of such a name, it gets the value too.

    Returns
    -------
    Report
        Its FLOPs are those of a real call; it has no times.

    Raises
    ------
    TypeError
        If the first argument is not a function, as in ``dry_run(model(x))``.
    ValueError
        If `device` is neither a CUDA device nor the CPU.
    DryRunError
        If what the call does depends on the values of tensors (an ``if``, a size, a mask as an
        index), or if there are no fake tensors of a kind; the message says where.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     model = torch.nn.Linear(1_000_000, 1_000_000)
    >>> dry_run(lambda tokens: model(torch.randn(tokens, 1_000_000)), 8).flops
    16000000000000
    >>> layer = torch.nn.Linear(16, 4)
    >>> dry_run(lambda: layer.cuda()(torch.randn(8, 16, device="cuda")), device="cuda").flops
    1024
    """
    check_callable(function, "dry_run", "dry_run(model, x)")
    device, kwargs = device_for(function, kwargs)
    memory, kwargs = _switch(function, kwargs, "memory")
    shapes, kwargs = _switch(function, kwargs, "shapes")
    return count_call(
        function, args, kwargs, sys._getframe(1), device=device, memory=memory, shapes=shapes
    )


def _switch(
    function: Callable[..., object], named: dict[str, Any], switch: str
) -> tuple[bool, dict[str, Any]]:
    """Whether a call asks for more, as for memory, and the arguments that go to the function.

    Only True and False are for the dry run: what a decoder calls its memory is a tensor.
    """
    is_on = named.get(switch)
    if not isinstance(is_on, bool):
        return False, named
    forward = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        is_its_own = switch in inspect.signature(forward).parameters
    except (TypeError, ValueError):
        is_its_own = False
    if is_its_own:
        return is_on, named
    return is_on, {name: value for name, value in named.items() if name != switch}


def check_callable(function: object, name: str, example: str) -> None:
    """Raise if what is to be counted is no function, most likely the result of one.

    Raises
    ------
    TypeError
        It says how to call what does the counting.
    """
    if not callable(function):
        raise TypeError(
            f"{name} calls a function itself, and was given no function "
            f"({type(function).__name__}): write {example}"
        )


def count_call(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    caller: types.FrameType,
    *,
    device: Any = None,
    look_for_leaks: bool = True,
    memory: bool = False,
    shapes: bool = False,
    repeated: RepeatedCalls | None = None,
) -> Report:
    """Count a call as `dry_run` does; the variables of a caller give the modules their names.

    Looking for fake tensors that something still holds takes some tenths of a second. It finds the
    same in every call of one function, so `look_for_leaks` is for the first call only. Calls of one
    function with other numbers are `repeated`, and share what can be shared.
    """
    execution = repeated.next_run(device) if repeated else DryRun(device=device)
    code = getattr(getattr(function, "__func__", function), "__code__", caller.f_code)
    filename, name = code.co_filename, readable_name(code.co_filename)
    counter = FlopCounter(
        device_time=False, source=Source(filename, name), memory=memory, shapes=shapes
    )
    modules = _named_modules((function, *args, *kwargs.values()), caller)
    call = execution.copy(function)
    args, kwargs = execution.copy(args), execution.copy(kwargs)
    for module, _ in modules:
        execution.copy(module)
    if repeated:
        repeated.keep(execution)
    with execution.block(counter, FileLabels(filename, name)):
        for module, variable in modules:
            # Modules get their names from variables around the call. Here the call comes from this
            # function, which has none for them.
            root = counter._locator.locations.root  # noqa: SLF001 - no part of the public counter
            root.unregistered(execution.copy(module), variable)
        call(*args, **kwargs)
    del call, args, kwargs
    report = execution.finish(counter.report, look_for_leaks=look_for_leaks)
    if repeated:
        repeated.done(execution)
    return report


class RepeatedCalls:
    """Calls of one function with other numbers, which have the same copies of what it reaches.

    The first call shows whether something holds fake tensors when all is over, as a cache of a
    library's: then later calls could find there what earlier ones have left, and each has copies of
    its own. So has a call after one that failed.
    """

    def __init__(self) -> None:
        self._is_first = True
        self._leaks = False
        self._kept: DryRun | None = None

    def next_run(self, device: Any) -> DryRun:
        """Give a run for the next call: the one before, if its copies are as new."""
        kept, self._kept = self._kept, None
        return kept if kept is not None and kept.renewed() else DryRun(device=device)

    def keep(self, execution: DryRun) -> None:
        """Have a run, whose copies are made, keep them for the next call."""
        if not self._is_first and not self._leaks:
            execution.keep()

    def done(self, execution: DryRun) -> None:
        """Note that a call has ended well."""
        self._leaks = self._leaks or bool(execution.alive)
        self._is_first = False
        self._kept = execution


def _named_modules(values: Any, caller: types.FrameType) -> list[tuple[torch.nn.Module, str]]:
    """The modules among the values, with the names that the caller has for them."""
    names: dict[int, str] = {}
    for variables in (caller.f_globals, caller.f_locals):
        names.update({id(value): name for name, value in list(variables.items())})
    return [
        (value, names[id(value)])
        for value in values
        if isinstance(value, torch.nn.Module) and id(value) in names
    ]
