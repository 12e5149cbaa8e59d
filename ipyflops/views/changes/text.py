"""What two reports differ in, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Difference
from ipyflops.views.changes.rows import ChangeRow, changes, difference_headline
from ipyflops.views.text.headline import chosen_width, headline_lines
from ipyflops.views.text.tables import Column, Flexible, Line, places, rendered, table

USUAL_ROWS = 40
MAX_ROWS = 400
#: Columns are dropped rather than that the modules get less than this.
MIN_NAME_WIDTH = 22
#: Characters of a bar, on a terminal of the usual width and on a wide one.
BAR, LONG_BAR, WIDE = 12, 24, 100
KEPT, MORE, LESS = "█", "▒", "░"
_STYLES = {"added": "red", "removed": "green", "changed": "", "unchanged": ""}


def to_text(
    difference: Difference,
    *,
    depth: int | None = None,
    width: int | None = None,
    color: bool = False,
) -> str:
    """Write what two reports differ in as text.

    The options are those of `ipyflops.views.text.report.to_text`; where `depth` is left out, as
    many levels of modules are shown as fit in 40 rows.
    """
    width = chosen_width(width)
    parts = headline_lines(difference_headline(difference), width)
    most = USUAL_ROWS if depth is None else MAX_ROWS
    shown = changes(difference, most, depth=depth, whole_levels=depth is None)
    remarks = shown.remarks
    if shown.rows:
        lines = table(
            _columns(shown.rows, shown.largest, LONG_BAR if width >= WIDE else BAR), width
        )
        parts += ["", *lines]
        # Where there is no room for bars, there is nothing to say about them.
        if any(mark in line.plain for line in lines for mark in (KEPT, MORE, LESS)):
            remarks = [_legend(shown.rows), *remarks]
    if remarks:
        parts += ["", Line(" · ".join(remarks), "dim", overflow="fold")]
    return rendered(parts, width, color)


def _columns(rows: Sequence[ChangeRow], largest: int, length: int) -> list[Column | Flexible]:
    changed = ["red" if row.flops > 0 else "green" if row.flops < 0 else "" for row in rows]
    columns: list[Column | Flexible] = [
        places(rows, MIN_NAME_WIDTH),
        Column("before", [row.before_text for row in rows], 2),
        Column("after", [row.after_text for row in rows], 3),
    ]
    if largest:
        bars = [change_bar(row, largest, length) for row in rows]
        columns.append(Column("", bars, 1, right=False, styles=changed))
    statuses = [_STYLES[row.status] for row in rows]
    return [
        *columns,
        Column("difference", [row.difference_text for row in rows], 5, styles=changed),
        Column("ratio", [row.ratio_text for row in rows], 4, styles=statuses),
    ]


def change_bar(row: ChangeRow, largest: int, length: int) -> str:
    """A bar as long as the larger of before and after; its end is what came or went.

    Whatever is not zero can be seen.
    """
    before, after = row.before.flops, row.after.flops
    kept, longer = min(before, after), max(before, after)
    whole = max(round(longer / largest * length), 1) if longer else 0
    same = whole
    if before != after:
        same = min(round(kept / largest * length), whole - 1)
        if kept and not same and whole > 1:
            same = 1
    end = MORE if after > before else LESS
    return (KEPT * same + end * (whole - same)).ljust(length)


def _legend(rows: Sequence[ChangeRow]) -> str:
    said = [f"{KEPT} in both"]
    if any(row.flops > 0 for row in rows):
        said.append(f"{MORE} more")
    if any(row.flops < 0 for row in rows):
        said.append(f"{LESS} less")
    return " ".join(said)
