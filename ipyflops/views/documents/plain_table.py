"""A table for other documents: texts in rows and columns, which Markdown and LaTeX then write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ipyflops.costs import check_choice
from ipyflops.units import prefix_of, prefix_of_seconds, scaled
from ipyflops.views.rows.outline import PlaceRow
from ipyflops.views.rows.visible import shortened

#: Whether a column has one SI prefix, in its title, or each number has its own.
PREFIXES = ("column", "cell")
#: More rows than any page has; longer names are cut in their middle.
MAX_ROWS, NAME_LENGTH = 1000, 60
#: In a column with one prefix for all, what is smaller than this is only said to be so.
MIN_SHOWN = 0.001


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

    @classmethod
    def of(
        cls, name: str, titles: Sequence[str], rows: Sequence[PlainRow], *, typed: bool
    ) -> PlainTable:
        """Make a table whose rows begin with a name and, where `typed`, a type."""
        texts = (name, "type") if typed else (name,)
        return cls((*texts, *titles), tuple(rows), len(texts))


def texts_of(row: PlaceRow, *, typed: bool) -> list[str]:
    """The texts that a row begins with."""
    texts = [row.full_name, row.full_type] if typed else [row.full_name]
    return [shortened(one, NAME_LENGTH) for one in texts]


def check_depth_and_prefix(depth: int, prefix: str = "column") -> None:
    """Refuse what no table can have.

    Raises
    ------
    ValueError
        If the depth is less than 1, or there is no such prefix.
    """
    if depth < 1:
        raise ValueError(f"a table needs a depth of 1 or more, not {depth}")
    check_choice(prefix, PREFIXES, f"there is no prefix {prefix!r}")


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
    divisor, prefix = prefix_of_seconds(largest) if quantity == "s" else prefix_of(largest)
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
    if abs(number) < MIN_SHOWN:
        return f"<{MIN_SHOWN}" if number > 0 else f">-{MIN_SHOWN}"
    rounded = float(f"{number:.3g}")
    decimals = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def prefixed(values: Sequence[float | None], quantity: str) -> list[str]:
    """Write numbers each with a prefix of its own."""
    return ["" if value is None else scaled(value, quantity) for value in values]
