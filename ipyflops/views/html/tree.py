"""The tree of modules as nested ``<details>``."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.costs import Totals
from ipyflops.report import Report
from ipyflops.views.html.fitting import left_out
from ipyflops.views.html.nested import MAX_LEVELS, TreeTitle, name, nested, open_levels
from ipyflops.views.html.parts import Html, Number, bar, joined, numbers
from ipyflops.views.rows.columns import HTML, Column
from ipyflops.views.rows.columns import columns as number_columns
from ipyflops.views.rows.tree import TreeRow, numbers_of_places, tree_rows
from ipyflops.views.rows.visible import shortened

MAX_ROWS = 400
#: The least width of a name, in em.
MIN_NAME = 14
#: In em, of a bar and of the columns that are wider or narrower than most.
BAR_WIDTH, WIDTH = 8, 4.2
#: Of a character of a text, and of the longest text.
TEXT_WIDTH, LONGEST = 0.58, 16
WIDTHS = {
    "share": 3.6,
    "replicated_share": 4.6,
    "communicated": 5.4,
    "module_calls": 3.6,
    "flops_per_call": 4.6,
    "parameters": 3.8,
    "parameter_bytes": 4.6,
    "saved_bytes": 4.6,
    "peak_bytes": 4.6,
    "flops_per_second": 4,
    "utilization": 3.6,
    "mfu": 3.6,
    "hfu": 3.6,
    "intensity": 4,
}


def tree(report: Report, depth: int | None, extra: Sequence[str], most: int) -> Html:
    """The tree in so many rows, with `depth` levels open, or with as many as fit on a page."""
    rows = tree_rows(report, depth=MAX_LEVELS, most=most)
    opened = open_levels(rows)
    if depth is not None:
        # The row of the whole run, where there is one, is not counted as a level.
        opened = depth - 1 + (rows[0].kind == "root")
    totals = [row.totals for row in rows]
    places = numbers_of_places(rows)
    shown = number_columns(report, HTML["modules"], totals, places=places, extra=extra)
    cells = (_row(report, row, shown, index) for index, row in enumerate(rows))
    titles = [title for column in shown for title in _titles(column)]
    hidden = left_out(sum(row.hidden for row in rows), "places", "to_frame()")
    return joined([nested(rows, cells, opened, titles, MIN_NAME), hidden])


def _titles(column: Column) -> list[TreeTitle]:
    metric = column.metric
    width = WIDTHS.get(metric.key, WIDTH)
    if metric.format == "text":
        width = min(LONGEST, max(width, TEXT_WIDTH * max(map(len, column.texts), default=0)))
    if metric.key == "share":
        bars = TreeTitle(BAR_WIDTH, metric.title, metric.tip)
        return [bars, TreeTitle(width, "", "", number=True)]
    return [TreeTitle(width, metric.title, metric.tip, number=True)]


def _row(report: Report, row: TreeRow, shown: Sequence[Column], index: int) -> Html:
    cells: list[Number | Html] = []
    for column in shown:
        metric, value, short = column.metric, column.values[index], column.texts[index]
        if metric.key == "share":
            cells.append(bar(report.flops, row.totals, row.phases))
        if isinstance(value, str):
            cells.append(Number(shortened(short, int(LONGEST / TEXT_WIDTH)), value, ""))
            continue
        full = metric.full(value) if short and value is not None else ""
        cells.append(Number(short, full, _exact(metric.key, row.totals) if short else ""))
    return joined([name(row), numbers(cells)])


def _exact(key: str, totals: Totals) -> str:
    """All digits of what a number is made of, for its tooltip."""
    if key == "replicated_share":
        return f"{totals.replicated:,} FLOPs"
    if key != "flops":
        return ""
    exact = f"{totals.flops:,} FLOPs · {totals.macs:,} MACs"
    return f"{exact} · {totals.int_ops:,} integer ops" if totals.int_ops else exact
