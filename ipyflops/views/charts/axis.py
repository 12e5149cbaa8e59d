"""The unit of an axis: a prefix from kilo to quetta, or from nano for seconds."""

from __future__ import annotations

from ipyflops.units import PREFIXES


def unit(largest: float) -> tuple[float, str]:
    """What to divide a count by so that the largest is a small number, and the prefix for it.

    Examples
    --------
    >>> unit(8_180_000_000), unit(12)
    ((1000000000, 'G'), (1, ''))
    """
    power = 0
    while power + 1 < len(PREFIXES) and largest >= 1000 ** (power + 1):
        power += 1
    return 1000**power, PREFIXES[power]


def unit_of_seconds(largest: float) -> tuple[float, str]:
    """Likewise for seconds.

    Examples
    --------
    >>> unit_of_seconds(0.0381), unit_of_seconds(75)
    ((0.001, 'm'), (1, ''))
    """
    for divisor, prefix in ((1, ""), (1e-3, "m"), (1e-6, "µ")):
        if largest >= divisor:
            return divisor, prefix
    return 1e-9, "n"
