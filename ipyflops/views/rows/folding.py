"""Siblings that are alike as one: the twelve layers of a transformer need one row, not twelve.

The trees of a report and of a difference fold in the same way. What makes two places alike is their
own affair, so each gives a `Folder` its features.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from ipyflops.costs import Totals, add_totals, subtract_totals
from ipyflops.report import PHASES, Phase, ScopeKind
from ipyflops.views.rows.visible import visible

T = TypeVar("T")
_NUMBERED = re.compile(r"(.*?)(\d{1,9})\Z", re.DOTALL)


class Place(Protocol):
    """A place of a tree: a node of a report, or what became of one."""

    @property
    def name(self) -> str:
        """Its own name."""

    @property
    def type(self) -> str:
        """Class of the module or optimizer."""

    @property
    def path(self) -> str:
        """Names from the outermost module down."""

    @property
    def kind(self) -> ScopeKind:
        """What it is."""

    @property
    def children(self) -> tuple[Any, ...]:
        """The places right inside."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True)
class Group(Generic[P]):
    """One place, or several that are alike, as one.

    Attributes
    ----------
    places : tuple
        Alike in everything but time; more than `repeats` where something above is folded, too.
    repeats : int
        How many siblings are folded into one.
    size : int
        How many places lie below.
    above : tuple of str
        The names of the places around it that share its row, from the outside in.
    """

    places: tuple[P, ...]
    repeats: int
    size: int
    above: tuple[str, ...] = ()

    @property
    def first(self) -> P:
        """The first of them, which stands for all."""
        return self.places[0]

    @property
    def name(self) -> str:
        """The name, or the first and the last name; safe to show."""
        own = name_range(self.first.name, self.places[self.repeats - 1].name)
        return ".".join((*map(visible, self.above), own))

    @property
    def path(self) -> str:
        """Likewise for the path."""
        return name_range(self.first.path, self.places[self.repeats - 1].path)

    def add(self, totals: Callable[[P], Totals]) -> Totals:
        """Add up one of the totals of all places."""
        return add_totals(map(totals, self.places))


class Folder(Generic[P]):
    """Folds the siblings of one tree.

    Parameters
    ----------
    places : iterable
        All places of the tree, parents before what is inside them.
    features : callable
        What two places must have in common to be alike, beside kind, type and what is inside.
    shown : callable, optional
        Whether a place is shown, by itself and the number of shown places below it.
    """

    def __init__(
        self,
        places: Iterable[P],
        features: Callable[[P], Hashable],
        shown: Callable[[P, int], bool] = lambda place, size: True,
    ) -> None:
        # A place is known by its identity; the list keeps it alive.
        self._places = list(places)
        self._shown = shown
        self._size: dict[int, int] = {}
        self._likeness: dict[int, int] = {}
        known: dict[object, int] = {}
        # What is inside comes before what it is in, without recursion.
        for place in reversed(self._places):
            inside = self._inside(place)
            self._size[id(place)] = sum(1 + self._size[id(child)] for child in inside)
            looks = (
                place.kind,
                place.type,
                features(place),
                tuple((child.name, self._likeness[id(child)]) for child in inside),
            )
            self._likeness[id(place)] = known.setdefault(looks, len(known))

    def group(self, *places: P, repeats: int = 1) -> Group[P]:
        """Put places that are alike together."""
        return Group(places, repeats, sum(self._size[id(place)] for place in places))

    def inside(self, group: Group[P]) -> list[Group[P]]:
        """What is inside a group; siblings that are alike and numbered on are one group."""
        # Places that are alike have the same inside them in the same order.
        families = [self._inside(place) for place in group.places]
        return [
            self.group(*places, repeats=repeats) for places, repeats in runs(families, self._alike)
        ]

    def with_only_children(self, group: Group[P], ends: Callable[[Group[P]], bool]) -> Group[P]:
        """Go down from a module as long as all that is in it is one other; likewise from functions.

        Parameters
        ----------
        group : Group
        ends : callable
            Whether a group needs a row of its own.
        """
        above: list[str] = []
        kind = group.first.kind
        while group.repeats == 1 and kind in ("module", "function") and not ends(group):
            inside = self.inside(group)
            if len(inside) != 1 or inside[0].repeats > 1 or inside[0].first.kind != kind:
                break
            above.append(group.first.name)
            group = inside[0]
        return replace(group, above=tuple(above)) if above else group

    def is_shown(self, place: P) -> bool:
        """Whether a place is shown."""
        return self._shown(place, self._size[id(place)])

    def _inside(self, place: P) -> list[P]:
        return [child for child in place.children if self.is_shown(child)]

    def _alike(self, before: P, place: P) -> bool:
        return (
            place.kind == "module"
            and self._likeness[id(before)] == self._likeness[id(place)]
            and numbered_on(before.name, place.name)
        )


def numbered_on(before: str, name: str) -> bool:
    """Whether a name is the one before it with the next number.

    Examples
    --------
    >>> numbered_on("layer9", "layer10"), numbered_on("1", "3"), numbered_on("a", "b")
    (True, False, False)
    """
    first, second = _NUMBERED.match(before), _NUMBERED.match(name)
    return (
        first is not None
        and second is not None
        and first[1] == second[1]
        and int(second[2]) == int(first[2]) + 1
    )


def name_range(first: str, last: str) -> str:
    """Name siblings by the first and the last of them; safe to show.

    Examples
    --------
    >>> name_range("0", "11"), name_range("head", "head")
    ('0 … 11', 'head')
    """
    first, last = visible(first), visible(last)
    return first if first == last else f"{first} … {last}"


def runs(
    families: Iterable[Sequence[T]], continues: Callable[[T, T], bool]
) -> list[tuple[tuple[T, ...], int]]:
    """Put together the children that continue each other, in families that are all alike.

    Parameters
    ----------
    families : iterable of sequence
        The children of each of several parents: as many, and alike in the same order.
    continues : callable
        Whether a child of the first parent goes with the one before it.

    Returns
    -------
    list of (tuple, int)
        For each run its children, and how many of them one parent has. The siblings of one parent
        come first, so that the first and the last of these name the range.

    Examples
    --------
    >>> runs(["abc", "ABC"], lambda before, letter: letter == "b")
    [(('a', 'b', 'A', 'B'), 2), (('c', 'C'), 1)]
    """
    joined: list[list[tuple[T, ...]]] = []
    for alike in zip(*families, strict=True):
        if joined and continues(joined[-1][-1][0], alike[0]):
            joined[-1].append(alike)
        else:
            joined.append([alike])
    return [
        (tuple(child for siblings in zip(*run, strict=True) for child in siblings), len(run))
        for run in joined
    ]


def add_phases(parts: Iterable[Mapping[Phase, Totals]]) -> dict[Phase, Totals]:
    """The sums of totals by phase, in the order of the phases."""
    parts = list(parts)
    if len(parts) == 1:
        return dict(parts[0])
    return {
        phase: add_totals(part[phase] for part in parts if phase in part)
        for phase in PHASES
        if any(phase in part for part in parts)
    }


def own_phases(
    phases: Mapping[Phase, Totals], inside: Iterable[Mapping[Phase, Totals]]
) -> dict[Phase, Totals]:
    """What is left of totals by phase without what ran inside."""
    taken = add_phases(inside)
    left = {
        phase: subtract_totals(totals, taken.get(phase, Totals()))
        for phase, totals in phases.items()
    }
    return {phase: totals for phase, totals in left.items() if totals.calls}
