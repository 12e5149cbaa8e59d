"""What two reports differ in, as a headline and as rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipyflops.units import duration, scaled
from ipyflops.views.figure import Figure
from ipyflops.views.headline import CONVENTIONS, Headline, headline
from ipyflops.views.visible import visible

if TYPE_CHECKING:
    from ipyflops.comparison import Change, Difference
    from ipyflops.report import Report


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A place whose FLOPs changed, or that is new or gone; every text is safe to print.

    Attributes
    ----------
    path, type : str
    status : {"changed", "added", "removed"}
    before, after, difference, ratio : str
        Empty where there is none.
    """

    path: str
    type: str
    status: Literal["changed", "added", "removed"]
    before: str
    after: str
    difference: str
    ratio: str


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


def changes(difference: Difference, most: int) -> Changes:
    """Choose at most so many rows: as many whole levels of the tree as fit.

    Where even the first has too many, those that changed most are chosen.
    """
    places = [change for change in difference.changes if change.path]
    changed = [change for change in places if _changed(change)]
    in_level = Counter(_level(change) for change in changed)
    shown, deepest = 0, -1
    for level in sorted(in_level):
        shown += in_level[level]
        if shown > most:
            break
        deepest = level
    chosen = [change for change in changed if _level(change) <= deepest]
    if changed and not chosen:
        first = [change for change in changed if _level(change) == min(in_level)]
        largest = sorted(first, key=lambda change: -abs(change.flops))[:most]
        kept = {id(change) for change in largest}
        chosen = [change for change in first if id(change) in kept]
    rows = tuple(_row(change) for change in chosen)
    return Changes(rows, len(changed) - len(rows), len(places) - len(changed))


def _level(change: Change) -> int:
    return change.path.count(".")


def _changed(change: Change) -> bool:
    return change.flops != 0 or change.before is None or change.after is None


def _row(change: Change) -> ChangeRow:
    status: Literal["changed", "added", "removed"] = "changed"
    if change.before is None:
        status = "added"
    elif change.after is None:
        status = "removed"
    return ChangeRow(
        path=visible(change.path),
        type=visible(change.type),
        status=status,
        before=scaled(change.before.flops) if change.before else "",
        after=scaled(change.after.flops) if change.after else "",
        difference=_signed(change.flops),
        ratio=_ratio(change.ratio) if status == "changed" else status,
    )


def difference_headline(difference: Difference) -> Headline:
    """Say what two reports differ in as a whole."""
    before, after = difference.before, difference.after
    figures = [*_alerts("before", before), *_alerts("after", after)]
    change = _signed(difference.flops, "FLOPs") if difference.flops else "unchanged"
    ratio = f", {_ratio(difference.ratio)}" if difference.ratio and difference.flops else ""
    figures.append(
        Figure(
            f"{scaled(before.flops, 'FLOPs')} → {scaled(after.flops, 'FLOPs')} ({change}{ratio})",
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


def _signed(value: int, unit: str = "") -> str:
    return f"{'+' if value > 0 else ''}{scaled(value, unit)}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    if ratio >= 1000:
        return f"×{scaled(ratio)}"
    return f"×{ratio:.2f}" if ratio >= 0.1 else f"×{ratio:.3g}"
