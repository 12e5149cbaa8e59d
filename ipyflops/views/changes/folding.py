"""Places that changed alike as one: twelve layers that all became twice as large need one row."""

from __future__ import annotations

from dataclasses import dataclass

from ipyflops.costs.metrics import Totals, add
from ipyflops.report.difference import Change
from ipyflops.report.tree import walk
from ipyflops.views.rows.siblings import name_range, numbered_on, runs
from ipyflops.views.rows.visible import visible

_NOTHING = Totals()


@dataclass(frozen=True, slots=True)
class ChangedPlace:
    """A place that changed, or several that changed alike, added up.

    Attributes
    ----------
    changes : tuple of Change
        Alike in everything but time; more than `repeats` where something above is folded, too.
    repeats : int
        How many siblings are folded into one.
    name, type, path : str
        Safe to show.
    before, after, own_before, own_after : Totals
        Zeros where the place did not exist.
    size : int
        How many changed places lie below.
    """

    changes: tuple[Change, ...]
    repeats: int
    name: str
    type: str
    path: str
    before: Totals
    after: Totals
    own_before: Totals
    own_after: Totals
    size: int

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return self.after.flops - self.before.flops


class ChangeFolder:
    """Folds the siblings of one difference; what did not change is left out."""

    def __init__(self, root: Change) -> None:
        self._likeness: dict[int, int] = {}
        self._size: dict[int, int] = {}
        #: How many places changed and how many did not, the root aside.
        self.changed = self.unchanged = 0
        known: dict[object, int] = {}
        changes = list(walk(root))
        # What is inside before what it is in, without recursion.
        for change in reversed(changes):
            inside = [child for child in change.children if self._kept(child)]
            self._size[id(change)] = sum(1 + self._size[id(child)] for child in inside)
            features = (
                change.kind,
                change.status,
                change.type,
                *map(_counts, (change.before, change.after, change.own_before, change.own_after)),
                tuple((child.name, self._likeness[id(child)]) for child in inside),
            )
            self._likeness[id(change)] = known.setdefault(features, len(known))
        for change in changes[1:]:
            if self._kept(change):
                self.changed += 1
            else:
                self.unchanged += 1

    def _kept(self, change: Change) -> bool:
        """Whether something changed there or below: the parts may cancel each other out."""
        return change.status != "unchanged" or self._size[id(change)] > 0

    def place(self, *changes: Change, repeats: int = 1) -> ChangedPlace:
        """Add up places that changed alike."""
        first, last = changes[0], changes[repeats - 1]
        return ChangedPlace(
            changes=changes,
            repeats=repeats,
            name=name_range(first.name, last.name),
            type=visible(first.type),
            path=name_range(first.path, last.path),
            before=add(change.before or _NOTHING for change in changes),
            after=add(change.after or _NOTHING for change in changes),
            own_before=add(change.own_before for change in changes),
            own_after=add(change.own_after for change in changes),
            size=sum(self._size[id(change)] for change in changes),
        )

    def inside(self, place: ChangedPlace) -> list[ChangedPlace]:
        """What changed in a place, those alike and numbered one after the other folded."""
        kept = [[child for child in one.children if self._kept(child)] for one in place.changes]
        # Places that changed alike have the same changes inside in the same order.
        return [
            self.place(*changes, repeats=repeats)
            for changes, repeats in runs(kept, self._continues)
        ]

    def _continues(self, before: Change, change: Change) -> bool:
        return (
            change.kind == "module"
            and self._likeness[id(before)] == self._likeness[id(change)]
            and numbered_on(before.name, change.name)
        )


def _counts(totals: Totals | None) -> tuple[int, ...] | None:
    if totals is None:
        return None
    return totals.calls, totals.flops, totals.macs, totals.int_ops, totals.bytes
