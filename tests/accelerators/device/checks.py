"""Checks, the device that they run on, and how they are run one after the other."""

from __future__ import annotations

import contextlib
import gc
import json
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ipyflops import FlopCounter, Report
from ipyflops.counting import module_of, wait_for

#: Seconds that are left for what comes after a check, at least.
RESERVE = 10.0


class Skip(Exception):
    """A check that cannot be made here, and why."""


class Fail(Exception):
    """A check that failed: what is wrong, and the figures."""

    def __init__(self, what: str, figures: dict[str, Any] | None = None) -> None:
        super().__init__(what)
        self.figures = figures or {}


@dataclass
class Machine:
    """The device under test, and the time that is left.

    Attributes
    ----------
    device : torch.device
    simulated : bool
        Whether its kernels compute nothing: then no values and no times are checked.
    budget : float
        Seconds for all checks.
    """

    device: torch.device
    simulated: bool = False
    budget: float = 430.0
    began: float = field(default_factory=time.monotonic)

    @property
    def is_gpu(self) -> bool:
        """Whether it is not the CPU."""
        return self.device.type != "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether it is an NVIDIA or AMD GPU."""
        return self.device.type == "cuda"

    @property
    def is_real_gpu(self) -> bool:
        """Whether its values and times mean something, and are a GPU's."""
        return self.is_gpu and not self.simulated

    @property
    def name(self) -> str:
        """What the maker calls it."""
        module = module_of(self.device.type)
        named = getattr(module, "get_device_name", None)
        return str(named(self.device)) if named is not None and self.is_gpu else self.device.type

    def left(self) -> float:
        """Seconds that are left."""
        return self.budget - (time.monotonic() - self.began)

    def wait(self) -> None:
        """Wait until the device has done what it was asked to do."""
        wait_for(self.device)

    def memory(self) -> int | None:
        """Bytes that tensors take on the device; None where it does not tell."""
        asked = ("memory_allocated", "current_allocated_memory")
        module = module_of(self.device.type)
        for name in asked:
            if self.is_gpu and hasattr(module, name):
                return int(getattr(module, name)())
        return None


Check = Callable[[Machine], "dict[str, Any] | None"]


@dataclass(frozen=True)
class Entered:
    """A check with its name and the seconds that it needs at least."""

    name: str
    seconds: float
    function: Check


CHECKS: list[Entered] = []


def check(name: str, seconds: float = 5.0) -> Callable[[Check], Check]:
    """Enter a check; it gives figures, or raises `Fail` (or anything) or `Skip`."""

    def enter(function: Check) -> Check:
        CHECKS.append(Entered(name, seconds, function))
        return function

    return enter


def count(run: Callable[[], Any], **options: Any) -> tuple[Report, Any]:
    """Run under a counter; give the report and the result."""
    with FlopCounter(**options) as counter:
        out = run()
    return counter.report, out


def run_all(machine: Machine, only: str = "") -> Iterator[dict[str, Any]]:
    """Run the checks whose names begin with `only`, and give the result of each."""
    for entered in CHECKS:
        if not entered.name.startswith(only):
            continue
        began = time.monotonic()
        status, detail, figures = "PASS", "", {}
        if machine.left() < entered.seconds + RESERVE:
            status, detail = "SKIP", f"{machine.left():.0f} s are left"
        else:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    figures = entered.function(machine) or {}
            except Skip as reason:
                status, detail = "SKIP", str(reason)
            except Fail as failed:
                status, detail, figures = "FAIL", str(failed), failed.figures
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)[-2:]
                where = " < ".join(f"{one.filename}:{one.lineno}" for one in reversed(frames))
                status, detail = "FAIL", f"{type(error).__name__}: {error!s:.400} at {where}"
            _free(machine)
        seconds = round(time.monotonic() - began, 2)
        result = {"name": entered.name, "status": status, "detail": detail, "seconds": seconds}
        print(f"{status} {entered.name} ({seconds:.1f} s) {detail}"[:1200], flush=True)
        if figures:
            print(f"     {json.dumps(figures, default=str):.2000}", flush=True)
        yield {**result, "figures": figures}


def _free(machine: Machine) -> None:
    gc.collect()
    empty = getattr(module_of(machine.device.type), "empty_cache", None)
    if empty is not None and machine.is_gpu:
        with contextlib.suppress(RuntimeError):
            empty()
