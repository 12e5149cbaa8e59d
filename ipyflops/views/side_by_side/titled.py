"""A table with what is said above and below it: plain data that each form writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipyflops.views.documents.plain_table import PlainRow, PlainTable


@dataclass(frozen=True, slots=True)
class TitledTable:
    """A table of a result; every text in it is safe to print.

    Attributes
    ----------
    headline : str
    said : tuple of str
        Lines below it.
    table : PlainTable
    notes : tuple of str
        What a reader must know.
    """

    headline: str
    said: tuple[str, ...]
    table: PlainTable
    notes: tuple[str, ...] = ()


def plain_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1, total: bool = False
) -> PlainTable:
    """Make a table of rows that are all of one level.

    Parameters
    ----------
    titles, rows : sequence
    texts : int
        So many columns at the beginning hold text.
    total : bool
        Whether the last row sums up the others.
    """
    last = len(rows) - 1
    made = [
        PlainRow(tuple(row), total=total and index == last > 0) for index, row in enumerate(rows)
    ]
    return PlainTable(tuple(titles), tuple(made), texts)
