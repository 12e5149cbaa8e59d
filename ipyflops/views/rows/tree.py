"""Which places of a report's tree are shown, as a flat list of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ipyflops.costs import Totals, add_totals, without_times
from ipyflops.report import NO_SHAPES, ModuleShapes, Node, Phase, PlaceMemory, Report
from ipyflops.views.rows.folding import Folder, Group, add_phases, own_phases
from ipyflops.views.rows.outline import OutlineItem, PlaceRow, ShownTree, more_name, own_name
from ipyflops.views.rows.visible import visible

#: Places without FLOPs share a row where they take less than this share of the kernel time.
TIME_THAT_MATTERS = 0.01
#: The numbers of a place's memory that are metrics.
OF_MEMORY = ("parameter_bytes", "saved_bytes", "peak_bytes")
#: The texts of a module's shapes that are metrics.
OF_SHAPES = ("input", "output", "kernel")
#: Functions share it even where they have FLOPs, if these are less than this share of the whole:
#: inside a library many check a size or a limit.
LITTLE_OF_FUNCTION = 0.001
#: What libraries call the function that starts a backward pass.
BACKWARD = "backward"
#: What is said of what starts a backward pass and has no FLOPs of its own.
COUNTED_IN_MODULES = "counted in the modules"


@dataclass(frozen=True, slots=True)
class TreeRow(PlaceRow):
    """A row of the tree; every text in it is safe to print.

    Attributes
    ----------
    calls, parameters : int
    totals : Totals
    phases : dict of str to Totals
        `totals` by phase; only the phases that ran.
    held : PlaceMemory
        What was asked for of its memory, with that of its children.
    shapes : ModuleShapes
        Likewise of what went into it and came out.
    """

    calls: int
    parameters: int
    totals: Totals
    phases: Mapping[Phase, Totals]
    held: PlaceMemory = field(default=PlaceMemory(), kw_only=True)
    shapes: ModuleShapes = field(default=NO_SHAPES, kw_only=True)


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
    tree = _ReportTree(report)
    least_level = 2 if tree.top().first.kind == "root" else 1
    return tree.rows(most, depth=depth, whole_levels=whole_levels, least_level=least_level)


def lines_of_backward_passes(report: Report) -> set[str]:
    """The names of the lines whose backward pass ran in modules, where its FLOPs stand."""
    scopes, lines = report.scopes, report.lines
    return {
        lines[row.line].name
        for row in report.rows
        if row.line >= 0 and row.phase == "backward" and scopes[row.scope].kind != "code"
    }


def phase_shares(report: Report) -> dict[str, float]:
    """The share of each phase that ran of the FLOPs; empty where there is only one phase."""
    ran = {phase: totals for phase, totals in report.by_phase.items() if totals.calls}
    if len(ran) < 2 or not report.flops:
        return {}
    return {phase: totals.flops / report.flops for phase, totals in ran.items()}


def numbers_of_places(rows: Sequence[TreeRow]) -> dict[str, Sequence[float | str | None]]:
    """The numbers and texts of rows that are not sums, by their metric's key."""
    trainable = [None if row.shapes.trainable < 0 else row.shapes.trainable for row in rows]
    return {
        "module_calls": [row.calls for row in rows],
        "flops_per_call": [row.totals.flops // row.calls if row.calls else 0 for row in rows],
        "parameters": [row.parameters for row in rows],
        "trainable": trainable,
        "frozen": [
            None if trained is None else row.parameters - trained
            for row, trained in zip(rows, trainable, strict=True)
        ],
        **{name: [getattr(row.held, name) for row in rows] for name in OF_MEMORY},
        **{name: [visible(getattr(row.shapes, name)) for row in rows] for name in OF_SHAPES},
    }


def folder_of(report: Report) -> Folder[Node]:
    """What folds the nodes of a report's tree."""
    return Folder(report.walk(), _features)


def _features(node: Node) -> tuple[object, ...]:
    phases = tuple((phase, without_times(totals)) for phase, totals in node.phases.items())
    own = without_times(node.own)
    return node.calls, node.parameters, node.instances, node.shapes, own, phases


class _ReportTree(ShownTree[Node, TreeRow]):
    def __init__(self, report: Report) -> None:
        super().__init__(folder_of(report), report.lines)
        self._root = report.tree
        self._report = report
        self._with_backward = lines_of_backward_passes(report)

    def inside(self, group: Group[Node]) -> list[Group[Node]]:
        outermost = group.first.kind == "root"
        return [
            one
            if outermost and one.first.kind == "module"
            else self.folder.with_only_children(one, self._needs_row)
            for one in self.folder.inside(group)
        ]

    def _needs_row(self, group: Group[Node]) -> bool:
        return self.has_own(group) or group.first.instances > 1

    def is_quiet(self, group: Group[Node]) -> bool:
        return all(self._is_quiet(node) for node in group.places)

    def _is_quiet(self, node: Node) -> bool:
        least = LITTLE_OF_FUNCTION * self._report.flops if node.kind == "function" else 0
        if node.flops > least or node.totals.int_ops or node.totals.communicated:
            return False
        matters = node.seconds > TIME_THAT_MATTERS * self._report.seconds
        return not matters and not self._started_backward(node)

    def _started_backward(self, node: Node) -> bool:
        """Whether a place is a line, or a function by its name, of a backward pass of modules."""
        if node.kind == "function":
            return bool(self._with_backward) and node.name == BACKWARD
        return node.path in self._with_backward

    def top(self) -> Group[Node]:
        root = self._root
        alone = len(root.children) == 1 and not root.own.calls
        return self.folder.group(root.children[0] if alone else root)

    def has_own(self, group: Group[Node]) -> bool:
        return any(node.own.calls for node in group.places)

    def weight(self, group: Group[Node]) -> int:
        return sum(node.totals.flops for node in group.places)

    def row(self, item: OutlineItem[Group[Node]]) -> TreeRow:
        group = item.item
        return TreeRow(
            item.level,
            group.first.kind,
            self.name_of(group),
            self.type_of(group),
            group.path,
            calls=sum(node.calls for node in group.places),
            parameters=sum(node.parameters for node in group.places),
            totals=group.add(lambda node: node.totals),
            phases=_phases(group),
            held=held_by(group.places),
            shapes=_shapes(group.places),
            repeats=group.repeats * group.first.instances,
            hidden=0 if item.opened else group.size,
            around=len(group.above),
            note=self._note_of(group),
        )

    def _note_of(self, group: Group[Node]) -> str:
        # Such a function divides the loss, say: that is not the backward pass.
        is_whole = group.first.kind != "function" and self.weight(group) > 0
        elsewhere = self._started_backward(group.first) and not is_whole
        return COUNTED_IN_MODULES if elsewhere else ""

    def own(self, item: OutlineItem[Group[Node]]) -> TreeRow:
        group = item.item
        inside = [*(inner.item for inner in item.inside), *item.left_out]
        return TreeRow(
            item.level + 1,
            "own",
            own_name(group.first.kind),
            "",
            group.path,
            calls=0,
            parameters=0,
            totals=group.add(lambda node: node.own),
            phases=own_phases(_phases(group), map(_phases, inside)),
            held=_own_held(group),
        )

    def quiet(self, item: OutlineItem[Group[Node]]) -> TreeRow:
        has_flops = any(map(self.weight, item.quiet))
        what = "rows with few FLOPs" if has_flops else "rows without FLOPs"
        return self._rest(item, item.quiet, what)

    def more(self, item: OutlineItem[Group[Node]]) -> TreeRow:
        return self._rest(item, item.left_out, "more")

    def _rest(
        self, item: OutlineItem[Group[Node]], groups: Sequence[Group[Node]], what: str
    ) -> TreeRow:
        places = sum(len(group.places) for group in groups)
        return TreeRow(
            item.level + 1,
            "more",
            more_name(places, what),
            "",
            item.item.path,
            calls=0,
            parameters=0,
            totals=add_totals(group.add(lambda node: node.totals) for group in groups),
            phases=add_phases(map(_phases, groups)),
            held=held_by([node for group in groups for node in group.places]),
            hidden=places + sum(group.size for group in groups),
        )


def held_by(nodes: Sequence[Node]) -> PlaceMemory:
    """The memory of places together: what they hold adds up, a peak is that of all memory."""
    return PlaceMemory(
        sum(node.parameter_bytes for node in nodes),
        sum(node.trainable_bytes for node in nodes),
        sum(node.saved_bytes for node in nodes),
        max((node.peak_bytes for node in nodes), default=0),
    )


def _shapes(nodes: Sequence[Node]) -> ModuleShapes:
    """The shapes of places that are alike; their parameters add up."""
    shapes = nodes[0].shapes
    if shapes.trainable < 0:
        return shapes
    trainable = sum(node.shapes.trainable for node in nodes)
    return ModuleShapes(shapes.input, shapes.output, shapes.kernel, trainable)


def _own_held(group: Group[Node]) -> PlaceMemory:
    """What places have saved themselves, without their children."""
    inside = sum(child.saved_bytes for node in group.places for child in node.children)
    return PlaceMemory(saved_bytes=sum(node.saved_bytes for node in group.places) - inside)


def _phases(group: Group[Node]) -> dict[Phase, Totals]:
    return add_phases(node.phases for node in group.places)
