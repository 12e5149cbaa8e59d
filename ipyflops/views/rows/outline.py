"""Which rows of a tree are shown where there is room for so many only.

A report, a difference and a sweep each have a tree of places. `ShownTree` folds it, opens it as far
as there is room, and makes the rows; what a row says is left to each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeAlias, TypeVar

from ipyflops.report import Line, ScopeKind
from ipyflops.views.rows.folding import Folder, Group, P
from ipyflops.views.rows.visible import source_line, visible

T = TypeVar("T")
R = TypeVar("R")

#: Beside the kinds of a place: what ran in it but in none of its children, and those left out.
RowKind: TypeAlias = ScopeKind | Literal["own", "more"]


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """What every row of a tree has; each text is safe to show.

    Attributes
    ----------
    level : int
        0 for the first row, one more for what is inside.
    kind : {"root", "module", "code", "optimizer", "function", "own", "more"}
    name, type, path : str
        For code, `type` is the source line.
    repeats : int
        How many siblings are folded into the row.
    hidden : int
        How many places inside are not shown.
    around : int
        How many places around it, of which it is the only child, share its row.
    note : str
        Where its FLOPs stand, if not here.
    """

    level: int
    kind: RowKind
    name: str
    type: str
    path: str
    repeats: int = field(default=1, kw_only=True)
    hidden: int = field(default=0, kw_only=True)
    around: int = field(default=0, kw_only=True)
    note: str = field(default="", kw_only=True)

    @property
    def full_name(self) -> str:
        """The name, and how many are folded."""
        return f"{self.name} ×{self.repeats:,}" if self.repeats > 1 else self.name

    @property
    def full_type(self) -> str:
        """The type and the note. The type comes first: what stands last is cut."""
        return f"{self.type} ({self.note})" if self.type and self.note else self.type or self.note

    @property
    def is_remark(self) -> bool:
        """Whether the name is none of the user's."""
        return self.kind in ("own", "more")


