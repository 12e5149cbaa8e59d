"""Which places of a report's tree are shown, as a flat list of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ipyflops.tables import Phase, ScopeKind, Totals
from ipyflops.views.fold import Branch, Folder, add, add_phases, own_phases
from ipyflops.views.visible import source_line

if TYPE_CHECKING:
    from ipyflops.report import Report

#: Beside the kinds of a node: what ran in a module but in none of its children, and those left out.
RowKind: TypeAlias = ScopeKind | Literal["own", "more"]


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A row of the tree; every text in it is safe to print.

    Attributes
    ----------
    level : int
        0 for the first row or rows, one more for what is inside.
    kind : {"root", "module", "code", "optimizer", "own", "more"}
    name, type, path : str
        For code, `type` is the source line.
    calls, parameters : int
    totals : Totals
    phases : dict of str to Totals
        `totals` by phase; only the phases that ran.
    repeats : int
        How many siblings are folded into the row.
    hidden : int
        How many places inside are not shown.
    """

    level: int
    kind: RowKind
    name: str
    type: str
    path: str
    calls: int
    parameters: int
    totals: Totals
    phases: Mapping[Phase, Totals]
    repeats: int = 1
    hidden: int = 0


def tree_rows(
    report: Report, *, depth: int | None = None, most: int, whole_levels: bool = False
) -> list[TreeRow]:
    """Choose the rows of the tree, parents before what is inside them.

    Rows that share a parent add up to it, where any of them is shown.

    Parameters
    ----------
    report : Report
    depth : int, optional
        How many levels to show; all where it is left out.
    most : int
        How many rows to show, at least 2.
    whole_levels : bool
        Whether to end with the last level, the second at least, that fits as a whole. Otherwise
        the places with the most FLOPs are opened as long as rows are left.

    Returns
    -------
    list of TreeRow
    """
    return _Tree(report).rows(depth, most, whole_levels)


@dataclass(slots=True)
class _Open:
    """A branch, its level and, once it is opened, what is inside."""

    level: int
    branch: Branch
    inside: list[_Open] = field(default_factory=list)
    left_out: list[Branch] = field(default_factory=list)
    opened: bool = False


class _Tree:
    def __init__(self, report: Report) -> None:
        root = report.tree
        self._folder = Folder(root)
        self._lines = {line.name: line.text for line in report.lines}
        alone = len(root.children) == 1 and not root.own.calls
        self._top = _Open(0, self._folder.branch(root.children[0] if alone else root))

    def rows(self, depth: int | None, most: int, whole_levels: bool) -> list[TreeRow]:
        left = most - 1
        level = [self._top]
        while level and (depth is None or level[0].level + 1 < depth + self._extra):
            inside = {id(place): self._folder.children(place.branch) for place in level}
            needed = sum(len(inside[id(place)]) + self._own(place) for place in level)
            if whole_levels and needed > left and level[0].level > self._extra:
                break
            for place in sorted(level, key=lambda place: -place.branch.totals.flops):
                left -= self._open(place, inside[id(place)], left)
            level = [child for place in level for child in place.inside]
        return self._flat()

    @property
    def _extra(self) -> int:
        """The row of the whole run, where there is one, is not counted as a level."""
        return 1 if self._top.branch.kind == "root" else 0

    def _own(self, place: _Open) -> bool:
        return bool(place.branch.size and place.branch.own.calls)

    def _open(self, place: _Open, children: list[Branch], left: int) -> int:
        """Show what is inside, or the largest part of it, in `left` rows; give the rows taken."""
        own = self._own(place)
        if not children or left < 2 + own:
            return 0
        kept = children
        if len(children) + own > left:
            largest = sorted(children, key=lambda child: -child.totals.flops)[: left - 1 - own]
            chosen = {id(child) for child in largest}
            kept = [child for child in children if id(child) in chosen]
            place.left_out = [child for child in children if id(child) not in chosen]
        place.opened = True
        place.inside = [_Open(place.level + 1, child) for child in kept]
        return len(kept) + own + bool(place.left_out)

    def _flat(self) -> list[TreeRow]:
        rows: list[TreeRow] = []
        waiting: list[_Open | TreeRow] = [self._top]
        while waiting:
            place = waiting.pop()
            if isinstance(place, TreeRow):
                rows.append(place)
                continue
            rows.append(self._row(place))
            if place.left_out:
                waiting.append(_more(place))
            if place.opened and self._own(place):
                waiting.append(_own(place))
            waiting.extend(reversed(place.inside))
        return rows

    def _row(self, place: _Open) -> TreeRow:
        branch = place.branch
        name, kind = branch.name, branch.kind
        if not name:
            name = "(all)" if kind == "root" else "(no name)"
        return TreeRow(
            level=place.level,
            kind=kind,
            name=name,
            type=source_line(self._lines.get(branch.path, "")).strip()
            if kind == "code"
            else branch.type,
            path=branch.path,
            calls=branch.calls,
            parameters=branch.parameters,
            totals=branch.totals,
            phases=branch.phases,
            repeats=branch.repeats,
            hidden=0 if place.opened else branch.size,
        )


def _own(place: _Open) -> TreeRow:
    name = "(outside modules)" if place.branch.kind == "root" else "(own work)"
    return TreeRow(
        level=place.level + 1,
        kind="own",
        name=name,
        type="",
        path=place.branch.path,
        calls=0,
        parameters=0,
        totals=place.branch.own,
        phases=own_phases(
            place.branch.phases,
            [
                *(child.branch.phases for child in place.inside),
                *(branch.phases for branch in place.left_out),
            ],
        ),
    )


def _more(place: _Open) -> TreeRow:
    places = sum(len(branch.nodes) for branch in place.left_out)
    return TreeRow(
        level=place.level + 1,
        kind="more",
        name=f"{places:,} more",
        type="",
        path=place.branch.path,
        calls=0,
        parameters=0,
        totals=add(branch.totals for branch in place.left_out),
        phases=add_phases(branch.phases for branch in place.left_out),
        hidden=sum(len(branch.nodes) + branch.size for branch in place.left_out),
    )
