"""Two reports against each other, place by place of their trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ipyflops.costs import Totals, with_printable_repr
from ipyflops.report.run import Run
from ipyflops.report.tables import ScopeKind
from ipyflops.report.tree import Node

Status: TypeAlias = Literal["unchanged", "changed", "added", "removed"]
#: Two nodes of different trees that have the same key are the same place.
Key: TypeAlias = Hashable


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Change:
    """How one place of the tree changed.

    Attributes
    ----------
    path : str
        Its path in the tree after; if the place is gone, in the tree before.
    name, type : str
        ``a → b`` where they differ.
    kind : {"root", "module", "code", "optimizer", "function"}
    before, after : Totals or None
        Everything that ran there and below; None if the place did not exist.
    own_before, own_after : Totals
        Without what ran in the children.
    children : tuple of Change
        The children in the tree after, in their order, then those that are gone.
    scopes : (int, int)
        The place's index in the scopes of the report before and in those of the one after; -1 where
        it did not exist.
    """

    path: str
    name: str
    type: str
    kind: ScopeKind
    before: Totals | None
    after: Totals | None
    own_before: Totals
    own_after: Totals
    children: tuple[Change, ...]
    scopes: tuple[int, int] = (-1, -1)

    @property
    def status(self) -> Status:
        """Whether the place is new, gone, or has other FLOPs than before."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "changed" if self.before.flops != self.after.flops else "unchanged"

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return (self.after.flops if self.after else 0) - (self.before.flops if self.before else 0)

    @property
    def ratio(self) -> float | None:
        """FLOPs after divided by FLOPs before; None where there were none before."""
        if self.before is None or self.before.flops == 0:
            return None
        return (self.after.flops if self.after else 0) / self.before.flops

    def __repr__(self) -> str:
        return f"<Change {self.path or '(all)'}: {self.status}, {self.flops:+,} FLOPs>"


@dataclass(slots=True)
class _Pair:
    """Two nodes that are the same place, or one that has no counterpart."""

    old: Node | None
    new: Node | None
    #: The path above, where the place is gone: that of the tree after.
    above: str
    inside: list[_Pair]

    @property
    def node(self) -> Node:
        node = self.new or self.old
        assert node is not None
        return node

    @property
    def path(self) -> str:
        if self.new is not None:
            return self.new.path
        return f"{self.above}.{self.node.name}" if self.above else self.node.name


def match(before: Run, after: Run) -> Change:
    """Match the places of two trees, and give the change of the whole.

    Modules are matched by their paths. If each run has only one outermost module, the two match,
    whatever their names. Code outside modules is matched by the text of the lines, because their
    numbers may differ.
    """
    keys = _Keys(before), _Keys(after)
    root = _Pair(before.tree, after.tree, "", [])
    pairs = [root]
    for pair in pairs:
        old = keys[0].children(pair.old) if pair.old else {}
        new = keys[1].children(pair.new) if pair.new else {}
        pair.inside = [_Pair(old.get(key), node, pair.path, []) for key, node in new.items()]
        pair.inside += [
            _Pair(node, None, pair.path, []) for key, node in old.items() if key not in new
        ]
        pairs += pair.inside
    # Children come after their parents in the list, so backwards they are finished first.
    finished: dict[int, Change] = {}
    for pair in reversed(pairs):
        finished[id(pair)] = _change(pair, [finished.pop(id(child)) for child in pair.inside])
    return finished[id(root)]


def _change(pair: _Pair, children: Sequence[Change]) -> Change:
    old, new = pair.old, pair.new
    return Change(
        path=pair.path,
        name=_both(old.name if old else None, new.name if new else None, pair.node.kind),
        type=_both(old.type if old else None, new.type if new else None, pair.node.kind),
        kind=pair.node.kind,
        before=old.totals if old else None,
        after=new.totals if new else None,
        own_before=old.own if old else Totals(),
        own_after=new.own if new else Totals(),
        children=tuple(children),
        scopes=(old.scope if old else -1, new.scope if new else -1),
    )


def _both(old: str | None, new: str | None, kind: ScopeKind) -> str:
    if old is None or new is None or old == new or kind == "code":
        return (new if new is not None else old) or ""
    return f"{old} → {new}"


class _Keys:
    """What the children of a node are matched by."""

    def __init__(self, report: Run) -> None:
        self._lines = {line.name: line.text.strip() for line in report.lines}
        self._root = report.tree
        modules = [node for node in report.tree.children if node.kind == "module"]
        self._only = modules[0] if len(modules) == 1 else None

    def children(self, node: Node) -> dict[Key, Node]:
        nodes: dict[Key, Node] = {}
        seen: Counter[Key] = Counter()
        for child in node.children:
            key = self._key(child)
            # The same line twice in a cell: the first is set against the first.
            nodes[key, seen[key]] = child
            seen[key] += 1
        return nodes

    def _key(self, node: Node) -> Key:
        if node is self._only:
            return "the only module"
        if node.kind == "code":
            return node.kind, self._lines.get(node.path) or node.name
        return node.kind, node.name
