"""Numbers as a person reads them: three significant figures and a prefix from kilo to quetta."""

from __future__ import annotations

import math

#: SI prefixes of 10³, 10⁶, …; the article's table ends at yotta.
PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")

#: A whole number beyond this is no float any more, and no count of anything.
MAX_COUNT = 10**300


def scaled(value: float, unit: str = "") -> str:
    """Write a count or a rate with three significant figures and an SI prefix.

    Parameters
    ----------
    value : int or float
        What to write. Whole numbers below 1000 stay as they are.
    unit : str
        As ``FLOPs`` (a count), ``FLOPS`` (a rate), ``MACs`` or ``B``.

    Returns
    -------
    str
        Number, blank, prefix and unit; the blank is missing where there is neither.

    Examples
    --------
    >>> scaled(8_180_000_000, "FLOPs"), scaled(999_950, "FLOPs"), scaled(7, "MACs")
    ('8.18 GFLOPs', '1.00 MFLOPs', '7 MACs')
    """
    number, prefix = _parts(value)
    return f"{number} {prefix}{unit}".rstrip()


def _parts(value: float) -> tuple[str, str]:
    if isinstance(value, int) and abs(value) > MAX_COUNT:
        return f"{'<-' if value < 0 else '>'}{MAX_COUNT:.0e}", ""
    if not math.isfinite(value):
        return str(value), ""
    if isinstance(value, int) and abs(value) < 1000:
        return str(value), ""
    magnitude = abs(value)
    for power, prefix in enumerate(PREFIXES):
        # Rounding may carry into the next prefix: 999.95 k is 1.00 M.
        figures = _three_figures(magnitude / 1000**power)
        if float(figures) < 1000:
            return ("-" if value < 0 else "") + figures, prefix
    return f"{value:.2e}", ""


def _three_figures(value: float) -> str:
    """Three significant figures without an exponent, for 0 ≤ value."""
    if value == 0:
        return "0"
    for decimals, limit in ((2, 10), (1, 100)):
        text = f"{value:.{decimals}f}"
        if float(text) < limit:
            return text
    return f"{value:.0f}"


def number(count: int, what: str) -> str:
    """Write how many of something there are.

    Examples
    --------
    >>> number(1, "thread"), number(1000, "call")
    ('1 thread', '1,000 calls')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def duration(seconds: float) -> str:
    """Write a time in the unit that fits.

    Examples
    --------
    >>> duration(0.0381), duration(0.0000042), duration(75), duration(0)
    ('38.1 ms', '4.20 µs', '75.0 s', '0 s')
    """
    if seconds == 0:
        return "0 s"
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        figures = _three_figures(abs(seconds) * factor)
        if float(figures) < 1000:
            return f"{'-' if seconds < 0 else ''}{figures} {unit}"
    return f"{'-' if seconds < 0 else ''}{_three_figures(abs(seconds))} s"


def percent(share: float) -> str:
    """Write a share of 1 as a percentage that never rounds something to nothing or a part to all.

    Examples
    --------
    >>> percent(0.613), percent(0.0004), percent(0.9996), percent(1.0), percent(0)
    ('61.3 %', '<0.1 %', '>99.9 %', '100 %', '0 %')
    """
    if share == 0:
        return "0 %"
    if share == 1:
        return "100 %"
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %"


def prefix_of(largest: float) -> tuple[float, str]:
    """What to divide counts by so that the largest is a small number, and the prefix for it.

    Examples
    --------
    >>> prefix_of(8_180_000_000), prefix_of(12)
    ((1000000000, 'G'), (1, ''))
    """
    power = 0
    while power + 1 < len(PREFIXES) and largest >= 1000 ** (power + 1):
        power += 1
    return 1000**power, PREFIXES[power]


def prefix_of_seconds(largest: float) -> tuple[float, str]:
    """Likewise for times in seconds, from nano on.

    Examples
    --------
    >>> prefix_of_seconds(0.0381), prefix_of_seconds(75)
    ((0.001, 'm'), (1, ''))
    """
    for divisor, prefix in ((1, ""), (1e-3, "m"), (1e-6, "µ")):
        if largest >= divisor:
            return divisor, prefix
    return 1e-9, "n"
