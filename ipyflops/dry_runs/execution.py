"""Runs a block of code on fake tensors, so that nothing is computed and nothing changes.

The code sees copies of all objects that it reaches, with fake tensors for the real ones. Its
operators are those of a real run, so its FLOPs are too. Only code that depends on the values of
tensors cannot run.
"""

from __future__ import annotations

import gc
import logging
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from ipyflops.counting import FlopCounter
from ipyflops.dry_runs.conversion import CONVERSION_OF_MODULES
from ipyflops.dry_runs.copying_and_saving import DEEP_COPIES, SAVING
from ipyflops.dry_runs.cuda import AbsentDevice
from ipyflops.dry_runs.errors import FileLabels, errors_explained
from ipyflops.dry_runs.freshness import Freshness
from ipyflops.dry_runs.known_numbers import Numbers
from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.dry_runs.reading import numbers_read
from ipyflops.dry_runs.substitution import Substitution, names_reached
from ipyflops.measuring import random_states
from ipyflops.report import Report
from ipyflops.torch_private import FAKE_TENSOR_LOGGER, FOREACH_TYPES, FakeTensor

NOTHING_RAN = "a dry run on fake tensors: nothing was computed, so nothing took any time"
FROM_META = "tensors of the meta device were counted as tensors of the {}"
NOTHING_SAVED = "torch.save wrote nothing: a dry run has no values to save"
IN_ORDER = (
    "data loaders gave the samples in their order, not at random: where samples differ in size, so "
    "does what a batch costs"
)
UNKNOWN_NUMBERS = (
    "numbers that the code read from tensors are not known: they are written as ? (by % also as "
    "nan or 0), and what is computed from them is a stand-in too"
)
ASKED_WHETHER_FAKE = (
    "a library asked whether a tensor is fake (a mask of unknown values, mostly): there it may do "
    "other work than in a real run, so the count may differ a little"
)
TAKEN_AS_FINITE = (
    "values and gradients were taken to be finite where the code asks, so the step of a gradient "
    "scaler is counted"
)
#: How many names a note lists.
MAX_NAMES = 8


