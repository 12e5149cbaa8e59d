"""What two reports differ in, as a headline and as rows of a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipyflops.costs import COUNTED, METRICS, Metric, Totals, add_totals
from ipyflops.report import MEMORY_KINDS, Change, Difference, Memory, Report, Status, walk
from ipyflops.units import duration, scaled
from ipyflops.views.rows.folding import Folder, Group
from ipyflops.views.rows.headline import CONVENTIONS, headline
from ipyflops.views.rows.headline_item import Headline, HeadlineItem
from ipyflops.views.rows.outline import OutlineItem, PlaceRow, ShownTree, more_name, own_name


@dataclass(frozen=True, slots=True)
class ChangeRow(PlaceRow):
    """A place that changed, is new or is gone; every text is safe to print.

    Attributes
    ----------
    status : {"changed", "added", "removed", "unchanged"}
        ``unchanged`` where changes inside cancel each other out.
    before, after : Totals
        Zeros where the place did not exist.
    places : int
        How many places it stands for, where something above is folded, too.
    """

    status: Status
    before: Totals
    after: Totals
    places: int = 0

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return self.after.flops - self.before.flops

    @property
    def before_text(self) -> str:
        """FLOPs before; empty for what is new."""
        return "" if self.status == "added" else scaled(self.before.flops)

    @property
    def after_text(self) -> str:
        """FLOPs after; empty for what is gone."""
        return "" if self.status == "removed" else scaled(self.after.flops)

    @property
    def difference_text(self) -> str:
        """FLOPs after less FLOPs before, with its sign."""
        return signed(self.flops)

    @property
    def ratio_text(self) -> str:
        """As ``×1.50``, or that the place is new or gone."""
        if self.status in ("added", "removed"):
            return self.status
        if not self.before.flops:
            return ""
        return ratio(self.after.flops / self.before.flops)


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows to show, and how many changed and unchanged places they leave out."""

    rows: tuple[ChangeRow, ...]
    more: int
    unchanged: int

    @property
    def remarks(self) -> list[str]:
        """What is left out, in words."""
        remarks = []
        if self.more:
            remarks.append(f"{self.more:,} more changed")
        if self.unchanged:
            remarks.append(f"{self.unchanged:,} unchanged, not shown")
        return remarks

    @property
    def largest(self) -> int:
        """The most FLOPs of any row, before or after: what bars are drawn against."""
        return max((max(row.before.flops, row.after.flops) for row in self.rows), default=0)


def changes(
    difference: Difference,
    most: int,
    *,
    depth: int | None = None,
    whole_levels: bool = True,
    metric: Metric = METRICS["flops"],
    inside: Sequence[Change] = (),
) -> Changes:
    """Choose the rows of the tree of changes, parents before what is inside them.

    Rows that share a parent add up to its difference.

    Parameters
    ----------
    difference : Difference
    most : int
        How many rows to show, at least 2.
    depth : int, optional
        How many levels to show; all that fit where it is left out.
    whole_levels : bool
        Whether to end with the last level, the first at least, that fits as a whole. Otherwise
        the places that changed most are opened as long as rows are left.
    metric : Metric
        By which a place has changed or not.
    inside : sequence of Change
        Places that are alike, whose sum is the outermost row; the whole where there are none.

    Returns
    -------
    Changes
    """
    tree = _ChangeTree(difference, metric, inside or (difference.tree,))
    rows = tree.rows(most, depth=depth, whole_levels=whole_levels) if not tree.is_empty else []
    left_out = tree.changed - sum(row.places for row in rows)
    return Changes(tuple(rows), left_out, tree.unchanged)


def _features(change: Change) -> tuple[object, ...]:
    there = (change.before, change.after)
    return (
        change.status,
        *(None if totals is None else _counts(totals) for totals in there),
        _counts(change.own_before),
        _counts(change.own_after),
    )


def _counts(totals: Totals) -> tuple[int, ...]:
    """All numbers that neither the machine nor the other ranks have a part in."""
    return tuple(getattr(totals, name) for name in ("calls", *COUNTED))


