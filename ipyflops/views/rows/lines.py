"""A report by source line, as rows: the counted code and methods of modules, with what ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ipyflops.costs import Totals, add_totals
from ipyflops.report import Excerpt, Report, Row, TotalsSum
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.visible import source_line, visible


@dataclass(frozen=True, slots=True)
class LineRow:
    """A source line; its texts are safe to print.

    Attributes
    ----------
    part : str
        What it is a line of, as ``In[5]`` or ``Block.forward (model.py)``; empty for what belongs
        to no known line, and for the row of those left out.
    number : int
    text : str
        The source, or what the row is.
    totals : Totals or None
        None where no operator ran.
    hidden : int
        How many lines the row stands for that are left out.
    """

    part: str
    number: int
    text: str
    totals: Totals | None
    hidden: int = 0


def line_rows(report: Report, most: int) -> list[LineRow]:
    """At most so many rows, part by part in the order of the lines.

    Lines that ran nothing are there if there is room for all of them; where there is none for what
    ran, the least of it is left out.
    """
    rows, elsewhere = _counted(report)
    for excerpt in report.excerpts:
        if excerpt.name:
            rows += _method(report, excerpt)
    if len(rows) + len(elsewhere) > most:
        rows = [row for row in rows if row.totals is not None]
    if len(rows) + len(elsewhere) <= most:
        return _dedented(rows) + elsewhere
    left = max(0, most - 1 - len(elsewhere))
    largest = sorted(rows, key=lambda row: -_flops(row))[:left]
    chosen = {id(row) for row in largest}
    rest = [row for row in rows if id(row) not in chosen]
    more = LineRow(
        "",
        0,
        more_name(len(rest), "more lines"),
        add_totals(row.totals for row in rest if row.totals),
        hidden=len(rest),
    )
    return _dedented([row for row in rows if id(row) in chosen]) + elsewhere + [more]


def _flops(row: LineRow) -> int:
    return row.totals.flops if row.totals is not None else 0


def _counted(report: Report) -> tuple[list[LineRow], list[LineRow]]:
    """The lines of the counted code, and what ran on no known line."""
    lines = {line.name: line for line in report.lines}
    rows: dict[tuple[str, int], LineRow] = {}
    elsewhere = []
    for name, totals in report.by_line.items():
        line = lines.get(name)
        if line is None:
            elsewhere.append(LineRow("", 0, name, totals))
        else:
            rows[line.file, line.number] = _row(visible(line.file), line.number, line.text, totals)
    for excerpt in report.excerpts:
        if not excerpt.name:
            for number, text in enumerate(excerpt.lines, excerpt.first):
                ran = rows.get((excerpt.file, number))
                # The excerpt has the line as it was typed.
                totals_or_none = ran.totals if ran is not None else None
                rows[excerpt.file, number] = _row(
                    visible(excerpt.file), number, text, totals_or_none
                )
    return [rows[key] for key in sorted(rows)], elsewhere


def _method(report: Report, excerpt: Excerpt) -> list[LineRow]:
    part = f"{visible(excerpt.name)} ({visible(excerpt.file)})"
    totals = _totals(report, excerpt)
    return [
        _row(part, number, text, totals.get(number))
        for number, text in enumerate(excerpt.lines, excerpt.first)
    ]


def _totals(report: Report, excerpt: Excerpt) -> Mapping[int, Totals]:
    """What ran on each line of a method."""
    sums: dict[int, TotalsSum] = {}
    for one in excerpt.counts:
        row = Row(0, -1, one.phase, one.signature, one.calls, one.nanoseconds)
        sums.setdefault(one.number, TotalsSum()).add(report.accumulate([row]))
    return {number: total.totals() for number, total in sums.items()}


def _row(part: str, number: int, text: str, totals: Totals | None) -> LineRow:
    shown = source_line(text)
    if not shown and totals is not None:
        shown = "(no source)"
    return LineRow(part, number, shown, totals)


def _dedented(rows: Iterable[LineRow]) -> list[LineRow]:
    """The same lines without the indentation that all lines of their part share."""
    rows = list(rows)
    indentation: dict[str, int] = {}
    for row in rows:
        if row.text:
            own = len(row.text) - len(row.text.lstrip(" "))
            indentation[row.part] = min(own, indentation.get(row.part, own))
    return [replace(row, text=row.text[indentation.get(row.part, 0) :]) for row in rows]
