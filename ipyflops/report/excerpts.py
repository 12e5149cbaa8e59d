"""Source code: which a report shows, and what it carries of it with what ran on the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipyflops.costs import with_printable_repr
from ipyflops.report.tables import Phase


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Source:
    """The code whose lines a report shows.

    Attributes
    ----------
    filename : str
        As in its code objects (``co_filename``).
    name : str
        As a reader knows it: ``In[5]``, ``train.py``.
    """

    filename: str
    name: str


@with_printable_repr
@dataclass(frozen=True, slots=True)
class LineCount:
    """How often a signature ran on a line of a method, or in what that line called.

    Attributes
    ----------
    number : int
        Of the line in its file, counted from 1.
    phase : {"forward", "backward", "recompute", "optimizer"}
    signature : int
        Index into the report's signatures.
    calls, nanoseconds : int
    """

    number: int
    phase: Phase
    signature: int
    calls: int
    nanoseconds: int


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Excerpt:
    """Consecutive lines of a source.

    Attributes
    ----------
    file : str
        As that of a `ipyflops.report.tables.Line`: ``In[5]`` for a cell.
    name : str
        Of the method, such as ``Block.forward``; empty where it is part of the counted code itself.
    first : int
        Number of the first line.
    lines : tuple of str
        Without line breaks.
    counts : tuple of LineCount
        What ran on the lines of a method, in the forward pass and where that is recomputed. For
        the lines of the counted code itself this is in the report's rows.
    """

    file: str
    name: str
    first: int
    lines: tuple[str, ...]
    counts: tuple[LineCount, ...] = ()


class ExcerptTable:
    """Excerpts of several reports, each kept once, with counts of the signatures of their sum."""

    def __init__(self) -> None:
        self._counts: dict[Excerpt, list[LineCount]] = {}

    def add(self, excerpts: Sequence[Excerpt], signatures: Sequence[int]) -> None:
        """Add a report's excerpts; `signatures` are the new indices of its signatures."""
        for excerpt in excerpts:
            counts = self._counts.setdefault(replace(excerpt, counts=()), [])
            counts += (replace(one, signature=signatures[one.signature]) for one in excerpt.counts)

    def excerpts(self) -> tuple[Excerpt, ...]:
        """Return what was added."""
        return tuple(replace(one, counts=tuple(counts)) for one, counts in self._counts.items())
