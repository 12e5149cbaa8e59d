"""Which places of a sweep are shown, as a flat list of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipyflops.report.sweep import growth_of
from ipyflops.units import scaled
from ipyflops.views.rows.folding import Branch, Folder
from ipyflops.views.rows.visible import source_line, visible

if TYPE_CHECKING:
    from ipyflops.report.growth import Growth, VariableGrowth
    from ipyflops.report.sweep import Sweep


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A place that counts something at some point; every text is safe to print.

    Attributes
    ----------
    level : int
        0 for the first row, one more for what is inside.
    kind : {"root", "module", "code", "optimizer", "own"}
    name, type, path : str
        For code, `type` is the source line.
    counts : tuple of int
        At each point of the grid.
    growth : Growth
    repeats : int
        How many siblings are folded into the row.
    """

    level: int
    kind: str
    name: str
    type: str
    path: str
    counts: tuple[int, ...]
    growth: Growth
    repeats: int = 1

    @property
    def full_name(self) -> str:
        """The name, and how many are folded."""
        return f"{self.name} ×{self.repeats:,}" if self.repeats > 1 else self.name


def sweep_rows(
    sweep: Sweep, *, most: int, depth: int | None = None, metric: str = "flops"
) -> list[SweepRow]:
    """Choose the rows of the tree, as it is at the point that counts most.

    Parameters
    ----------
    sweep : Sweep
    most : int
        As many whole levels are shown as fit in so many rows, the first at least.
    depth : int, optional
        How many levels to show below the first row instead, however many rows they have.
    metric : {"flops", "macs", "int_ops", "bytes"}

    Returns
    -------
    list of SweepRow
        Rows that share a parent add up to it, where any of them is shown.
    """
    return _Tree(sweep, metric).rows(most, depth)


class _Tree:
    def __init__(self, sweep: Sweep, metric: str) -> None:
        self._sweep = sweep
        self._metric = metric
        largest = max(sweep.points, key=lambda point: point.report.flops).report
        self._lines = {line.name: line.text for line in largest.lines}
        root = largest.tree
        self._folder = Folder(root)
        # What counts nothing anywhere says nothing about growth.
        alone = [child for child in root.children if getattr(child, metric)]
        single = len(alone) == 1 and getattr(alone[0], metric) == getattr(root, metric)
        self._top = self._folder.branch(alone[0] if single else root)

    def rows(self, most: int, depth: int | None) -> list[SweepRow]:
        rows = self._to_depth(1 if depth is None else depth)
        if depth is not None:
            return rows
        for deeper in range(2, 100):
            more = self._to_depth(deeper)
            if len(more) > most or len(more) == len(rows):
                break
            rows = more
        return rows

    def _to_depth(self, depth: int) -> list[SweepRow]:
        rows: list[SweepRow] = []
        waiting: list[tuple[int, Branch, bool]] = [(0, self._top, False)]
        while waiting:
            level, branch, own = waiting.pop()
            row = self._row(level, branch, own)
            if level and not any(row.counts):
                continue
            rows.append(row)
            if own or level >= depth:
                continue
            inside = self._folder.children(branch)
            if inside:
                waiting.append((level + 1, branch, True))
                waiting.extend((level + 1, child, False) for child in reversed(inside))
        return rows

    def _row(self, level: int, branch: Branch, own: bool) -> SweepRow:
        paths = [node.path for node in branch.nodes]
        counts, growth = growth_of(self._sweep, paths, self._metric, own=own)
        root = branch.kind == "root"
        if own:
            name, kind, type_name = "(outside modules)" if root else "(own work)", "own", ""
        else:
            name, kind = branch.name or ("(all)" if root else "(no name)"), str(branch.kind)
            code = source_line(self._lines.get(branch.path, "")).strip()
            type_name = code if kind == "code" else branch.type
        repeats = 1 if own else branch.repeats
        return SweepRow(level, kind, name, type_name, branch.path, tuple(counts), growth, repeats)


def formula(growth: Growth, *, short: bool = True) -> str:
    """The polynomial, where it is the only one that fits; safe to print."""
    if not growth.determined:
        return ""
    return visible(growth.short_expression if short else growth.expression)


def headline(sweep: Sweep) -> str:
    """What the whole counts, or that no formula fits; safe to print."""
    expression = formula(sweep.growth(), short=False)
    return f"FLOPs = {expression}" if expression else "FLOPs: no one formula fits"


def spread(row: SweepRow) -> str:
    """The least and the most that a place counts, as ``51.7 M … 31.8 G``."""
    least, most = scaled(min(row.counts)), scaled(max(row.counts))
    return least if least == most else f"{least} … {most}"


def growth_text(one: VariableGrowth) -> str:
    """How a place grows with one variable, as ``linear from 2 on``."""
    return str(one) if one.start is None else f"{one} from {one.start} on"


def points_text(sweep: Sweep) -> str:
    """The grid in words, as ``12 points: batch 1, 2, 4, 8 × tokens 128, 512, 2,048``."""
    grid = " × ".join(
        f"{variable.name} {', '.join(f'{value:,}' for value in variable.values)}"
        for variable in sweep.variables
    )
    return f"{len(sweep.points):,} points: {grid}"


def remarks(sweep: Sweep) -> list[str]:
    """How far the growth is known, in words, and the notes of the sweep."""
    said = []
    if sweep.checks:
        places = [
            f"{variable.name} {value:,}"
            for point in sweep.checks
            for variable, value in zip(sweep.variables, point.values, strict=True)
            if value not in variable.values
        ]
        said.append(f"the growth was checked at {' and '.join(places)} as well")
    return [*said, *sweep.notes]
