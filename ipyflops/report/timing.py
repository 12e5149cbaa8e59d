"""What clean repeats of a cell took, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from ipyflops.costs import with_printable_repr

#: An interquartile range of more than this share of the median is a large spread.
LARGE_SPREAD = 0.1


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Timing:
    """Wall time of repeats with nothing intercepted.

    Attributes
    ----------
    seconds : tuple of float
        Of one run: each is the mean over the loops of a repeat. Empty where no repeat succeeded.
    loops : int
        Runs in each repeat.
    threads : int
        Threads that PyTorch computed with.
    runs : int
        How often the code ran in all: counted, checked, to warm up, to find the loops, and timed.
    refusal : str
        Why the repeats say nothing about the counted FLOPs; empty where they do.
    remark : str
        What else a reader has to know.
    moved : tuple of str
        What the runs after the counted one changed, as ``model``, and was not put back.
    restored : bool
        Whether what the code names was put back, so modules, optimizers and random numbers.
    """

    seconds: tuple[float, ...]
    loops: int = 1
    threads: int = 1
    runs: int = 0
    refusal: str = ""
    remark: str = ""
    moved: tuple[str, ...] = ()
    restored: bool = False

    @property
    def repeats(self) -> int:
        """How many repeats were timed."""
        return len(self.seconds)

    @property
    def median(self) -> float:
        """Seconds of one run: the median of the repeats; 0 where there is none."""
        return median(self.seconds) if self.seconds else 0.0

    @property
    def iqr(self) -> float:
        """Interquartile range of the repeats, in seconds: the width of their middle half."""
        return _quantile(self.seconds, 0.75) - _quantile(self.seconds, 0.25)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return self.iqr / self.median if self.median else 0.0

    @property
    def steady(self) -> bool:
        """Whether the repeats agree well enough to be compared with others."""
        return self.spread <= LARGE_SPREAD

    def flops_per_second(self, flops: int) -> float:
        """FLOPS of a run with this many FLOPs; 0 where the repeats say nothing about it."""
        return 0.0 if self.refusal or not self.median else flops / self.median


def _quantile(values: tuple[float, ...], share: float) -> float:
    """Linear between the two nearest values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below, above = math.floor(position), math.ceil(position)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
