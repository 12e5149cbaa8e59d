"""The numbers of a run that are added up, and sums of them.

`ipyflops.costs.metrics` says what each number is, and which ratios are made of two of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter

from ipyflops.costs.metrics import METRICS
from ipyflops.costs.printable_text import with_printable_repr


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some of a report's rows, under its convention.

    Attributes
    ----------
    calls : int
        Operator calls, without views, which do nothing.
    flops, macs, int_ops, bytes : int
    seconds : float
        Time inside the kernels, in the one counted run.
    peak_seconds : float
        Time that the FLOPs take at the report's peak, each dtype at its own peak.
    mfu_seconds, hfu_seconds : float
        Time that the products of the forward and backward pass take at the report's peak, without
        and with recomputed ones. If there are clean repeats, it is scaled by the ratio of kernel
        time to their time.
    communicated : int
        Bytes of payload of the collectives, as the ranks pass them in or get them. The traffic on
        the wire depends on the algorithm.
    replicated : int
        FLOPs that another rank had already computed, on the same values.
    activations : int
        Elements of the outputs of convolutions, linear layers and matrix products in the forward
        pass, which vision papers call MActs.
    """

    calls: int = 0
    flops: int = 0
    macs: int = 0
    int_ops: int = 0
    bytes: int = 0
    seconds: float = 0.0
    peak_seconds: float = 0.0
    mfu_seconds: float = 0.0
    hfu_seconds: float = 0.0
    communicated: int = 0
    replicated: int = 0
    activations: int = 0

    @property
    def utilization(self) -> float:
        """All FLOPS as a share of the peak, in kernel time; 0 where no peak is known."""
        return METRICS["utilization"].value(self)

    @property
    def flops_per_second(self) -> float:
        """FLOPs per second of kernel time; 0 where no time was taken."""
        return METRICS["flops_per_second"].value(self)

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, FLOPs per byte; 0 where no byte moved."""
        return METRICS["intensity"].value(self)


#: The names of the numbers that are added up, in the order of the fields.
SUMMED: tuple[str, ...] = tuple(field.name for field in fields(Totals))
#: Those that depend on how busy the machine was.
TIMES: tuple[str, ...] = ("seconds", "peak_seconds", "mfu_seconds", "hfu_seconds")

_numbers = attrgetter(*SUMMED)
_counts = attrgetter(*(name for name in SUMMED if name not in TIMES))


def add_totals(parts: Iterable[Totals]) -> Totals:
    """Add totals up.

    Examples
    --------
    >>> add_totals([Totals(calls=1, flops=10), Totals(calls=2, flops=5)]).flops
    15
    """
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    return Totals(*map(sum, zip(*map(_numbers, parts), strict=True)))


def subtract_totals(whole: Totals, part: Totals) -> Totals:
    """Return what is left of totals without a part of them; no time is less than zero.

    Examples
    --------
    >>> subtract_totals(Totals(flops=10, seconds=1.0), Totals(flops=4, seconds=1.5))
    Totals(calls=0, flops=6, macs=0, int_ops=0, bytes=0, seconds=0.0, peak_seconds=0.0, \
mfu_seconds=0.0, hfu_seconds=0.0, communicated=0, replicated=0, activations=0)
    """
    left = {name: getattr(whole, name) - getattr(part, name) for name in SUMMED}
    return Totals(**{name: max(left[name], 0.0) if name in TIMES else left[name] for name in left})


def without_times(totals: Totals) -> tuple[int, ...]:
    """Give all numbers but the times: what two runs of the same code have in common."""
    numbers: tuple[int, ...] = _counts(totals)
    return numbers


#: What a chart can draw of one run, …
MEASURED: tuple[str, ...] = tuple(
    key
    for key in SUMMED
    if key in METRICS
    and not (METRICS[key].of_ranks or METRICS[key].is_calls or METRICS[key].optional)
)
#: … and what can be compared between runs: whole numbers that do not depend on the machine.
COUNTED: tuple[str, ...] = tuple(key for key in MEASURED if key not in TIMES)
