"""Which parts of a tree are shown where there is room for so many rows only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Part(Generic[T]):
    """A part of the tree that is shown.

    Attributes
    ----------
    level : int
        0 for the outermost.
    item : object
        What is shown.
    inside : list of Part
        What is shown inside, once it is opened.
    left_out : list
        What is inside and not shown.
    opened, has_own : bool
        Whether it is open, and then has a row for what is in it but in nothing inside.
    """

    level: int
    item: T
    inside: list[Part[T]] = field(default_factory=list)
    left_out: list[T] = field(default_factory=list)
    opened: bool = False
    has_own: bool = False


@dataclass(frozen=True, slots=True)
class Outline(Generic[T]):
    """How a tree is opened.

    Attributes
    ----------
    inside : callable
        Gives the items inside an item.
    has_own : callable
        Whether an item with something inside needs a row for what is in none of that.
    weight : callable
        The larger, the sooner an item is shown and opened.
    least_level : int
        The level, counted from 0, that is shown whether it fits or not.
    """

    inside: Callable[[T], list[T]]
    has_own: Callable[[T], bool]
    weight: Callable[[T], int]
    least_level: int

    def open(self, top: T, most: int, *, levels: int | None, whole_levels: bool) -> Part[T]:
        """Open the tree level by level, as far as it fits.

        Parameters
        ----------
        top : object
            The outermost item.
        most : int
            How many rows there are, at least 2.
        levels : int or None
            How many levels to show at most.
        whole_levels : bool
            Whether to end with the last level that fits as a whole. Otherwise the items of the
            largest weight are opened as long as rows are left.
        """
        outermost = Part(0, top)
        left = most - 1
        level = [outermost]
        while level and (levels is None or level[0].level + 1 < levels):
            inside = [self.inside(part.item) for part in level]
            own = [
                bool(items) and self.has_own(part.item)
                for part, items in zip(level, inside, strict=True)
            ]
            if whole_levels and level[0].level >= self.least_level:
                needed = sum(map(len, inside)) + sum(own)
                if needed > left:
                    break
            order = sorted(range(len(level)), key=lambda at: -self.weight(level[at].item))
            for at in order:
                left -= self._fill(level[at], inside[at], own[at], left)
            level = [part for outer in level for part in outer.inside]
        return outermost

    def _fill(self, part: Part[T], items: list[T], own: bool, left: int) -> int:
        """Show what is inside, or the largest part of it, in `left` rows; give the rows taken."""
        if not items or left < 2 + own:
            return 0
        kept = items
        if len(items) + own > left:
            largest = sorted(items, key=lambda item: -self.weight(item))[: left - 1 - own]
            chosen = {id(item) for item in largest}
            kept = [item for item in items if id(item) in chosen]
            part.left_out = [item for item in items if id(item) not in chosen]
        part.opened, part.has_own = True, own
        part.inside = [Part(part.level + 1, item) for item in kept]
        return len(kept) + own + bool(part.left_out)


def in_order(
    outermost: Part[T],
    row: Callable[[Part[T]], R],
    own: Callable[[Part[T]], R],
    more: Callable[[Part[T]], R],
) -> list[R]:
    """Make the rows from top to bottom.

    Parameters
    ----------
    outermost : Part
    row, own, more : callable
        Make the row of a part, and those at the end of what is inside it: of its own, and of what
        is left out.
    """
    rows: list[R] = []
    waiting: list[tuple[Callable[[Part[T]], R], Part[T]]] = [(row, outermost)]
    while waiting:
        make, part = waiting.pop()
        rows.append(make(part))
        if make is not row:
            continue
        if part.left_out:
            waiting.append((more, part))
        if part.has_own:
            waiting.append((own, part))
        waiting.extend((row, inner) for inner in reversed(part.inside))
    return rows
