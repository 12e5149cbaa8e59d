"""Counts that the consistency sweeps compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ipyflops.counting.counter import FlopCounter
from tests.pytorch_databases.running import NoOpMode


class Inapplicable(Exception):
    """PyTorch cannot run this form of a call at all."""


@dataclass(frozen=True)
class Count:
    """What a run costs."""

    flops: int
    macs: int
    int_ops: int

    def __mul__(self, times: int) -> Count:
        return Count(self.flops * times, self.macs * times, self.int_ops * times)


def count(function: Callable[[], object]) -> Count:
    """Run a function and count it; no operator may be unknown.

    Raises
    ------
    Inapplicable
        If the function raises, and under a dispatch mode that does nothing too.
    """
    counter = FlopCounter(device_time=False)
    try:
        with counter:
            function()
    except Exception as error:
        try:
            with NoOpMode():
                function()
        except Exception:
            raise Inapplicable(f"{type(error).__name__}: {error}") from error
        raise
    report = counter.report
    assert report.unknown == {}, report.unknown
    return Count(report.flops, report.macs, report.int_ops)
