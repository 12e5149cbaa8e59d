"""Kernel time of a counted run against the wall time of a clean one."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from ipyflops import FlopCounter
from tests.benchmarks.workloads import Workload


def kernel_ratio(work: Workload, rounds: int) -> float:
    """The median over the rounds of kernel seconds by clean seconds."""
    ratios = []
    work.run()
    for _ in range(rounds):
        start = perf_counter()
        work.run()
        clean = perf_counter() - start
        with FlopCounter() as counter:
            work.run()
        ratios.append(counter.report.seconds / clean)
    return median(ratios)