class DryRun:
    """A run on fake tensors: first copy what the code reaches, then run the block, then finish.

    Parameters
    ----------
    *variables : mapping
        Namespaces in which all variables are the user's.
    device : str, optional
        A device that the code finds although it is not there, such as ``cuda``.

    Raises
    ------
    ValueError
        If no dry run can stand in for the device.
    """

    def __init__(self, *variables: MutableMapping[str, Any], device: str | None = None) -> None:
        self._device = AbsentDevice(device)
        self._mode: DryRunMode | None = self._device.mode()
        self._interrupts = self._mode.interrupts
        self._substitution: Substitution | None = Substitution(self._mode, variables)
        self._assigned: list[str] = []
        self._uncopied: list[str] = []
        self._met_meta = self._skipped_saving = False
        self._numbers = self._mode.numbers
        self._freshness: Freshness | None = None
        #: How many fake tensors something still holds; None as long as nobody has looked.
        self.alive: int | None = None

    def copy_globals(
        self, parts: Iterable[types.CodeType], variables: MutableMapping[str, Any]
    ) -> None:
        """Copy all objects that code reaches when it runs with these global variables.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        assert self._substitution is not None
        with self._interrupts.held():
            self._substitution.add_code(parts, variables)

    def copy_locals(
        self, parts: Iterable[types.CodeType], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Give copies of a function's local variables, for code that runs among them.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        names = names_reached(parts, variables)
        return {
            name: self.copy(value) if name in names else value for name, value in variables.items()
        }

    def copy(self, value: Any) -> Any:
        """Return a copy of a value with fake tensors; the same one for the same value.

        Raises
        ------
        DryRunError
            If something has no fake.
        """
        assert self._substitution is not None
        with self._interrupts.held():
            return self._substitution.copy(value)

    def keep(self) -> None:
        """Keep what was copied for further runs of the same code, if that is possible.

        It is to be called when everything is copied, before the first run.
        """
        assert self._substitution is not None
        assert self._mode is not None
        if self._freshness is not None:
            return
        with self._interrupts.held():
            self._freshness = self._substitution.freshness()
            self._mode.keep()

    def renewed(self) -> bool:
        """Make all copies what they were before the run that has ended; whether they are."""
        if self._freshness is None or self._substitution is None or self._mode is None:
            return False
        with self._interrupts.held():
            if not (self._substitution.reaches_the_same() and self._freshness.restore()):
                return False
            self._mode.renew()
            self._numbers = self._mode.numbers
        return True

    @contextmanager
    def block(self, counter: FlopCounter, labels: FileLabels) -> Iterator[None]:
        """Run the block on fake tensors, counted; afterwards all is as it was."""
        substitution, mode = self._substitution, self._mode
        assert substitution is not None
        assert mode is not None
        with self._interrupts.held():
            settings = _process_settings()
            try:
                substitution.substitute()
                with (
                    _silenced(),
                    _taken_together(),
                    CONVERSION_OF_MODULES.active(),
                    DEEP_COPIES.active(),
                    SAVING.active(),
                    self._device.active(),
                    numbers_read(),
                    mode,
                    counter,
                    errors_explained(labels),
                ):
                    self._interrupts.in_code = True
                    try:
                        yield
                    finally:
                        self._interrupts.in_code = False
            finally:
                self._device.leave()
                self._assigned = substitution.assigned_names()
                self._uncopied = list(substitution.copier.uncopied)
                self._met_meta = mode.met_meta
                self._skipped_saving = mode.skipped_saving
                substitution.restore(keep=self._freshness is not None)
                mode.restore_gradients()
                for restore, setting in settings:
                    restore(setting)

    def finish(self, report: Report, *, look_for_leaks: bool = True) -> Report:
        """Add notes to the report that say what a dry run is; frees all fake tensors.

        Those that are kept for a further run are not freed, and not looked for.
        """
        notes = [NOTHING_RAN]
        if self._assigned:
            notes.append(f"what the code assigned is gone: {_listed(self._assigned)}")
        if self._met_meta:
            notes.append(FROM_META.format(self._device.meta_name))
        notes += _notes_on(self._numbers)
        if self._skipped_saving:
            notes.append(NOTHING_SAVED)
        if self._uncopied:
            notes.append(
                "not copied, so what the dry run did to them has happened: "
                f"{_listed(self._uncopied)}"
            )
        if self._freshness is None:
            self._let_go(look_for_leaks=look_for_leaks and report.complete)
        if self.alive:
            notes.append(
                f"{self.alive} fake {'tensor is' if self.alive == 1 else 'tensors are'} still "
                "held, by something outside the variables in use, as a library's cache"
            )
        if self._device.is_absent:
            notes.insert(0, self._device.note)
            report = replace(report, device="cuda")
        return replace(report, notes=(*notes, *report.notes))

    def _let_go(self, *, look_for_leaks: bool) -> None:
        """Free all fake tensors."""
        mode, self._substitution, self._mode = self._mode, None, None
        if mode is None:
            return
        with self._interrupts.held():
            mode.forget()
        if look_for_leaks:
            self.alive = _count_alive(mode)


def _notes_on(numbers: Numbers) -> list[str]:
    """What a report says about the numbers that the code read."""
    notes = {
        IN_ORDER: numbers.met_loader,
        UNKNOWN_NUMBERS: numbers.met_stand_in,
        TAKEN_AS_FINITE: numbers.met_finite,
        ASKED_WHETHER_FAKE: numbers.met_question,
    }
    return [note for note, met in notes.items() if met]


def _process_settings() -> list[tuple[Callable[[Any], object], Any]]:
    """What code may set for the whole process, and how to put it back."""
    return [
        *random_states(),
        (torch.set_grad_enabled, torch.is_grad_enabled()),
        (torch.set_default_dtype, torch.get_default_dtype()),
        (_set_filters, list(warnings.filters)),
    ]


def _set_filters(before: list[Any]) -> None:
    """Set the filters of warnings that were there, if the code has set others."""
    if list(warnings.filters) != before:
        warnings.resetwarnings()
        warnings.filters[:] = before  # type: ignore[index]


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep torch from logging each error of a fake tensor: the error itself says what to do."""
    log = logging.getLogger(FAKE_TENSOR_LOGGER)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


@contextmanager
def _taken_together() -> Iterator[None]:
    """Have optimizers and clipping take many fake tensors at once wherever they take real ones."""
    for kinds in FOREACH_TYPES:
        kinds.append(FakeTensor)
    try:
        yield
    finally:
        for kinds in FOREACH_TYPES:
            if FakeTensor in kinds:
                kinds.remove(FakeTensor)


def _count_alive(mode: DryRunMode) -> int:
    """How many fake tensors of a run are still alive.

    Each refers to its mode, itself or by its dictionary. `gc.get_objects` would find them, too, but
    takes a reference to every object, and a tuple that another thread is just building must have
    only one: that thread would get a `SystemError`.
    """
    gc.collect()
    return sum(
        issubclass(type(one), FakeTensor) or (type(one) is dict and one.get("fake_mode") is mode)
        for one in gc.get_referrers(mode)
    )


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
