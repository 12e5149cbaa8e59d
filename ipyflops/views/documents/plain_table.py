"""A table for other documents: texts in rows and columns, which Markdown and LaTeX then write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ipyflops.units import scaled
from ipyflops.views.charts.axis import unit, unit_of_seconds

#: In a column with one prefix for all, what is smaller than this is only said to be so.
SMALLEST = 0.001


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row; its texts are the user's, and have to be escaped by whoever writes them.

    Attributes
    ----------
    cells : tuple of str
    level : int
        How far the first cell is indented.
    total : bool
        Whether the row sums up the others.
    """

    cells: tuple[str, ...]
    level: int = 0
    total: bool = False


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table.

    Attributes
    ----------
    titles : tuple of str
    rows : tuple of PlainRow
        Each with as many cells as there are titles.
    texts : int
        So many columns at the beginning hold text; the others hold numbers.
    """

    titles: tuple[str, ...]
    rows: tuple[PlainRow, ...]
    texts: int = 1


def column(values: Sequence[float | None], title: str, quantity: str) -> tuple[str, list[str]]:
    """Write numbers with one prefix for all of them, which goes into the title.

    Parameters
    ----------
    values : sequence of int, float or None
        A None becomes an empty cell.
    title : str
        What the numbers are; the unit follows in brackets, or takes its place if it says the same.
    quantity : str
        Their unit: ``FLOPs``, ``s``, ``%``, …, or nothing.

    Returns
    -------
    (str, list of str)
        The title and the cells.

    Examples
    --------
    >>> column([8_180_000_000, 236_000_000, None], "FLOPs", "FLOPs")
    ('GFLOPs', ['8.18', '0.236', ''])
    >>> column([0.0381, 0.00042], "time", "s"), column([12, 3], "calls", "")
    (('time (ms)', ['38.1', '0.420']), ('calls', ['12', '3']))
    """
    largest = max((abs(value) for value in values if value is not None), default=0)
    divisor, prefix = unit_of_seconds(largest) if quantity == "s" else unit(largest)
    measured = f"{prefix}{quantity}"
    if quantity == title:
        title = measured
    elif measured:
        title = f"{title} ({measured})"
    whole = divisor == 1 and all(isinstance(value, int | None) for value in values)
    return title, ["" if value is None else _figures(value, divisor, whole) for value in values]


def _figures(value: float, divisor: float, whole: bool) -> str:
    """Three significant figures, but never an exponent."""
    if whole or value == 0:
        return f"{value:.0f}"
    number = value / divisor
    if abs(number) < SMALLEST:
        return f"<{SMALLEST}" if number > 0 else f">-{SMALLEST}"
    rounded = float(f"{number:.3g}")
    decimals = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def prefixed(values: Sequence[float | None], quantity: str) -> list[str]:
    """Write numbers each with a prefix of its own."""
    return ["" if value is None else scaled(value, quantity) for value in values]
