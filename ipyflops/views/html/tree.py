"""The tree of modules as nested ``<details>``."""

from __future__ import annotations

from ipyflops.report.report import Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.html.nested import MOST_LEVELS, columns, name, nested, open_levels
from ipyflops.views.html.parts import Number, bar, numbers
from ipyflops.views.rows.tree import TreeRow, tree_rows
from ipyflops.views.text.rank_columns import rank_numbers, rank_titles

MOST_ROWS = 2000
#: The least width of a name, in em.
LEAST_NAME = 14

_NUMBER = ' class="f-number"'


def tree(report: Report, depth: int | None) -> str:
    """The tree with `depth` levels open, or with as many as fit on a page."""
    rows = tree_rows(report, depth=MOST_LEVELS, most=MOST_ROWS)
    opened = open_levels(rows)
    if depth is not None:
        # The row of the whole run, where there is one, is not counted as a level.
        opened = depth - 1 + (rows[0].kind == "root")
    made = _Columns(report, any(row.parameters for row in rows))
    style = columns(LEAST_NAME, made.widths, rows)
    return nested(rows, map(made.row, rows), opened, made.head(), style)


class _Columns:
    """The columns of one report: those that say nothing are left out.

    Attributes
    ----------
    widths : list of float
        In em, of all but the name.
    """

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
        self.widths = widths

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
        return name(row) + numbers(cells)