@dataclass(slots=True)
class OutlineItem(Generic[T]):
    """An item of the tree that is shown.

    Attributes
    ----------
    level : int
        0 for the outermost.
    item : object
        What is shown.
    inside : list of OutlineItem
        What is shown inside, once it is opened.
    left_out : list
        What is inside and not shown.
    quiet : list
        What is inside and says so little that one row is enough for it.
    opened, has_own : bool
        Whether it is open, and then has a row for what is in it but in nothing inside.
    """

    level: int
    item: T
    inside: list[OutlineItem[T]] = field(default_factory=list)
    left_out: list[T] = field(default_factory=list)
    quiet: list[T] = field(default_factory=list)
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
    is_quiet : callable
        Whether one row is enough for an item and others like it.
    """

    inside: Callable[[T], list[T]]
    has_own: Callable[[T], bool]
    weight: Callable[[T], float]
    least_level: int
    is_quiet: Callable[[T], bool] = lambda item: False

    def open(self, top: T, most: int, *, levels: int | None, whole_levels: bool) -> OutlineItem[T]:
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
        outermost = OutlineItem(0, top)
        left = most - 1
        level = [outermost]
        while level and (levels is None or level[0].level + 1 < levels):
            inside = [self._loud(outer) for outer in level]
            own = [
                bool(items) and self.has_own(outer.item)
                for outer, items in zip(level, inside, strict=True)
            ]
            if whole_levels and level[0].level >= self.least_level:
                needed = sum(map(len, inside)) + sum(own) + sum(bool(one.quiet) for one in level)
                if needed > left:
                    break
            order = sorted(range(len(level)), key=lambda at: -self.weight(level[at].item))
            for at in order:
                left -= self._fill(level[at], inside[at], own[at], left)
            level = [inner for outer in level for inner in outer.inside]
        return outermost

    def _loud(self, outer: OutlineItem[T]) -> list[T]:
        """What is inside, but for several items for which one row is enough."""
        items = self.inside(outer.item)
        quiet = [item for item in items if self.is_quiet(item)]
        outer.quiet = quiet if 1 < len(quiet) < len(items) else []
        put_together = set(map(id, outer.quiet))
        return [item for item in items if id(item) not in put_together]

    def _fill(self, outer: OutlineItem[T], items: list[T], own: bool, left: int) -> int:
        """Show what is inside, or the largest of it, in `left` rows; give the rows taken."""
        rows = left
        left -= bool(outer.quiet)
        # Without room for one item and the row of those left out, it stays closed.
        if not items or left < 2 + own:
            return 0
        kept = items
        if len(items) + own > left:
            largest = sorted(items, key=lambda item: -self.weight(item))[: left - 1 - own]
            chosen = {id(item) for item in largest}
            kept = [item for item in items if id(item) in chosen]
            outer.left_out = [item for item in items if id(item) not in chosen]
        outer.opened, outer.has_own = True, own
        outer.inside = [OutlineItem(outer.level + 1, item) for item in kept]
        return min(rows, len(kept) + own + bool(outer.left_out) + bool(outer.quiet))


def in_order(
    outermost: OutlineItem[T],
    row: Callable[[OutlineItem[T]], R],
    own: Callable[[OutlineItem[T]], R],
    more: Callable[[OutlineItem[T]], R],
    quiet: Callable[[OutlineItem[T]], R] | None = None,
) -> list[R]:
    """Make the rows from top to bottom.

    Parameters
    ----------
    outermost : OutlineItem
    row, own, more, quiet : callable
        Make the row of an item, and those at the end of what is inside it: of its own, of what is
        left out, and of what one row is enough for.
    """
    rows: list[R] = []
    waiting: list[tuple[Callable[[OutlineItem[T]], R], OutlineItem[T]]] = [(row, outermost)]
    while waiting:
        make, item = waiting.pop()
        rows.append(make(item))
        if make is not row:
            continue
        if item.left_out:
            waiting.append((more, item))
        if item.quiet and item.opened and quiet is not None:
            waiting.append((quiet, item))
        if item.has_own:
            waiting.append((own, item))
        waiting.extend((row, inner) for inner in reversed(item.inside))
    return rows


class ShownTree(ABC, Generic[P, R]):
    """The rows of a tree, folded and opened as far as there is room.

    Parameters
    ----------
    folder : Folder
    lines : iterable of Line
        The source lines that places of code may be.
    """

    def __init__(self, folder: Folder[P], lines: Iterable[Line]) -> None:
        self.folder = folder
        self._lines: Mapping[str, str] = {line.name: line.text for line in lines}

    @abstractmethod
    def top(self) -> Group[P]:
        """The outermost row."""

    @abstractmethod
    def has_own(self, group: Group[P]) -> bool:
        """Whether a group has a row of what ran in it but in nothing inside."""

    @abstractmethod
    def weight(self, group: Group[P]) -> float:
        """How soon a group is shown and opened: the largest first."""

    @abstractmethod
    def row(self, item: OutlineItem[Group[P]]) -> R:
        """Make the row of a group."""

    @abstractmethod
    def own(self, item: OutlineItem[Group[P]]) -> R:
        """Make the row of what ran in a group but in nothing inside."""

    @abstractmethod
    def more(self, item: OutlineItem[Group[P]]) -> R:
        """Make the row of those inside a group that are left out."""

    def quiet(self, item: OutlineItem[Group[P]]) -> R:
        """Make the row of those inside a group that have no FLOPs."""
        return self.more(replace(item, left_out=item.quiet))

    def is_quiet(self, group: Group[P]) -> bool:
        """Whether one row is enough for a group and others like it."""
        return False

    def inside(self, group: Group[P]) -> list[Group[P]]:
        """What has rows inside a group."""
        return self.folder.inside(group)

    def rows(
        self, most: int, *, depth: int | None, whole_levels: bool, least_level: int = 1
    ) -> list[R]:
        """Choose the rows, parents before what is inside them.

        Parameters
        ----------
        most : int
            How many rows to show, at least 2.
        depth : int or None
            How many levels to show; all that fit where it is None.
        whole_levels, least_level
            As for `Outline`; the row of the whole run is not counted as a level.
        """
        top = self.top()
        extra = 1 if top.first.kind == "root" else 0
        outline = Outline(self.inside, self.has_own, self.weight, least_level, self.is_quiet)
        levels = None if depth is None else depth + extra
        outermost = outline.open(top, most, levels=levels, whole_levels=whole_levels)
        return in_order(outermost, self.row, self.own, self.more, self.quiet)

    def name_of(self, group: Group[P]) -> str:
        """The name of a group, or what stands for one."""
        return group.name or ("(all)" if group.first.kind == "root" else "(no name)")

    def type_of(self, group: Group[P]) -> str:
        """The type of a group, or the source line that it is."""
        if group.first.kind == "code":
            return source_line(self._lines.get(group.path, "")).strip()
        return visible(group.first.type)


def own_name(kind: str) -> str:
    """What is said of what ran in a place of a kind, but in nothing inside it."""
    return "(outside modules)" if kind == "root" else "(own work)"


def more_name(count: int, what: str = "more") -> str:
    """What is said of so many that are left out."""
    return f"{count:,} {what}"
