"""Dry runs: code counted on fake tensors, so that nothing is computed and nothing changes.

The code sees copies of all that it reaches, with fake tensors for the real ones (see
`reach`, `copies` and `mode` beside this file). Operators are the ones
that a real run would call, so their FLOPs are too; only what depends on values cannot run.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from ipyflops.cells.code_files import readable_name
from ipyflops.counting.counter import FlopCounter
from ipyflops.dry_runs.errors import DryRunError, Labels, explained
from ipyflops.dry_runs.mode import DryMode
from ipyflops.dry_runs.reach import Reach, names_reached
from ipyflops.measuring.restoring import random_states
from ipyflops.report.excerpts import Source
from ipyflops.report.report import Report
from ipyflops.torch_private import FAKE_TENSOR_LOGGER, FakeTensor

__all__ = ["DryRun", "DryRunError", "dry_run"]

NOTHING_RAN = "a dry run on fake tensors: nothing was computed, so nothing took any time"
FROM_META = "tensors of the meta device were counted as tensors of the CPU"
#: How many names a note has.
MOST_NAMES = 8


def dry_run(function: Callable[..., object], /, *args: Any, **kwargs: Any) -> Report:
    """Count what a call does, on fake tensors: nothing is computed, and any size fits.

    Modules, optimizers, tensors and containers of them among the arguments, and all that the
    function reaches by name (variables, closures, defaults), are seen by it as copies whose
    tensors have the same shape, strides, dtype and device, but no values and no memory. The
    real ones stay as they are: parameters, buffers, gradients, optimizer state, random numbers,
    variables and containers.

    Parameters
    ----------
    function : callable
        A function, or a module.
    *args, **kwargs
        What to call it with.

    Returns
    -------
    Report
        Its FLOPs are those of a real call; it has no times.

    Raises
    ------
    DryRunError
        If what the call does depends on the values of tensors (``.item()``, an ``if``, a mask as an
        index), or if there are no fake tensors of a kind; the message says where.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     model = torch.nn.Linear(1_000_000, 1_000_000)
    >>> dry_run(lambda tokens: model(torch.randn(tokens, 1_000_000)), 8).flops
    16000000000000
    """
    return counted_dry(function, args, kwargs, sys._getframe(1))


def counted_dry(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    caller: types.FrameType,
    *,
    look_for_held: bool = True,
) -> Report:
    """As `dry_run`, for a caller whose variables name the modules.

    Looking for fake tensors that something still holds takes some tenths of a second, and says the
    same of every call of one function.
    """
    run = DryRun()
    code = getattr(getattr(function, "__func__", function), "__code__", caller.f_code)
    filename, name = code.co_filename, readable_name(code.co_filename)
    counter = FlopCounter(device_time=False, source=Source(filename, name))
    names = _names_of((function, *args, *kwargs.values()), caller)
    call = run.copy(function)
    args, kwargs = run.copy(args), run.copy(kwargs)
    with run.block(counter, Labels(filename, name)):
        for module, variable in names:
            # A module that is called first by this function has no variable around it.
            counter._locator.locations.root.unregistered(run.copy(module), variable)
        call(*args, **kwargs)
    del call, args, kwargs
    return run.finished(counter.report, look_for_held=look_for_held)


class DryRun:
    """A run on fake tensors.

    Parameters
    ----------
    *variables : mapping
        Namespaces whose variables all are the user's; a global and a local one.
    """

    def __init__(self, *variables: MutableMapping[str, Any]) -> None:
        self._mode: DryMode | None = DryMode()
        self._reach: Reach | None = Reach(self._mode, variables)
        self._assigned: list[str] = []
        self._uncopied: list[str] = []
        self._met_meta = False

    def reach(self, parts: Iterable[types.CodeType], variables: MutableMapping[str, Any]) -> None:
        """Make fakes of all that code reaches which runs with these global variables.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        assert self._reach is not None
        self._reach.code(parts, variables)

    def local(
        self, parts: Iterable[types.CodeType], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Give copies of the local variables of a function for code that runs among them.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        assert self._reach is not None
        names = names_reached(parts, variables)
        return {
            name: self.copy(value) if name in names else value for name, value in variables.items()
        }

    def copy(self, value: Any) -> Any:
        """Give a copy of a value with fake tensors; the same one for the same value.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        assert self._reach is not None
        return self._reach.value(value)

    @contextmanager
    def block(self, counter: FlopCounter, labels: Labels) -> Iterator[None]:
        """Have everything in the block run on fakes, counted; afterwards all is as it was."""
        reach, mode = self._reach, self._mode
        assert reach is not None
        assert mode is not None
        states = _states()
        try:
            reach.put_fakes()
            with _silenced(), mode, counter, explained(labels):
                yield
        finally:
            with _uninterrupted():
                self._assigned = reach.assigned()
                self._uncopied = list(reach.copier.uncopied)
                self._met_meta = mode.met_meta
                reach.put_back()
                mode.put_back()
                for put_back, state in states:
                    put_back(state)

    def finished(self, report: Report, *, look_for_held: bool = True) -> Report:
        """Say in the report what a dry run is; frees all fakes."""
        notes = [NOTHING_RAN]
        if self._assigned:
            notes.append(f"what the code assigned is gone: {_listed(self._assigned)}")
        if self._met_meta:
            notes.append(FROM_META)
        if self._uncopied:
            notes.append(
                "not copied, so what the dry run did to them has happened: "
                f"{_listed(self._uncopied)}"
            )
        mode, self._reach, self._mode = self._mode, None, None
        if look_for_held and report.complete and mode is not None:
            left = _left(mode)
            if left:
                notes.append(
                    f"{left} fake {'tensor is' if left == 1 else 'tensors are'} still held, by "
                    "something outside the variables in use, as a library's cache"
                )
        return replace(report, notes=(*notes, *report.notes))


def _names_of(values: Any, caller: types.FrameType) -> list[tuple[torch.nn.Module, str]]:
    """The modules among the values, with the names that the caller has for them."""
    names: dict[int, str] = {}
    for variables in (caller.f_globals, caller.f_locals):
        names.update({id(value): name for name, value in list(variables.items())})
    return [
        (value, names[id(value)])
        for value in values
        if isinstance(value, torch.nn.Module) and id(value) in names
    ]


def _states() -> list[tuple[Callable[[Any], object], Any]]:
    """What code may set for the whole process, and how to put it back."""
    return [
        *random_states(),
        (torch.set_grad_enabled, torch.is_grad_enabled()),
        (torch.set_default_dtype, torch.get_default_dtype()),
    ]


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep an interrupt until the block is through: half of the user's variables would be fake."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts reach the main thread only
        return
    waiting: list[types.FrameType | None] = []
    before = signal.getsignal(signal.SIGINT)
    if before is None:
        yield  # somebody has it whom Python does not know
        return
    signal.signal(signal.SIGINT, lambda _, frame: waiting.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if waiting and callable(before):
            before(signal.SIGINT, waiting[0])


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep torch from logging each error of the user's code that a fake tensor finds."""
    log = logging.getLogger(FAKE_TENSOR_LOGGER)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _left(mode: DryMode) -> int:
    """How many fake tensors of a run are still alive."""
    gc.collect()
    return sum(
        1
        for one in gc.get_objects()
        if issubclass(type(one), FakeTensor) and getattr(one, "fake_mode", None) is mode
    )


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
