"""Siblings that are alike as one: the twelve layers of a transformer need one row, not twelve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ipyflops.costs.metrics import Totals, add, counts, less
from ipyflops.report.tables import PHASES, Phase, ScopeKind
from ipyflops.report.tree import Node, walk
from ipyflops.views.rows.siblings import name_range, numbered_on, runs
from ipyflops.views.rows.visible import visible


@dataclass(frozen=True, slots=True)
class Branch:
    """One node, or several that are alike, added up.

    Attributes
    ----------
    nodes : tuple of Node
        Alike in everything but time; more than `repeats` where something above is folded, too.
    repeats : int
        How many siblings are folded into one.
    name, type, path : str
        Safe to show.
    kind : {"root", "module", "code", "optimizer"}
    calls, parameters : int
    totals, own : Totals
    phases : dict of str to Totals
    size : int
        How many nodes lie below.
    """

    nodes: tuple[Node, ...]
    repeats: int
    name: str
    type: str
    path: str
    kind: ScopeKind
    calls: int
    parameters: int
    totals: Totals
    own: Totals
    phases: dict[Phase, Totals]
    size: int


class Folder:
    """Folds the siblings of one tree."""

    def __init__(self, root: Node) -> None:
        self._likeness: dict[int, int] = {}
        self._size: dict[int, int] = {}
        known: dict[object, int] = {}
        # Children before their parents, without recursion.
        for node in reversed(list(walk(root))):
            self._size[node.scope] = sum(1 + self._size[child.scope] for child in node.children)
            features = (
                node.kind,
                node.type,
                node.calls,
                node.parameters,
                counts(node.own),
                tuple((phase, counts(totals)) for phase, totals in node.phases.items()),
                tuple((child.name, self._likeness[child.scope]) for child in node.children),
            )
            self._likeness[node.scope] = known.setdefault(features, len(known))

    def branch(self, *nodes: Node, repeats: int = 1) -> Branch:
        """Add up nodes that are alike."""
        first, last = nodes[0], nodes[repeats - 1]
        return Branch(
            nodes=nodes,
            repeats=repeats,
            name=name_range(first.name, last.name),
            type=visible(first.type),
            path=name_range(first.path, last.path),
            kind=first.kind,
            calls=sum(node.calls for node in nodes),
            parameters=sum(node.parameters for node in nodes),
            totals=add(node.totals for node in nodes),
            own=add(node.own for node in nodes),
            phases=add_phases(node.phases for node in nodes),
            size=sum(self._size[node.scope] for node in nodes),
        )

    def children(self, branch: Branch) -> list[Branch]:
        """The children of a branch, those alike and numbered one after the other folded."""
        # Nodes that are alike have the same children in the same order.
        families = [node.children for node in branch.nodes]
        return [
            self.branch(*nodes, repeats=repeats)
            for nodes, repeats in runs(families, self._continues)
        ]

    def _continues(self, before: Node, node: Node) -> bool:
        return (
            node.kind == "module"
            and self._likeness[before.scope] == self._likeness[node.scope]
            and numbered_on(before.name, node.name)
        )


def add_phases(parts: Iterable[Mapping[Phase, Totals]]) -> dict[Phase, Totals]:
    """The sums of totals by phase, in the order of the phases."""
    parts = list(parts)
    if len(parts) == 1:
        return dict(parts[0])
    return {
        phase: add(part[phase] for part in parts if phase in part)
        for phase in PHASES
        if any(phase in part for part in parts)
    }


def own_phases(
    phases: Mapping[Phase, Totals], inside: Iterable[Mapping[Phase, Totals]]
) -> dict[Phase, Totals]:
    """What is left of totals by phase without what ran inside."""
    taken = add_phases(inside)
    left = {phase: less(totals, taken.get(phase, Totals())) for phase, totals in phases.items()}
    return {phase: totals for phase, totals in left.items() if totals.calls}
