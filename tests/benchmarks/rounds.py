"""Interleaved rounds: every way has its turn in each, so what slows the machine slows all alike."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from tests.benchmarks.counters import Way
from tests.benchmarks.workloads import Workload

#: From so many times the plain run on, what a no-op mode adds can be told from noise.
NOTICEABLE = 1.5


@dataclass
class Result:
    """What a way found, and its seconds for one run in each round.

    Attributes
    ----------
    way : Way
    found : str
    seconds : list of float
    skipped : str
        Why it has none.
    """

    way: Way
    found: str = ""
    seconds: list[float] = field(default_factory=list)
    skipped: str = ""


def measure(work: Workload, ways: Sequence[Way], rounds: int) -> list[Result]:
    """Run every way once to warm up and see what it finds, then in turn, round by round."""
    results = [_first(work, way) for way in ways]
    for number in range(rounds):
        # Whoever comes first after a pause may be slower, so that is not always the same.
        turn = number % len(results)
        for result in results[turn:] + results[:turn]:
            if not result.skipped:
                result.seconds.append(_timed(work, result.way))
    return results


def _first(work: Workload, way: Way) -> Result:
    if way.module_only and not work.forward_only:
        return Result(way, skipped="counts one call of a module only")
    try:
        found = way.count(work, 1)
        text = f"{found.make():,} {found.unit}" if found is not None else ""
    except Exception as error:
        while error.__cause__ is not None:
            error = error.__cause__  # type: ignore[assignment]
        first = str(error).partition("\n")[0][:80]
        return Result(way, skipped=f"{type(error).__name__}: {first}")
    return Result(way, text)


def _timed(work: Workload, way: Way) -> float:
    # A tool that takes long needs no repeats to be measured.
    times = 1 if way.module_only else work.inner
    gc.collect()
    gc.disable()
    try:
        start = perf_counter()
        way.count(work, times)
        return (perf_counter() - start) / times
    finally:
        gc.enable()


def ratio(result: Result, base: Result) -> float:
    """The median over the rounds of the seconds, each by those of another way in that round."""
    return median(one / other for one, other in zip(result.seconds, base.seconds, strict=True))


def added(result: Result, floor: Result, base: Result) -> float | None:
    """As `ratio`, of what each adds to the plain run; None where that is lost in the noise."""
    if ratio(floor, base) < NOTICEABLE:
        return None
    pairs = zip(result.seconds, floor.seconds, base.seconds, strict=True)
    return median((one - plain) / max(least - plain, 1e-9) for one, least, plain in pairs)
