"""Says which operators took long when they were called first.

The first call of an operator may load a library, choose an algorithm or start threads. That time is
part of the run and of its kernel time, and would be taken for the operator's own.
"""

from __future__ import annotations

from collections import defaultdict

from ipyflops.costs import Cost
from ipyflops.counting.entries import Entry
from ipyflops.counting.recording import Recorder
from ipyflops.units import duration

#: A first call is slow if it took so many times the mean of the others, and if there were at least
#: so many others.
SLOW = 10
MIN_OTHERS = 3
#: A note is worth its line if first calls took at least this share of the kernel time, and at least
#: so many nanoseconds, longer than later ones. A busy machine makes any call wait for that long.
WORTH_A_NOTE = 0.05
MIN_EXCESS = 10_000_000
#: The most operators that a note names.
MAX_NAMES = 4


def notes(recorder: Recorder) -> list[str]:
    """Return a note on slow first calls, or none.

    The first call is compared with the mean of the operator's other calls that have at least as
    many FLOPs and bytes; the times of single calls are not kept, so there is no median. Times are
    skewed to the right, so what is over ten times the mean is over ten times the median as well.
    """
    entries: dict[str, list[Entry]] = defaultdict(list)
    total = 0
    for entry in recorder.entries:
        entries[entry.signature.operator].append(entry)
        total += entry.nanoseconds
    slow: list[tuple[int, str]] = []
    excess = 0.0
    for operator, first in recorder.first_entry_of.items():
        mean = _mean_of_others(first, entries[operator])
        if mean and first.first_nanoseconds > SLOW * mean:
            slow.append((first.first_nanoseconds, operator))
            excess += first.first_nanoseconds - mean
    if excess < max(WORTH_A_NOTE * total, MIN_EXCESS):
        return []
    slow.sort(reverse=True)
    named = [
        f"{operator.removeprefix('aten::')} {duration(nanoseconds / 1e9)}"
        for nanoseconds, operator in slow[:MAX_NAMES]
    ]
    if len(slow) > MAX_NAMES:
        named.append(f"{len(slow) - MAX_NAMES} more")
    return [f"first calls include set-up ({', '.join(named)}); run again for steady times"]


def _mean_of_others(first: Entry, entries: list[Entry]) -> float:
    size, moved = _operations(first.signature.cost), first.signature.bytes
    alike = [
        entry
        for entry in entries
        if _operations(entry.signature.cost) >= size and entry.signature.bytes >= moved
    ]
    calls = sum(entry.calls for entry in alike) - 1
    if calls < MIN_OTHERS:
        return 0.0
    return (sum(entry.nanoseconds for entry in alike) - first.first_nanoseconds) / calls


def _operations(cost: Cost) -> int:
    return cost.contraction.value + cost.other.value + cost.integer.value