class _ChangeTree(ShownTree[Change, ChangeRow]):
    """The places that changed; a place is also shown where changes inside cancel each other out."""

    def __init__(self, difference: Difference, metric: Metric, top: Sequence[Change]) -> None:
        self._metric = metric
        self._top = tuple(top)
        places = [place for one in top for place in walk(one)]
        folder = Folder(
            places, _features, shown=lambda change, size: self._has_changed(change) or size > 0
        )
        reports = (difference.before, difference.after)
        super().__init__(folder, (line for report in reports for line in report.lines))
        #: How many places changed and how many did not, the outermost aside.
        self.changed = sum(map(folder.is_shown, places)) - sum(map(folder.is_shown, top))
        self.unchanged = len(places) - len(self._top) - self.changed

    def _has_changed(self, change: Change) -> bool:
        before, after = change.before, change.after
        return before is None or after is None or self._differ(before, after)

    def _differ(self, before: Totals, after: Totals) -> bool:
        return self._metric.value(before) != self._metric.value(after)

    def top(self) -> Group[Change]:
        whole = self.folder.group(*self._top)
        inside = self.folder.inside(whole)
        # The whole has no row of its own where only one place in it changed.
        return inside[0] if len(inside) == 1 and not self.has_own(whole) else whole

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed at all."""
        whole = self.folder.group(*self._top)
        return not self.changed and not self.has_own(whole)

    def has_own(self, group: Group[Change]) -> bool:
        return self._differ(*_own_totals(group))

    def weight(self, group: Group[Change]) -> float:
        before, after = _totals(group)
        return abs(self._metric.value(after) - self._metric.value(before))

    def row(self, item: OutlineItem[Group[Change]]) -> ChangeRow:
        group = item.item
        change = group.first
        before, after = _totals(group)
        return ChangeRow(
            item.level,
            change.kind,
            self.name_of(group),
            self.type_of(group),
            group.path,
            change.status,
            before,
            after,
            places=0 if change.kind == "root" else len(group.places),
            repeats=group.repeats,
            hidden=0 if item.opened else group.size,
        )

    def own(self, item: OutlineItem[Group[Change]]) -> ChangeRow:
        group = item.item
        change = group.first
        before, after = _own_totals(group)
        name = own_name(change.kind)
        level = item.level + 1
        return ChangeRow(level, "own", name, "", group.path, change.status, before, after)

    def more(self, item: OutlineItem[Group[Change]]) -> ChangeRow:
        groups = item.left_out
        places = sum(len(group.places) for group in groups)
        totals = [_totals(group) for group in groups]
        return ChangeRow(
            item.level + 1,
            "more",
            more_name(places),
            "",
            item.item.path,
            "changed",
            add_totals(before for before, _ in totals),
            add_totals(after for _, after in totals),
            hidden=places + sum(group.size for group in groups),
        )


def _totals(group: Group[Change]) -> tuple[Totals, Totals]:
    """What ran before and after; zeros where a place did not exist."""
    return (
        group.add(lambda change: change.before or Totals()),
        group.add(lambda change: change.after or Totals()),
    )


def _own_totals(group: Group[Change]) -> tuple[Totals, Totals]:
    return group.add(lambda change: change.own_before), group.add(lambda change: change.own_after)


def difference_headline(difference: Difference) -> Headline:
    """Say what two reports differ in as a whole."""
    before, after = difference.before, difference.after
    items = [*_alerts("before", before), *_alerts("after", after)]
    change = signed(difference.flops, "FLOPs") if difference.flops else "unchanged"
    factor = f", {ratio(difference.ratio)}" if difference.ratio and difference.flops else ""
    items.append(
        HeadlineItem(
            f"{scaled(before.flops, 'FLOPs')} → {scaled(after.flops, 'FLOPs')} ({change}{factor})",
            f"{before.flops:,} FLOPs before, {after.flops:,} after. "
            f"{CONVENTIONS[after.convention]}",
        )
    )
    if before.macs or after.macs:
        items.append(
            HeadlineItem(
                f"{scaled(before.macs, 'MACs')} → {scaled(after.macs, 'MACs')}",
                f"{before.macs:,} multiply-accumulates before, {after.macs:,} after.",
            )
        )
    if before.seconds and after.seconds:
        items.append(
            HeadlineItem(
                f"{duration(before.seconds)} → {duration(after.seconds)} in kernels",
                "Kernel time, one run each.",
            )
        )
    items += _memory_items(before.memory, after.memory)
    return Headline(
        items=tuple(items),
        convention=HeadlineItem(f"[{after.convention}]", CONVENTIONS[after.convention]),
    )


def _memory_items(before: Memory | None, after: Memory | None) -> list[HeadlineItem]:
    """The peaks, and what became of each kind: ``peak 3.2 GB → 1.2 GB (activations -2 GB)``."""
    if before is None or after is None:
        return []
    held = before.at_peak, after.at_peak
    changed = {kind: held[1].get(kind, 0) - held[0].get(kind, 0) for kind in MEMORY_KINDS}
    most_first = sorted(changed, key=lambda kind: -abs(changed[kind]))
    said = [f"{kind} {signed(changed[kind], 'B')}" for kind in most_first if changed[kind]]
    return [
        HeadlineItem(
            f"peak {scaled(before.peak, 'B')} → {scaled(after.peak, 'B')} "
            f"({', '.join(said) or 'unchanged'})",
            f"{before.peak:,} bytes of tensors were live at once before, {after.peak:,} after; "
            "and how much more or less of each kind was live then.",
        )
    ]


def _alerts(name: str, report: Report) -> list[HeadlineItem]:
    said = headline(report)
    return [
        HeadlineItem(f"{name}: {item.text}", item.definition, item.tone)
        for item in (*said.toned("error"), *said.toned("warning"))
    ]


def signed(value: int, unit: str = "") -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(3_620_000_000, "FLOPs"), signed(-12), signed(0)
    ('+3.62 GFLOPs', '-12', '0')
    """
    return f"{'+' if value > 0 else ''}{scaled(value, unit)}"


def ratio(value: float | None) -> str:
    """Write a ratio, or nothing.

    Examples
    --------
    >>> ratio(1.5), ratio(0.0123), ratio(12345), ratio(None)
    ('×1.50', '×0.0123', '×12.3 k', '')
    """
    if value is None:
        return ""
    if value >= 1000:
        return f"×{scaled(value)}"
    return f"×{value:.2f}" if value >= 0.1 else f"×{value:.3g}"
