"""A report as HTML: one fragment that needs nothing else and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ipyflops.costs import Totals
from ipyflops.report import Report
from ipyflops.units import percent
from ipyflops.views.html.chart import MAX_BARS, chart
from ipyflops.views.html.fitting import ROOM, Section, fitted, left_out, size
from ipyflops.views.html.icicle import LEVELS, icicle
from ipyflops.views.html.memory import MAX_HOLDERS, memory_html
from ipyflops.views.html.parts import (
    NOTHING,
    Html,
    Title,
    bar,
    cell,
    fragment,
    headline_html,
    joined,
    legend,
    section,
    source,
    table,
    table_row,
    tag,
    text,
)
from ipyflops.views.html.ranks import MAX_ROWS as MAX_RANKS
from ipyflops.views.html.ranks import collective_html, rank_html
from ipyflops.views.html.tree import MAX_ROWS, tree
from ipyflops.views.requests import By, check_by
from ipyflops.views.rows.columns import HTML, Column
from ipyflops.views.rows.columns import columns as number_columns
from ipyflops.views.rows.headline import headline
from ipyflops.views.rows.lines import LineRow, line_rows
from ipyflops.views.rows.operators import WORDS, OperatorRow, operator_rows
from ipyflops.views.rows.tree import phase_shares

#: Rows of a list, whose last sums up what is left out.
LIST_ROWS = 500
#: Longer names are cut in the middle; the tooltip has more of them.
NAME_LENGTH = 52
SOURCE_LENGTH = 300


def to_html(
    report: Report,
    *,
    by: str = "modules",
    depth: int | None = None,
    per: tuple[int, str] | None = None,
    columns: Sequence[str] = (),
    room: int | None = ROOM,
) -> Html:
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
    columns : sequence of str
        Keys of metrics that the tables show besides, as ``time_share``; ``shapes`` and ``params``
        are several.
    room : int or None
        So many bytes it has in a notebook's file; where that is less than all rows take, the rest
        is named. None where nothing limits it.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If `by` is something else, or there is no such column.
    """
    by = check_by(by)
    parts = [headline_html(headline(report, per=per))]
    if report.totals.calls:
        parts.append(_phases(report))
        sections = list(_sections(report, by, depth, columns))
        empty = fragment([*parts, *(section(one.title, NOTHING, is_open=True) for one in sections)])
        parts += fitted(sections, None if room is None else room - size(empty))
    return fragment(parts)


def _sections(report: Report, by: By, depth: int | None, extra: Sequence[str]) -> Iterator[Section]:
    """What can be opened, from top to bottom."""
    if len(report.ranks) > 1:
        yield Section("By rank", partial(rank_html, report), MAX_RANKS, is_open=True)
    if report.by_collective:
        yield Section("Communication", partial(collective_html, report), MAX_RANKS, is_open=False)
    modules = partial(tree, report, depth, extra)
    yield Section("By module", modules, MAX_ROWS, is_open=by == "modules")
    if report.memory is not None:
        yield Section("Memory", partial(memory_html, report), MAX_HOLDERS, is_open=True)
    yield Section("Chart", partial(chart, report), MAX_BARS, is_open=False)
    yield Section("Icicle", partial(icicle, report), LEVELS, is_open=False)
    operators, lines = partial(_operators, report, extra), partial(_lines, report, extra)
    yield Section("By operator", operators, LIST_ROWS, is_open=by == "operators")
    yield Section("By source line", lines, LIST_ROWS, is_open=by == "lines")


def _phases(report: Report) -> Html:
    """What the colours of the bars mean, where there are several."""
    shares = phase_shares(report)
    if not shares:
        return NOTHING
    return legend((phase, f"{phase} {percent(share)}") for phase, share in shares.items())


def _operators(report: Report, extra: Sequence[str], most: int) -> Html:
    rows = operator_rows(report, most)
    shown = number_columns(report, HTML["operators"], [row.totals for row in rows], extra=extra)
    body = (
        table_row([_name(row), *_cells(report, shown, index, row.totals)])
        for index, row in enumerate(rows)
    )
    operators = table([Title("operator", left=True), *map(_title, shown)], body)
    hidden = len(report.by_operator) - len(rows)
    return joined([operators, left_out(hidden and hidden + 1, "operators", "to_frame()")])


def _name(row: OperatorRow) -> Html:
    """The cell that names an operator, with what is known about it."""
    named = [text(row.name, NAME_LENGTH)]
    said = WORDS.get(row.verdict, row.verdict)
    if said:
        named += [text(" "), tag("em", text(said), class_="f-type")]
    return cell(joined(named), left=True, tip=row.name)


def _lines(report: Report, extra: Sequence[str], most: int) -> Html:
    """Heat bars beside the source lines, under the name of what they are of."""
    rows = line_rows(report, most)
    shown = number_columns(report, HTML["lines"], [row.totals for row in rows], extra=extra)
    body = []
    part = ""
    for index, row in enumerate(rows):
        if row.part and row.part != part:
            name = tag("strong", text(row.part))
            body.append(table_row([cell(name, left=True, span=len(shown) + 2)]))
        part = row.part
        numbers = _cells(report, shown, index, row.totals, heat=True)
        number = cell(text(str(row.number or "")))
        body.append(table_row([*numbers, number, cell(_source(row), left=True)]))
    lines = table([*map(_title, shown), Title("line"), Title("source", left=True)], body)
    hidden = left_out(sum(row.hidden for row in rows), "lines", "to_frame(lines=True)")
    return joined([lines, hidden])


def _source(row: LineRow) -> Html:
    if row.part:
        return tag("code", source(row.text, SOURCE_LENGTH))
    return tag("em", text(row.text))


def _title(column: Column) -> Title:
    return Title(column.metric.title, left=column.metric.key == "share")


def _cells(
    report: Report,
    shown: Sequence[Column],
    index: int,
    totals: Totals | None,
    *,
    heat: bool = False,
) -> list[Html]:
    """The numbers of a row; the share as a bar as well."""
    cells = []
    for column in shown:
        inside = text(column.texts[index])
        if column.metric.key == "share":
            inside = _share(report, totals, inside, heat=heat)
        cells.append(cell(inside))
    return cells


def _share(report: Report, totals: Totals | None, share: Html, *, heat: bool) -> Html:
    if not report.flops or totals is None:
        return NOTHING
    kind = "f-share f-heat" if heat else "f-share"
    return tag("span", bar(report.flops, totals), tag("span", share), class_=kind)
