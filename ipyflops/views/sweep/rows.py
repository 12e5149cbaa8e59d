"""Which places of a sweep are shown, as a flat list of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipyflops.report import PEAK, Growth, Node, Sweep, VariableGrowth, fit, growth_of
from ipyflops.units import scaled
from ipyflops.views.rows.folding import Group
from ipyflops.views.rows.outline import OutlineItem, PlaceRow, ShownTree, own_name
from ipyflops.views.rows.tree import folder_of
from ipyflops.views.rows.visible import visible

#: More rows than any sweep has.
ALL = 10**9


@dataclass(frozen=True, slots=True)
class SweepRow(PlaceRow):
    """A place that counts something at some point; every text is safe to print.

    Attributes
    ----------
    counts : tuple of int
        At each point of the grid.
    growth : Growth
    peaks : tuple of int
        The most bytes that were live while it ran, at each point; empty where that is not known.
    peak_growth : Growth or None
    """

    counts: tuple[int, ...]
    growth: Growth
    peaks: tuple[int, ...] = ()
    peak_growth: Growth | None = None


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
    metric : {"flops", "macs", "int_ops", "bytes", "saved_bytes", "peak_bytes"}

    Returns
    -------
    list of SweepRow
        Rows that share a parent add up to it, where any of them is shown.
    """
    tree = _SweepTree(sweep, metric)
    if depth is not None:
        return tree.to_depth(depth)
    rows = tree.to_depth(1)
    for deeper in range(2, 100):
        longer = tree.to_depth(deeper)
        if len(longer) > most or len(longer) == len(rows):
            break
        rows = longer
    return rows


class _SweepTree(ShownTree[Node, SweepRow]):
    """The tree at the point that counts most; what counts nothing anywhere is left out."""

    def __init__(self, sweep: Sweep, metric: str) -> None:
        self._sweep = sweep
        self._metric = metric
        largest = max(sweep.points, key=lambda point: point.report.flops).report
        super().__init__(folder_of(largest), largest.lines)
        self._root = largest.tree

    def to_depth(self, depth: int) -> list[SweepRow]:
        """The rows of so many levels below the first row."""
        extra = 1 if self.top().first.kind == "root" else 0
        rows = self.rows(ALL, depth=depth + 1 - extra, whole_levels=False)
        return [row for row in rows if not row.level or any(row.counts)]

    def top(self) -> Group[Node]:
        root, metric = self._root, self._metric
        alone = [child for child in root.children if getattr(child, metric)]
        single = len(alone) == 1 and getattr(alone[0], metric) == getattr(root, metric)
        return self.folder.group(alone[0] if single else root)

    def has_own(self, group: Group[Node]) -> bool:
        return True

    def weight(self, group: Group[Node]) -> int:
        return 0

    def row(self, item: OutlineItem[Group[Node]]) -> SweepRow:
        group = item.item
        kind = group.first.kind
        name, type_name = self.name_of(group), self.type_of(group)
        counts, growth = self._counts(group, own=False)
        peaks, peak_growth = self._peaks(group)
        return SweepRow(
            item.level,
            kind,
            name,
            type_name,
            group.path,
            counts,
            growth,
            peaks,
            peak_growth,
            repeats=group.repeats,
        )

    def own(self, item: OutlineItem[Group[Node]]) -> SweepRow:
        group = item.item
        name = own_name(group.first.kind)
        return SweepRow(item.level + 1, "own", name, "", group.path, *self._counts(group, own=True))

    def more(self, item: OutlineItem[Group[Node]]) -> SweepRow:
        raise AssertionError("a sweep leaves no place out")

    def _counts(self, group: Group[Node], *, own: bool) -> tuple[tuple[int, ...], Growth]:
        if own and self._metric == PEAK:  # no part of a place has a peak of its own
            nothing = (0,) * len(self._sweep.points)
            return nothing, fit(self._sweep.variables, nothing)
        paths = [node.path for node in group.places]
        counts, growth = growth_of(self._sweep, paths, self._metric, own=own)
        return tuple(counts), growth

    def _peaks(self, group: Group[Node]) -> tuple[tuple[int, ...], Growth | None]:
        if not self._sweep.has_memory:
            return (), None
        peaks, growth = growth_of(self._sweep, [node.path for node in group.places], PEAK)
        return tuple(peaks), growth


