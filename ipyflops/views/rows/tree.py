"""Which places of a report's tree are shown, as a flat list of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ipyflops.costs.metrics import Totals, add
from ipyflops.report.tables import Phase, ScopeKind
from ipyflops.views.rows.folding import Branch, Folder, add_phases, own_phases
from ipyflops.views.rows.outline import Outline, Part, in_order
from ipyflops.views.rows.visible import source_line

if TYPE_CHECKING:
    from ipyflops.report.report import Report

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


class _Tree:
    def __init__(self, report: Report) -> None:
        root = report.tree
        self._folder = Folder(root)
        self._lines = {line.name: line.text for line in report.lines}
        alone = len(root.children) == 1 and not root.own.calls
        self._top = self._folder.branch(root.children[0] if alone else root)

    def rows(self, depth: int | None, most: int, whole_levels: bool) -> list[TreeRow]:
        # The row of the whole run, where there is one, is not counted as a level.
        extra = 1 if self._top.kind == "root" else 0
        outline = Outline(
            inside=self._folder.children,
            has_own=lambda branch: bool(branch.own.calls),
            weight=lambda branch: branch.totals.flops,
            least_level=extra + 1,
        )
        levels = None if depth is None else depth + extra
        outermost = outline.open(self._top, most, levels=levels, whole_levels=whole_levels)
        return in_order(outermost, self._row, _own, _more)

    def _row(self, part: Part[Branch]) -> TreeRow:
        branch = part.item
        name, kind = branch.name, branch.kind
        if not name:
            name = "(all)" if kind == "root" else "(no name)"
        return TreeRow(
            level=part.level,
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
            hidden=0 if part.opened else branch.size,
        )


def _own(part: Part[Branch]) -> TreeRow:
    name = "(outside modules)" if part.item.kind == "root" else "(own work)"
    return TreeRow(
        level=part.level + 1,
        kind="own",
        name=name,
        type="",
        path=part.item.path,
        calls=0,
        parameters=0,
        totals=part.item.own,
        phases=own_phases(
            part.item.phases,
            [
                *(child.item.phases for child in part.inside),
                *(branch.phases for branch in part.left_out),
            ],
        ),
    )


def _more(part: Part[Branch]) -> TreeRow:
    places = sum(len(branch.nodes) for branch in part.left_out)
    return TreeRow(
        level=part.level + 1,
        kind="more",
        name=f"{places:,} more",
        type="",
        path=part.item.path,
        calls=0,
        parameters=0,
        totals=add(branch.totals for branch in part.left_out),
        phases=add_phases(branch.phases for branch in part.left_out),
        hidden=sum(len(branch.nodes) + branch.size for branch in part.left_out),
    )
