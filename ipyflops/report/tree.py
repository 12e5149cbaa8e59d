"""The tree of modules that a report's tables describe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias, TypeVar

from ipyflops.costs import Totals, with_printable_repr
from ipyflops.report.figures import Figures
from ipyflops.report.memory import Memory, PlaceMemory
from ipyflops.report.tables import (
    NO_SHAPES,
    ModuleShapes,
    Phase,
    Row,
    Scope,
    ScopeKind,
    TotalsSum,
)


class HasChildren(Protocol):
    """A node of any tree: a `Node`, or the `Change` of one."""

    @property
    def children(self) -> tuple[Any, ...]:
        """Nodes of the same class."""


AnyNode = TypeVar("AnyNode", bound=HasChildren)
#: Adds some of a run's rows up.
Accumulate: TypeAlias = Callable[[Iterable[Row]], TotalsSum]


@with_printable_repr
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Node(Figures):
    """A place of the tree with all that ran in it and below it.

    Attributes
    ----------
    name : str
        Such as ``attn`` or ``0``; empty for the root.
    type : str
        Class of the module or optimizer, ``function`` or ``function (scipy)`` for one of a library;
        empty for the root and for code.
    path : str
        Names from the outermost module down, such as ``model.layers.0.attn``; unique in the tree.
    kind : {"root", "module", "code", "optimizer", "function"}
    calls : int
        How often the module was called, or the function if operators ran in it.
    parameters : int
        Elements of the module's parameters, its children's included.
    instances : int
        How many modules of this name and class it stands for, for example if each call makes a new
        one.
    totals, own : Totals
        Sums with and without what ran in the children.
    phases : dict of str to Totals
        `totals` by phase; only the phases that ran.
    children : tuple of Node
    scope : int
        Index in the report's scopes.
    parameter_bytes, trainable_bytes : int
        With ``memory=True``: bytes of the module's parameters, and of those that are trained; its
        children's included.
    saved_bytes : int
        With ``memory=True``: bytes that its forward pass, with its children's, saves for the
        backward pass. If there are several forward passes with a backward pass each, the most.
    peak_bytes : int
        With ``memory=True``: the most bytes that were live while it or a child of it ran.
    shapes : ModuleShapes
        With ``shapes=True``: its inputs and outputs, its kernel size, and how many of its
        parameters are trained.
    """

    name: str
    type: str
    path: str
    kind: ScopeKind
    calls: int
    parameters: int
    instances: int
    totals: Totals
    own: Totals
    phases: dict[Phase, Totals]
    children: tuple[Node, ...]
    scope: int
    parameter_bytes: int = 0
    trainable_bytes: int = 0
    saved_bytes: int = 0
    peak_bytes: int = 0
    shapes: ModuleShapes = NO_SHAPES

    def __repr__(self) -> str:
        return (
            f"<Node {self.path or '(all)'}: {self.flops:,} FLOPs, {self.calls:,} calls, "
            f"{len(self.children)} children>"
        )


def build(
    scopes: Sequence[Scope],
    rows: Iterable[Row],
    accumulate: Accumulate,
    memory: Memory | None = None,
) -> Node:
    """Build the tree; the work is linear in the scopes and rows, however deep they are nested.

    Parameters
    ----------
    scopes : sequence of Scope
        Each after the one that holds it; the first is the root.
    rows : iterable of Row
    accumulate : callable
        Adds some of the rows up.
    memory : Memory or None
        What held memory in the places.

    Returns
    -------
    Node
        The root.
    """
    rows_of: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        rows_of[row.scope].append(row)
    children: dict[int, list[int]] = defaultdict(list)
    paths: list[str] = []
    for index, scope in enumerate(scopes):
        above = paths[scope.parent] if scope.parent >= 0 else ""
        paths.append(f"{above}.{scope.name}" if above else scope.name)
        if scope.parent >= 0:
            children[scope.parent].append(index)

    nodes: dict[int, Node] = {}
    sums: dict[int, TotalsSum] = {}
    phase_sums: dict[int, dict[Phase, TotalsSum]] = {}
    # A parent's index is smaller than its children's: from the last to the first, children are
    # finished before their parent, without recursion.
    for index in range(len(scopes) - 1, -1, -1):
        scope = scopes[index]
        own, phases = _sums(rows_of[index], accumulate)
        total = own
        order = _in_order(scopes, children[index])
        if order:
            total = TotalsSum()
            total.add(own)
            phases = {phase: _copied(part) for phase, part in phases.items()}
        for child in order:
            total.add(sums.pop(child))
            for phase, part in phase_sums.pop(child).items():
                phases.setdefault(phase, TotalsSum()).add(part)
        sums[index], phase_sums[index] = total, phases
        totals = total.totals()
        inside = tuple(nodes.pop(child) for child in order)
        held = PlaceMemory() if memory is None else _with_children(memory.of_place(index), inside)
        nodes[index] = Node(
            name=scope.name,
            type=scope.type,
            path=paths[index],
            kind=scope.kind,
            calls=scope.calls,
            parameters=scope.parameters,
            instances=scope.instances,
            totals=totals,
            own=own.totals() if order else totals,
            phases=dict.fromkeys(phases, totals)
            if len(phases) == 1
            else {phase: part.totals() for phase, part in phases.items()},
            children=inside,
            scope=index,
            parameter_bytes=held.parameter_bytes,
            trainable_bytes=held.trainable_bytes,
            saved_bytes=held.saved_bytes,
            peak_bytes=held.peak_bytes,
            shapes=scope.shapes,
        )
    return nodes[0]


def _with_children(own: PlaceMemory, children: Sequence[Node]) -> PlaceMemory:
    """The memory of a place and of all below it."""
    has_own = own.parameter_bytes > 0
    return PlaceMemory(
        own.parameter_bytes if has_own else sum(child.parameter_bytes for child in children),
        own.trainable_bytes if has_own else sum(child.trainable_bytes for child in children),
        own.saved_bytes + sum(child.saved_bytes for child in children),
        max([own.peak_bytes, *(child.peak_bytes for child in children)]),
    )


def _sums(rows: list[Row], accumulate: Accumulate) -> tuple[TotalsSum, dict[Phase, TotalsSum]]:
    """The sum of some rows, and the sum of each phase. Do not change them: they may be the same."""
    phases: dict[Phase, list[Row]] = {}
    for row in rows:
        phases.setdefault(row.phase, []).append(row)
    sums = {phase: accumulate(part) for phase, part in phases.items()}
    if len(sums) == 1:
        return sums[rows[0].phase], sums
    whole = TotalsSum()
    for part in sums.values():
        whole.add(part)
    return whole, sums


def _copied(part: TotalsSum) -> TotalsSum:
    copy = TotalsSum()
    copy.add(part)
    return copy


def _in_order(scopes: Sequence[Scope], children: list[int]) -> list[int]:
    """Numbered children (of a list of modules) by number, ``10`` after ``2``; else as they ran."""
    if all(scopes[child].name.isdecimal() for child in children):
        return sorted(children, key=lambda child: int(scopes[child].name))
    return children


def below(scopes: Sequence[Scope], scope: int) -> set[int]:
    """Return the indices of a scope and of all scopes inside it."""
    inside = {scope}
    for index in range(scope + 1, len(scopes)):
        if scopes[index].parent in inside:
            inside.add(index)
    return inside


def walk(root: AnyNode) -> Iterator[AnyNode]:
    """Every node, parents before their children, in the order of the tree."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def find(root: Node, path: str) -> Node:
    """Return the node at a path from the root, or from the one outermost module that has it.

    Raises
    ------
    KeyError
        If there is none, or more than one.
    """
    exact: Node | None = None
    inside: list[Node] = []
    for node in walk(root):
        if node.path == path:
            exact = node
            break
        _, _, path_inside = node.path.partition(".")
        if path_inside == path and node.kind in ("module", "function"):
            inside.append(node)
    if exact is not None:
        return exact
    # A function gives way to a module: most of what is looked for is one.
    inside = [node for node in inside if node.kind == "module"] or inside
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise KeyError(
            f"several modules have the path {path!r}: {', '.join(node.path for node in inside)}"
        )
    raise KeyError(f"no module has the path {path!r}{_suggestion(root, path)}")


def _suggestion(root: Node, path: str) -> str:
    paths = [node.path for node in walk(root) if node.path]
    inside = [path.partition(".")[2] for path in paths]
    close = get_close_matches(path, [*paths, *filter(None, inside)], n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
