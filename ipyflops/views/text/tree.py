"""The tree of modules as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Report
from ipyflops.views.rows.columns import TEXT, chosen, columns
from ipyflops.views.rows.tree import TreeRow, numbers_of_places, tree_rows
from ipyflops.views.text.columns import number_columns
from ipyflops.views.text.tables import Line, places, table

#: Rows that are shown unasked, and rows that are shown where a depth was asked for.
USUAL_ROWS = 40
MAX_ROWS = 400
#: Columns are dropped rather than that the modules get less than this.
MIN_NAME_WIDTH = 22
#: And than this where a note says where the FLOPs of a line stand.
NOTE_WIDTH = 32


def tree_lines(
    report: Report, depth: int | None, width: int, extra: Sequence[str] = ()
) -> list[Line]:
    """The tree to a depth, or to as many levels as fit in some forty rows."""
    rows = tree_rows(
        report,
        depth=depth,
        most=USUAL_ROWS if depth is None else MAX_ROWS,
        whole_levels=depth is None,
    )
    totals = [row.totals for row in rows]
    numbers = numbers_of_places(rows)
    shown = columns(report, TEXT["modules"], totals, places=numbers, extra=extra)
    least = NOTE_WIDTH if any(row.note for row in rows) else MIN_NAME_WIDTH
    modules = places(rows, least, close=True)
    return table([modules, *number_columns(shown, width, asked=chosen(extra))], width) + _remark(
        rows, depth
    )


def _remark(rows: Sequence[TreeRow], depth: int | None) -> list[Line]:
    """What lies below the rows, and how to see it."""
    hidden = sum(row.hidden for row in rows if row.kind != "more")
    if not hidden:
        return []
    remark = f"{hidden:,} more inside these"
    levels = 1 + max(row.level for row in rows) - (rows[0].kind == "root")
    if depth is None or levels >= depth:
        remark += f"; -d {levels + 1} (depth={levels + 1}) opens the next level"
    return [Line(), Line(remark, "dim")]
