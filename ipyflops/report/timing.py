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
    """Wall time of repeats without interception.

    Attributes
    ----------
    seconds : tuple of float
        Seconds of one run: each is the mean over the loops of a repeat. Empty if no repeat
        succeeded.
    loops : int
        Runs in each repeat.
    threads : int
        Threads that PyTorch used.
    runs : int
        How often the code ran in all: counted, checked, to warm up, to find the loops, and timed.
    refusal : str
        Why the repeats cannot be used for the counted FLOPs; empty if they can.
    remark : str
        What else a reader must know.
    moved : tuple of str
        What the runs after the counted one changed and was not restored, such as ``model``.
    restored : bool
        Whether the modules, optimizers and random numbers that the code names were restored.
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
        """Seconds of one run: the median of the repeats; 0 if there are none."""
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
        """FLOPS of a run with this many FLOPs; 0 if the repeats cannot be used for it."""
        return 0.0 if self.refusal or not self.median else flops / self.median


def _quantile(values: tuple[float, ...], share: float) -> float:
    """Linear between the two nearest values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below, above = math.floor(position), math.ceil(position)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
