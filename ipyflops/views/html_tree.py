"""The tree of modules as nested ``<details>``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ipyflops.report import Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.html_parts import TOOLTIP_LENGTH, Number, bar, numbers, text
from ipyflops.views.rank_columns import rank_numbers, rank_titles
from ipyflops.views.tree_rows import TreeRow, tree_rows

MOST_ROWS = 2000
#: So many levels are nested at most; browsers stop at some hundred elements.
MOST_LEVELS = 60
#: As many levels are open at first as have this many rows together.
OPEN_ROWS = 40
#: In em: the least width of a name, and, as in the style sheet, gaps and indentation.
LEAST_NAME, GAP, INDENT = 14, 0.9, 1.1

_NUMBER = ' class="f-number"'


def tree(report: Report, depth: int | None) -> str:
    """The tree with `depth` levels open, or with as many as fit on a page."""
    rows = tree_rows(report, depth=MOST_LEVELS, most=MOST_ROWS)
    columns = _Columns(report, any(row.parameters for row in rows))
    open_levels = _open_levels(rows, depth)
    parts = [columns.head(), "<ul>"]
    levels = [*(row.level for row in rows[1:]), 0]
    for row, next_level in zip(rows, levels, strict=True):
        cells = columns.row(row)
        left_out = row.hidden if row.kind != "more" else 0
        if next_level > row.level or left_out:
            opened = " open" if row.level < open_levels else ""
            parts.append(f'<li><details{opened}><summary class="f-row">{cells}</summary><ul>')
        else:
            parts.append(f'<li><div class="f-row">{cells}</div></li>')
        if left_out:
            parts.append(f'<li class="f-dim">{left_out:,} more inside, not shown</li>')
            parts.append("</ul></details></li>")
        parts.append("</ul></details></li>" * max(row.level - next_level, 0))
    parts.append("</ul>")
    return f'<div class="f-tree" style="{columns.style(max(levels))}">{"".join(parts)}</div>'


def _open_levels(rows: Sequence[TreeRow], depth: int | None) -> int:
    """How many levels, counted from the first row's, are open."""
    if depth is not None:
        return depth - 1 + (rows[0].kind == "root")
    in_level = Counter(row.level for row in rows)
    shown, level = in_level[0], 0
    while shown + in_level[level + 1] <= OPEN_ROWS and in_level[level + 1]:
        level += 1
        shown += in_level[level]
    return max(level, 1)


class _Columns:
    """The columns of one report: those that say nothing are left out."""

    def __init__(self, report: Report, parameters: bool) -> None:
        self._report = report
        self._parameters = parameters
        widths = [4.2]
        self._titles = [("FLOPs", "Floating point operations")]
        if report.flops:
            widths += [8, 3.6]
            self._titles += [
                ("share", "Share of the FLOPs of the run, in the colour of the phase"),
                ("", ""),
            ]
        for width, title, tip in rank_titles(report):
            widths.append(width)
            self._titles.append((title, tip))
        widths.append(3.2)
        self._titles.append(("calls", "How often the module was called"))
        if parameters:
            widths.append(3.8)
            self._titles.append(
                ("params", "Elements of the parameters, those of its children included")
            )
        if report.seconds:
            widths += [4.2, 4]
            self._titles.append(("time", "Kernel time, one run"))
            self._titles.append(("FLOPS", "FLOPs per second of kernel time"))
            if report.peak is not None:
                widths.append(3.6)
                self._titles.append(("of peak", "Utilisation (MFU): share of the measured peak"))
        widths.append(4)
        self._titles.append(("FLOPs/B", "Arithmetic intensity: FLOPs per byte read or written"))
        self._widths = widths

    def style(self, levels: int) -> str:
        """The widths, with room for the names whatever their indentation."""
        numbers = " ".join(f"{width}em" for width in self._widths)
        least = LEAST_NAME + sum(self._widths) + GAP * len(self._widths) + INDENT * levels
        return f"--columns:minmax(0,1fr) {numbers};min-width:{least:.1f}em"

    def head(self) -> str:
        """The titles, which the style sheet shows: there are no columns without it."""
        titles = "".join(
            f'<span{"" if title == "share" else _NUMBER} data-title="{title}" title="{tip}"></span>'
            for title, tip in self._titles
        )
        module = '<span class="f-name" data-title="module"></span>'
        return f'<div class="f-row f-head">{module}{titles}</div>'

    def row(self, row: TreeRow) -> str:
        totals = row.totals
        exact = f"{totals.flops:,} FLOPs · {totals.macs:,} MACs"
        if totals.int_ops:
            exact += f" · {totals.int_ops:,} integer ops"
        cells: list[Number | str] = [
            Number(scaled(totals.flops), scaled(totals.flops, "FLOPs"), exact)
        ]
        if self._report.flops:
            share = percent(totals.flops / self._report.flops)
            cells += [bar(self._report.flops, totals, row.phases), Number(share, f"{share} of all")]
        cells += rank_numbers(self._report, totals)
        calls = scaled(row.calls) if row.calls else ""
        cells.append(Number(calls, f"{calls} {'call' if row.calls == 1 else 'calls'}"))
        if self._parameters:
            parameters = scaled(row.parameters) if row.parameters else ""
            cells.append(Number(parameters, f"{parameters} parameters"))
        if self._report.seconds:
            time, rate = duration(totals.seconds), totals.flops_per_second
            cells.append(Number(time, f"{time} in kernels"))
            cells.append(Number(scaled(rate), scaled(rate, "FLOPS")) if rate else Number())
            if self._report.peak is not None:
                share = percent(totals.utilization) if totals.utilization else ""
                cells.append(Number(share, f"{share} of peak"))
        intensity = scaled(totals.intensity)
        cells.append(
            Number(intensity, f"{intensity} FLOPs per byte") if totals.intensity else Number()
        )
        return _name(row) + numbers(cells)


def _name(row: TreeRow) -> str:
    name = text(row.name)
    if row.kind in ("own", "more"):
        name = f"<em>{name}</em>"
    if row.repeats > 1:
        name += f" <strong>×{row.repeats:,}</strong>"
    if row.type:
        shown = f"<code>{text(row.type)}</code>" if row.kind == "code" else text(row.type)
        name += f' <span class="f-type">{shown}</span>'
    return (
        f'<span class="f-name" title="{text(row.path, TOOLTIP_LENGTH)}">{name}'
        '<span class="f-unit">: </span></span>'
    )
