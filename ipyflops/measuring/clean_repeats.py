"""Clean repeats of counted code: wall time with nothing intercepted, by `torch.utils.benchmark`.

A repeat tells the rate of the counted FLOPs only if it does the same FLOPs. So one repeat is
counted first, and what differs is said. That check and a run to warm up are not timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from timeit import Timer as PlainTimer
from typing import Any

import torch
from torch.utils import benchmark

from ipyflops.counting.counter import FlopCounter
from ipyflops.measuring.restoring import Snapshot, Watch
from ipyflops.report.report import Report
from ipyflops.report.timing import Timing
from ipyflops.units import percent, scaled

#: Runs the code once inside a block.
Run = Callable[[AbstractContextManager[object]], object]

#: Seconds that the repeats take together, at least, and how many there are, at least.
LEAST_SECONDS, LEAST_REPEATS = 1.0, 5
#: With ``-n`` or ``-r`` alone, the other is as for ``%timeit``.
REPEATS, SECONDS_PER_REPEAT = 7, 0.2
#: A repeat whose FLOPs differ by more than this share says nothing about the counted FLOPs.
TOLERANCE = 0.01

#: Waits for what the accelerator still computes, and gives the time in seconds.
clock: Callable[[], float] = benchmark.timer


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
    """Run code again and again, and say what a run takes.

    Parameters
    ----------
    run : callable
        Runs the code once inside the block that it is given.
    report : Report
        Of the counted run.
    loops, repeats : int, optional
        As ``-n`` and ``-r`` of ``%timeit``; found by trial where both are left out.
    variables : mapping of str to object, optional
        What the code may change (see `ipyflops.measuring.restoring.variables_of`).
    restore : bool
        Whether to put `variables`, random numbers and the names of `namespace` back afterwards.
    namespace : mutable mapping, optional
        Where the code binds its names.

    Returns
    -------
    Timing
        An error of a repeat is its refusal; what is no `Exception`, an interrupt say, is raised.
    """
    watch = Watch(variables or {})
    snapshot = Snapshot(variables or {}, namespace) if restore else None
    runs = _Runs(run)
    seconds: tuple[float, ...] = ()
    number = loops or 1
    refusal = remark = ""
    try:
        refusal, remark = _compare(report, runs.counted())
        seconds, number = _measured(runs, loops, repeats)
    except Exception as error:
        refusal = f"a repeat failed: {type(error).__name__}: {error}".rstrip(": ")
    finally:
        if snapshot is not None:
            snapshot.restore()
    return Timing(
        seconds=seconds,
        loops=number,
        threads=torch.get_num_threads(),
        runs=1 + runs.count,
        refusal=refusal,
        remark=remark,
        moved=() if restore else watch.moved(),
        restored=restore,
    )


class _Runs:
    """Runs the code and counts how often."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.count = 0

    def counted(self) -> Report:
        """Run it once and count its FLOPs."""
        self.count += 1
        counter = FlopCounter(device_time=False)
        self._run(counter)
        return counter.report

    def clean(self) -> None:
        """Run it once, as it is."""
        self.count += 1
        self._run(_NOTHING)


_NOTHING = nullcontext()


def _compare(report: Report, repeat: Report) -> tuple[str, str]:
    """Why the FLOPs of a repeat are too far from the counted ones, or what else to say of them."""
    counted, again = report.under("standard").flops, repeat.under("standard").flops
    if counted == again:
        return "", ""
    difference = abs(again - counted) / max(counted, again)
    text = (
        f"a repeat does {scaled(again, 'FLOPs')} where the counted run did "
        f"{scaled(counted, 'FLOPs')}: {percent(difference)} apart"
    )
    return (text, "") if difference > TOLERANCE else ("", text)


def _measured(runs: _Runs, loops: int | None, repeats: int | None) -> tuple[tuple[float, ...], int]:
    """Seconds of one run for each repeat, and the loops of a repeat."""
    start = clock()
    runs.clean()
    warm = max(clock() - start, 1e-9)
    if loops is None and repeats is None:
        timer = benchmark.Timer(
            "run()",
            globals={"run": runs.clean},
            timer=clock,
            num_threads=torch.get_num_threads(),
        )
        measured = timer.blocked_autorange(
            min_run_time=max(LEAST_SECONDS, (LEAST_REPEATS - 0.5) * warm)
        )
        return tuple(measured.times), measured.number_per_run
    # Exactly as many runs as were asked for: torch's timer would add its own to warm up.
    number = loops or max(1, math.ceil(SECONDS_PER_REPEAT / warm))
    plain = PlainTimer("run()", timer=clock, globals={"run": runs.clean})
    times = plain.repeat(repeats or REPEATS, number)
    return tuple(time / number for time in times), number
