"""A report as HTML: one fragment that needs nothing else and runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipyflops.costs.metrics import Totals
from ipyflops.units import duration, percent, scaled
from ipyflops.views.html.chart import chart
from ipyflops.views.html.parts import TOOLTIP_LENGTH, bar, figures, section, text
from ipyflops.views.html.style import style
from ipyflops.views.html.tree import tree
from ipyflops.views.rows.choices import check_by
from ipyflops.views.rows.headline import headline
from ipyflops.views.rows.lines import LineRow, line_rows
from ipyflops.views.rows.operators import OperatorRow, operator_rows
from ipyflops.views.text.rank_table import collective_html, rank_html

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: Rows of a list, whose last sums up what is left out.
LIST_ROWS = 500
#: Longer names are cut in the middle; the tooltip has more of them.
NAME_LENGTH = 52
# Inline, because it is what JupyterLab leaves of the style of a notebook that it does not trust.
_LEFT = ' style="text-align:left"'


def to_html(
    report: Report,
    *,
    by: str = "modules",
    depth: int | None = None,
    per: tuple[int, str] | None = None,
) -> str:
    """Write a report as an HTML fragment without scripts or anything from elsewhere.

    Parameters
    ----------
    report : Report
    by : {"modules", "operators", "lines"}
        Which of the three sections is open.
    depth : int, optional
        How many levels of modules are open; as many as fit on a page where it is left out.
    per : (int, str), optional
        As for `headline`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If `by` is something else.
    """
    by = check_by(by)
    parts = [figures(headline(report, per=per))]
    if report.totals.calls:
        parts.append(_phases(report))
        if len(report.ranks) > 1:
            parts.append(section("By rank", rank_html(report), True))
        if report.by_collective:
            parts.append(section("Communication", collective_html(report), False))
        parts += [
            section("By module", tree(report, depth), by == "modules"),
            *([section("Chart", drawn, False)] if (drawn := chart(report)) else []),
            section("By operator", _operators(report), by == "operators"),
            section("By source line", _lines(report), by == "lines"),
        ]
    return fragment(parts)


def fragment(parts: list[str]) -> str:
    """The parts with their style sheet, as one element."""
    # The attribute keeps JupyterLab's one-letter shortcuts off while something inside has focus.
    return "\n".join(
        ['<div class="ipyflops" data-lm-suppress-shortcuts="true">', style(), *parts, "</div>"]
    )


def _phases(report: Report) -> str:
    """What the colours of the bars mean, where there are several."""
    ran = {phase: totals for phase, totals in report.by_phase.items() if totals.calls}
    if len(ran) < 2 or not report.flops:
        return ""
    keys = " · ".join(
        f'<i class="f-key f-{phase}"></i> {phase} {percent(totals.flops / report.flops)}'
        for phase, totals in ran.items()
    )
    return f'<p class="f-phases">{keys}</p>'


def _operators(report: Report) -> str:
    integers = bool(report.int_ops)
    titles = ["FLOPs", "share", "int ops", "calls", "time", "FLOPS", "FLOPs/B"]
    if not integers:
        titles.remove("int ops")
    if report.peak is not None:
        titles.insert(titles.index("FLOPS") + 1, "of peak")
    rows = "".join(_operator(report, row, integers) for row in operator_rows(report, LIST_ROWS))
    return _table("operator", titles, rows)


def _operator(report: Report, row: OperatorRow, integers: bool) -> str:
    totals = row.totals
    cells = [scaled(totals.flops), _share(report, totals)]
    if integers:
        cells.append(scaled(totals.int_ops) if totals.int_ops else "")
    intensity = scaled(totals.intensity) if totals.flops and totals.bytes else ""
    cells += [scaled(totals.calls), *_time(totals)]
    if report.peak is not None:
        cells.append(text(percent(totals.utilization)) if totals.utilization else "")
    cells.append(intensity)
    verdict = "" if row.verdict == "formula" else row.verdict
    return _row(row.name, verdict, cells)


def _lines(report: Report) -> str:
    """Heat bars beside the source lines, under the name of what they are of."""
    titles = ("share", "calls", "time", "FLOPS", "line", "source")
    rows = []
    part = ""
    for row in line_rows(report, LIST_ROWS):
        if row.part and row.part != part:
            name = f'<td{_LEFT} colspan="7"><strong>{text(row.part)}</strong></td>'
            rows.append(f"<tr>{name}</tr>")
        part = row.part
        rows.append(_line(report, row))
    return _table("FLOPs", titles, "".join(rows))


def _line(report: Report, row: LineRow) -> str:
    totals = row.totals
    # Blanks that no page collapses keep the indentation.
    source = text(row.text, 300).replace(" ", "&nbsp;") if row.part else text(row.text)
    cells = ["", "", "", "", ""]
    if totals is not None:
        share = _share(report, totals, heat=True)
        cells = [scaled(totals.flops), share, scaled(totals.calls), *_time(totals)]
    cells.append(str(row.number or ""))
    source = f"<code>{source}</code>" if row.part else f"<em>{source}</em>"
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr>{numbers}<td{_LEFT}>{source}</td></tr>"


def _share(report: Report, totals: Totals, *, heat: bool = False) -> str:
    if not report.flops:
        return ""
    kind = "f-share f-heat" if heat else "f-share"
    share = percent(totals.flops / report.flops)
    return f'<span class="{kind}">{bar(report.flops, totals)}<span>{text(share)}</span></span>'


def _time(totals: Totals) -> tuple[str, str]:
    if not totals.seconds:
        return "", ""
    return duration(totals.seconds), scaled(totals.flops_per_second) if totals.flops else ""


def _row(name: str, remark: str, cells: list[str]) -> str:
    """A row that names something, with a remark on it, and has numbers, which are HTML already."""
    title = text(name, TOOLTIP_LENGTH)
    named = text(name, NAME_LENGTH)
    if remark:
        named += f' <em class="f-type">{text(remark, NAME_LENGTH)}</em>'
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><td{_LEFT} title="{title}">{named}</td>{numbers}</tr>'


def _table(first: str, titles: list[str] | tuple[str, ...], rows: str) -> str:
    """A table; its first column is on the left where it names something."""
    left = "" if first == "FLOPs" else _LEFT
    others = "".join(
        f"<th{_LEFT}>{title}</th>" if title in ("share", "source") else f"<th>{title}</th>"
        for title in titles
    )
    return (
        f"<table><thead><tr><th{left}>{first}</th>{others}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
