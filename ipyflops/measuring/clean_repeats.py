"""Clean repeats of counted code: wall time with nothing intercepted.

A repeat gives the rate of the counted FLOPs only if it does the same FLOPs. So one repeat is
counted first, and the timing says how its FLOPs differ. Neither this repeat nor the run to warm up
is timed.

`torch.utils.benchmark` is not used: it asks for an accelerator when it is imported, which forbids
CUDA to processes that are forked later, and it waits for one device of several.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from timeit import Timer
from typing import Any

import torch

from ipyflops.counting import FlopCounter, accelerator_in_use, module_of, wait_for
from ipyflops.measuring.restoring import ChangeDetector, Snapshot
from ipyflops.report import Report, Timing
from ipyflops.units import percent, scaled

#: Runs the code once inside a block.
Run = Callable[[AbstractContextManager[object]], object]

#: The least seconds that the repeats take together, and the least number of them.
MIN_SECONDS, MIN_REPEATS = 1.0, 5
#: If only one of ``-n`` and ``-r`` is given, the other one is chosen as ``%timeit`` does.
REPEATS, SECONDS_PER_REPEAT = 7, 0.2
#: A repeat whose FLOPs differ by more than this share is refused: it does other work.
TOLERANCE = 0.01

#: A repeat takes at least so long, so that its loop and clock do not matter.
MIN_SECONDS_OF_A_REPEAT = 1e-3


def clock() -> float:
    """Wait until the accelerators have finished, and give the time in seconds."""
    kind = accelerator_in_use()
    if kind is not None:
        for device in _used_devices(kind):
            wait_for(device)
    return time.perf_counter()


def _used_devices(kind: str) -> list[torch.device]:
    """The current device, and the others that hold memory; no other one is set up."""
    module = module_of(kind)
    reserved = getattr(module, "memory_reserved", None)
    if reserved is None or module.device_count() == 1:
        return [torch.device(kind)]
    current = module.current_device()
    return [
        torch.device(kind, i) for i in range(module.device_count()) if i == current or reserved(i)
    ]


def time_again(
    run: Run,
    report: Report,
    *,
    loops: int | None = None,
    repeats: int | None = None,
    variables: Mapping[str, Any] | None = None,
    restore: bool = False,
    namespace: MutableMapping[str, Any] | None = None,
) -> Timing:
    """Run code again and again, and measure how long a run takes.

    Parameters
    ----------
    run : callable
        Runs the code once inside the block that it is given.
    report : Report
        Of the counted run.
    loops, repeats : int, optional
        Such as ``-n`` and ``-r`` of ``%timeit``; found by trial where both are left out.
    variables : mapping of str to object, optional
        What the code may change (see `ipyflops.measuring.restoring.variables_of`).
    restore : bool
        Whether to put `variables`, random numbers and the names of `namespace` back afterwards.
    namespace : mutable mapping, optional
        Where the code binds its names.

    Returns
    -------
    Timing
        An `Exception` of a repeat becomes its refusal. An interrupt is raised.
    """
    detector = ChangeDetector(variables or {})
    snapshot = Snapshot(variables or {}, namespace) if restore else None
    runs = _Runs(run)
    seconds: tuple[float, ...] = ()
    number = loops or 1
    refusal = remark = ""
    not_restored: tuple[str, ...] = ()
    try:
        refusal, remark = _compare_flops(report, runs.run_counted())
        seconds, number = _time(runs, loops, repeats)
    except Exception as error:
        refusal = f"a repeat failed: {type(error).__name__}: {error}".rstrip(": ")
    finally:
        if snapshot is not None:
            not_restored = snapshot.restore()
    return Timing(
        seconds=seconds,
        loops=number,
        threads=torch.get_num_threads(),
        runs=1 + runs.count,
        refusal=refusal,
        remark=remark,
        moved=not_restored if restore else detector.changed(),
        restored=restore,
    )


class _Runs:
    """Runs the code and counts how often."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._no_counter = nullcontext()
        self.count = 0

    def run_counted(self) -> Report:
        """Run it once and count its FLOPs."""
        self.count += 1
        counter = FlopCounter(device_time=False)
        self._run(counter)
        return counter.report

    def run_clean(self) -> None:
        """Run it once, as it is."""
        self.count += 1
        self._run(self._no_counter)


def _compare_flops(report: Report, repeat: Report) -> tuple[str, str]:
    """Compare the FLOPs of a repeat with the counted ones.

    Gives a refusal if they are too far apart, a remark if they are a little apart, else neither.
    """
    counted, again = report.under("standard").flops, repeat.under("standard").flops
    if counted == again:
        return "", ""
    difference = abs(again - counted) / max(counted, again)
    text = (
        f"a repeat does {scaled(again, 'FLOPs')} where the counted run did "
        f"{scaled(counted, 'FLOPs')}: {percent(difference)} apart"
    )
    return (text, "") if difference > TOLERANCE else ("", text)


def _time(runs: _Runs, loops: int | None, repeats: int | None) -> tuple[tuple[float, ...], int]:
    """Seconds of one run for each repeat, and the loops of a repeat."""
    start = clock()
    runs.run_clean()
    one_run = max(clock() - start, 1e-9)
    timer = Timer("run()", timer=clock, globals={"run": runs.run_clean})
    if loops is None and repeats is None:
        return _until_enough(timer, one_run)
    number = loops or max(1, math.ceil(SECONDS_PER_REPEAT / one_run))
    times = timer.repeat(repeats or REPEATS, number)
    return tuple(seconds / number for seconds in times), number


def _until_enough(timer: Timer, one_run: float) -> tuple[tuple[float, ...], int]:
    """Repeat until there are enough repeats, and these took long enough together."""
    number = 1
    while one_run * number < MIN_SECONDS_OF_A_REPEAT:
        # A first run is slow: so the loops are found by longer and longer trials.
        number *= 10
        one_run = max(timer.timeit(number) / number, 1e-9)
    repeats: list[float] = []
    while len(repeats) < MIN_REPEATS or sum(repeats) * number < MIN_SECONDS:
        repeats.append(max(timer.timeit(number) / number, 1e-12))
    return tuple(repeats), number
