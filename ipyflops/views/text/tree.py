"""The tree of modules as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipyflops.report.report import Report
from ipyflops.units import scaled
from ipyflops.views.rows.tree import TreeRow, tree_rows
from ipyflops.views.text.columns import flops_columns, time_columns
from ipyflops.views.text.rank_columns import rank_columns
from ipyflops.views.text.tables import Column, Fitted, Flexible, cells, cut, table

if TYPE_CHECKING:
    from rich.text import Text

#: Rows that are shown unasked, and rows that are shown where a depth was asked for.
ROWS = 40
MOST_ROWS = 400
#: Columns are dropped rather than that the modules get less than this.
LEAST_WIDTH = 22


def tree_lines(report: Report, depth: int | None, width: int) -> list[Text]:
    """The tree to a depth, or to as many levels as fit in some forty rows."""
    rows = tree_rows(
        report,
        depth=depth,
        most=ROWS if depth is None else MOST_ROWS,
        whole_levels=depth is None,
    )
    return table(_columns(report, rows, width), width) + _remark(rows, depth)


def _remark(rows: Sequence[TreeRow], depth: int | None) -> list[Text]:
    """What lies below the rows, and how to see it."""
    from rich.text import Text

    hidden = sum(row.hidden for row in rows if row.kind != "more")
    if not hidden:
        return []
    remark = f"{hidden:,} more inside these"
    levels = 1 + max(row.level for row in rows) - (rows[0].kind == "root")
    if depth is None or levels >= depth:
        remark += f"; -d {levels + 1} (depth={levels + 1}) opens the next level"
    return [Text(), Text(remark, "dim")]


def _columns(report: Report, rows: Sequence[TreeRow], width: int) -> list[Column | Flexible]:
    totals = [row.totals for row in rows]
    levels = [row.level for row in rows]
    modules = [(row, guide) for row, guide in zip(rows, guides(levels), strict=True)]
    columns: list[Column | Flexible] = [
        Flexible(
            "module",
            [_module(row, guide) for row, guide in modules],
            [len(guide) + cells(f"{row.name}{_repeats(row)} {row.type}") for row, guide in modules],
            LEAST_WIDTH,
        ),
        *flops_columns(report, totals, width),
        *rank_columns(report, totals),
        Column("calls", [scaled(row.calls) if row.calls else "" for row in rows], 2),
    ]
    if any(row.parameters for row in rows):
        parameters = [scaled(row.parameters) if row.parameters else "" for row in rows]
        columns.append(Column("params", parameters, 1))
    return columns + time_columns(report, totals)


def guides(levels: Sequence[int]) -> list[str]:
    """The lines that draw the tree, before the name of each row at one of these levels."""
    drawn = []
    continued: set[int] = set()
    for level in reversed(levels):
        if level:
            above = "".join("│ " if one in continued else "  " for one in range(1, level))
            drawn.append(f"{above}{'├' if level in continued else '└'} ")
        else:
            drawn.append("")
        continued = {one for one in continued if one < level} | {level}
    return drawn[::-1]


def _repeats(row: TreeRow) -> str:
    return f" ×{row.repeats:,}" if row.repeats > 1 else ""


def _module(row: TreeRow, guide: str) -> Fitted:
    """Guide, name, how many are folded, and as much of the type as there is room for."""

    def fitted(width: int) -> Text:
        from rich.text import Text

        repeats = _repeats(row)
        deepest = max(width // 2, width - cells(row.name + repeats))
        prefix = guide if len(guide) <= deepest else f"…{guide[1 - deepest :]}"
        name, room = row.name, width - len(prefix) - len(repeats)
        if row.repeats > 1 and cells(f"{name} {row.type}") > room:
            name = name.replace(" … ", "…")
        name = cut(name, max(room, 1))
        text = Text.assemble(
            (prefix, "dim"), (name, "italic" if row.kind in ("own", "more") else "bold"), repeats
        )
        room = width - text.cell_len - 1
        if row.type and room >= 3:
            text.append(f" {cut(row.type, room)}", "cyan")
        return text

    return fitted