@dataclass(frozen=True, slots=True)
class ShownSweep:
    """What is shown of a sweep; every text is safe to print.

    Attributes
    ----------
    headline : str
        What the whole counts, or that no formula fits.
    growth : str
        How it grows, in words.
    peak : str
        What the peak of memory is and how it grows; empty where memory was not asked for.
    points : str
        The grid, in words.
    varied : mapping of int to str
        The variables with several values: their positions and names.
    rows : tuple of SweepRow
    notes : tuple of str
        How far the growth is known, and the notes of the sweep.
    """

    headline: str
    growth: str
    peak: str
    points: str
    varied: Mapping[int, str]
    rows: tuple[SweepRow, ...]
    notes: tuple[str, ...]


def shown(sweep: Sweep, *, most: int, depth: int | None) -> ShownSweep:
    """Make of a sweep what is shown; `most` and `depth` are as for `sweep_rows`."""
    growth = sweep.growth()
    return ShownSweep(
        _headline(growth),
        visible(growth.name),
        visible(_peak_text(sweep)) if sweep.has_memory else "",
        visible(_points_text(sweep)),
        {
            index: visible(variable.name)
            for index, variable in enumerate(sweep.variables)
            if len(variable.values) > 1
        },
        tuple(sweep_rows(sweep, most=most, depth=depth)),
        tuple(map(visible, _notes(sweep))),
    )


def formula(growth: Growth, *, short: bool = True) -> str:
    """The polynomial, where it is the only one that fits; safe to print."""
    if not growth.determined:
        return ""
    return visible(growth.short_expression if short else growth.expression)


def peak_formula(row: SweepRow) -> str:
    """The polynomial of its peak, where it is the only one that fits; safe to print."""
    return formula(row.peak_growth) if row.peak_growth is not None else ""


def _headline(growth: Growth) -> str:
    expression = formula(growth, short=False)
    return f"FLOPs = {expression}" if expression else "FLOPs: no one formula fits"


def _peak_text(sweep: Sweep) -> str:
    """The peak of the whole, as ``peak = 64·batch + 1,024 B, linear in batch``."""
    growth = sweep.growth(metric=PEAK)
    if growth.determined:
        return f"peak = {growth.expression} B, {growth.name}"
    found = spread(sweep.counts(metric=PEAK), "B")
    return f"peak {found}: no one formula fits ({growth.name})"


def spread(counts: Sequence[int], unit: str = "") -> str:
    """The least and the most that a place counts, as ``51.7 M … 31.8 G``."""
    if not counts:
        return ""
    least, most = scaled(min(counts), unit), scaled(max(counts), unit)
    return least if least == most else f"{least} … {most}"


def growth_text(one: VariableGrowth) -> str:
    """How a place grows with one variable, as ``linear from 2 on``."""
    return str(one) if one.start is None else f"{one} from {one.start} on"


def _points_text(sweep: Sweep) -> str:
    """The grid in words, as ``12 points: batch 1, 2, 4, 8 × tokens 128, 512, 2,048``."""
    grid = " × ".join(
        f"{variable.name} {', '.join(f'{value:,}' for value in variable.values)}"
        for variable in sweep.variables
    )
    return f"{len(sweep.points):,} points: {grid}"


def _notes(sweep: Sweep) -> list[str]:
    said = []
    if sweep.checks:
        places = dict.fromkeys(
            f"{variable.name} {value:,}"
            for point in sweep.checks
            for variable, value in zip(sweep.variables, point.values, strict=True)
            if value not in variable.values
        )
        said.append(f"the growth was checked at {' and '.join(places)} as well")
    if sweep.has_memory and sweep.growth(metric=PEAK).determined:
        said.append(
            "the peak is of one moment at these sizes; at others another moment may be the peak"
        )
    return [*said, *sweep.notes]
