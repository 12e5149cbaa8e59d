"""What two reports differ in as a small table for a paper or an issue."""

from __future__ import annotations

from ipyflops.report import Difference
from ipyflops.units import scaled
from ipyflops.views.changes.rows import ChangeRow, changes, ratio, signed
from ipyflops.views.documents.plain_table import (
    MAX_ROWS,
    PlainRow,
    PlainTable,
    check_depth_and_prefix,
    column,
    texts_of,
)


def changes_table(difference: Difference, *, depth: int = 1, prefix: str = "column") -> PlainTable:
    """Choose the rows that changed, and the total last; see `ipyflops.Report.to_markdown`.

    Raises
    ------
    ValueError
        If there is no such prefix, or the depth is less than 1.
    """
    check_depth_and_prefix(depth, prefix)
    shown = changes(difference, MAX_ROWS, depth=depth + 1, whole_levels=False).rows
    inside = [row for row in shown if row.level or row.kind != "root"]
    if shown and shown[0].kind == "root":
        inside = [row for row in shown[1:] if row.level <= depth]
    least = min((row.level for row in inside), default=0)
    typed = any(row.type for row in inside)
    whole = (difference.before.flops, difference.after.flops)
    counts = [*((row.before.flops, row.after.flops) for row in inside), whole]
    titles, numbers = _numbers(inside, counts, prefix)
    factors = [*(row.ratio_text for row in inside), _factor(*whole)]
    rows = [
        PlainRow((*texts_of(row, typed=typed), *cells, factor), row.level - least)
        for row, cells, factor in zip(inside, numbers, factors, strict=False)
    ]
    total = ("total", *([""] if typed else []), *numbers[-1], factors[-1])
    rows.append(PlainRow(total, total=bool(rows)))
    return PlainTable.of("module", [*titles, "ratio"], rows, typed=typed)


def _numbers(
    rows: list[ChangeRow], counts: list[tuple[int, int]], prefix: str
) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The titles and the cells of before, after and difference, under one prefix for all three."""
    olds: list[int | None] = [old for old, _ in counts]
    news: list[int | None] = [new for _, new in counts]
    for index, row in enumerate(rows):
        if row.status == "added":
            olds[index] = None
        if row.status == "removed":
            news[index] = None
    differences = [new - old for old, new in counts]
    if prefix == "cell":
        cells = [
            ("" if old is None else scaled(old), "" if new is None else scaled(new), signed(more))
            for old, new, more in zip(olds, news, differences, strict=True)
        ]
        return ["FLOPs before", "after", "difference"], cells
    title, texts = column([*olds, *news, *differences], "FLOPs", "FLOPs")
    size = len(counts)
    more = [
        f"+{text}" if difference > 0 else text
        for text, difference in zip(texts[2 * size :], differences, strict=True)
    ]
    cells = list(zip(texts[:size], texts[size : 2 * size], more, strict=True))
    return [f"{title} before", "after", "difference"], cells


def _factor(before: int, after: int) -> str:
    return ratio(after / before) if before else ""
