"""What two reports differ in, as a headline and as rows of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ipyflops.costs.metrics import Totals, add
from ipyflops.report.tables import ScopeKind
from ipyflops.units import duration, scaled
from ipyflops.views.changes.folding import ChangedPlace, ChangeFolder
from ipyflops.views.rows.headline import CONVENTIONS, Headline, headline
from ipyflops.views.rows.headline_item import Figure
from ipyflops.views.rows.outline import Outline, Part, in_order
from ipyflops.views.rows.visible import source_line

if TYPE_CHECKING:
    from ipyflops.report.difference import Status
    from ipyflops.report.report import Difference, Report

#: Beside the kinds of a place: what ran in a module but in none of its children, and those left
#: out.
ChangeKind: TypeAlias = ScopeKind | Literal["own", "more"]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A place that changed, is new or is gone; every text is safe to print.

    Attributes
    ----------
    level : int
        0 for the first row or rows, one more for what is inside.
    kind : {"root", "module", "code", "optimizer", "own", "more"}
    name, type, path : str
        For code, `type` is the source line.
    status : {"changed", "added", "removed", "unchanged"}
        ``unchanged`` where changes inside cancel each other out.
    before, after : Totals
        Zeros where the place did not exist.
    repeats : int
        How many siblings are folded into the row.
    places : int
        How many places it stands for, where something above is folded, too.
    hidden : int
        How many changed places inside are not shown.
    """

    level: int
    kind: ChangeKind
    name: str
    type: str
    path: str
    status: Status
    before: Totals
    after: Totals
    repeats: int = 1
    places: int = 0
    hidden: int = 0

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
    difference: Difference, most: int, *, depth: int | None = None, whole_levels: bool = True
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

    Returns
    -------
    Changes
    """
    return _Tree(difference).changes(depth, most, whole_levels)


class _Tree:
    def __init__(self, difference: Difference) -> None:
        root = difference.tree
        self._folder = ChangeFolder(root)
        reports = (difference.before, difference.after)
        self._lines = {line.name: line.text for one in reports for line in one.lines}
        whole = self._folder.place(root)
        inside = self._folder.inside(whole)
        # The whole has no row of its own where only one place in it changed.
        alone = len(inside) == 1 and not _own_changed(whole)
        self._top = inside[0] if alone else whole
        self._empty = not inside and not _own_changed(whole)

    def changes(self, depth: int | None, most: int, whole_levels: bool) -> Changes:
        rows = [] if self._empty else self._rows(depth, most, whole_levels)
        shown = sum(row.places for row in rows)
        return Changes(tuple(rows), self._folder.changed - shown, self._folder.unchanged)

    def _rows(self, depth: int | None, most: int, whole_levels: bool) -> list[ChangeRow]:
        outline = Outline(
            inside=self._folder.inside,
            has_own=_own_changed,
            weight=lambda place: abs(place.flops),
            least_level=1,
        )
        extra = 1 if self._top.changes[0].kind == "root" else 0
        levels = None if depth is None else depth + extra
        outermost = outline.open(self._top, most, levels=levels, whole_levels=whole_levels)
        return in_order(outermost, self._row, _own, _more)

    def _row(self, part: Part[ChangedPlace]) -> ChangeRow:
        place = part.item
        change = place.changes[0]
        name = place.name or ("(all)" if change.kind == "root" else "(no name)")
        code = source_line(self._lines.get(change.path, "")).strip()
        return ChangeRow(
            level=part.level,
            kind=change.kind,
            name=name,
            type=code if change.kind == "code" else place.type,
            path=place.path,
            status=change.status,
            before=place.before,
            after=place.after,
            repeats=place.repeats,
            places=0 if change.kind == "root" else len(place.changes),
            hidden=0 if part.opened else place.size,
        )


def _own_changed(place: ChangedPlace) -> bool:
    return place.own_before.flops != place.own_after.flops


def _own(part: Part[ChangedPlace]) -> ChangeRow:
    place = part.item
    root = place.changes[0].kind == "root"
    return ChangeRow(
        level=part.level + 1,
        kind="own",
        name="(outside modules)" if root else "(own work)",
        type="",
        path=place.path,
        status=place.changes[0].status,
        before=place.own_before,
        after=place.own_after,
    )


def _more(part: Part[ChangedPlace]) -> ChangeRow:
    places = sum(len(place.changes) for place in part.left_out)
    return ChangeRow(
        level=part.level + 1,
        kind="more",
        name=f"{places:,} more",
        type="",
        path=part.item.path,
        status="changed",
        before=add(place.before for place in part.left_out),
        after=add(place.after for place in part.left_out),
        hidden=sum(len(place.changes) + place.size for place in part.left_out),
    )


def difference_headline(difference: Difference) -> Headline:
    """Say what two reports differ in as a whole."""
    before, after = difference.before, difference.after
    figures = [*_alerts("before", before), *_alerts("after", after)]
    change = signed(difference.flops, "FLOPs") if difference.flops else "unchanged"
    factor = f", {ratio(difference.ratio)}" if difference.ratio and difference.flops else ""
    figures.append(
        Figure(
            f"{scaled(before.flops, 'FLOPs')} → {scaled(after.flops, 'FLOPs')} ({change}{factor})",
            f"{before.flops:,} FLOPs before, {after.flops:,} after. "
            f"{CONVENTIONS[after.convention]}",
        )
    )
    if before.macs or after.macs:
        figures.append(
            Figure(
                f"{scaled(before.macs, 'MACs')} → {scaled(after.macs, 'MACs')}",
                f"{before.macs:,} multiply-accumulates before, {after.macs:,} after.",
            )
        )
    if before.seconds and after.seconds:
        figures.append(
            Figure(
                f"{duration(before.seconds)} → {duration(after.seconds)} in kernels",
                "Kernel time, one run each.",
            )
        )
    return Headline(
        figures=tuple(figures),
        convention=Figure(f"[{after.convention}]", CONVENTIONS[after.convention]),
    )


def _alerts(name: str, report: Report) -> list[Figure]:
    said = headline(report)
    return [
        Figure(f"{name}: {figure.text}", figure.definition, figure.tone)
        for figure in (*said.toned("error"), *said.toned("warning"))
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
