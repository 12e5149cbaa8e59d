"""A report by operator and by source line, as rows; what does not fit is one row at the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ipyflops.tables import Totals
from ipyflops.views.fold import add
from ipyflops.views.visible import source_line, visible

if TYPE_CHECKING:
    from ipyflops.report import Report


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """An operator; its texts are safe to print.

    Attributes
    ----------
    name : str
    verdict : {"formula", "free", "unknown", "partly unknown", ""}
        What is known about its calls; empty for the row of those left out.
    totals : Totals
    """

    name: str
    verdict: Literal["formula", "free", "unknown", "partly unknown", ""]
    totals: Totals


@dataclass(frozen=True, slots=True)
class LineRow:
    """A source line; its texts are safe to print.

    Attributes
    ----------
    file : str
        Empty for what belongs to no known line, and for the row of those left out.
    number : int
    text : str
        The source, or what the row is.
    totals : Totals
    """

    file: str
    number: int
    text: str
    totals: Totals


def operator_rows(report: Report, most: int) -> list[OperatorRow]:
    """At most so many rows: the most FLOPs first, then the unknown, then by kernel time."""
    verdicts: dict[str, set[str]] = defaultdict(set)
    for row in report.rows:
        signature = report.signatures[row.signature]
        verdicts[signature.operator].add(signature.verdict)
    rows = [
        OperatorRow(visible(name), _verdict(verdicts[name]), totals)
        for name, totals in report.by_operator.items()
    ]
    rows.sort(
        key=lambda row: (-row.totals.flops, "unknown" not in row.verdict, -row.totals.seconds)
    )
    if len(rows) <= most:
        return rows
    rest = rows[most - 1 :]
    more = OperatorRow(f"{len(rest):,} more", "", add(row.totals for row in rest))
    return [*rows[: most - 1], more]


def _verdict(verdicts: set[str]) -> Literal["formula", "free", "unknown", "partly unknown"]:
    if "unknown" in verdicts:
        return "unknown" if len(verdicts) == 1 else "partly unknown"
    return "formula" if "formula" in verdicts else "free"


def line_rows(report: Report, most: int) -> list[LineRow]:
    """At most so many rows, file by file in the order of the lines; the least are left out."""
    lines = {line.name: line for line in report.lines}
    rows = []
    elsewhere = []
    for name, totals in report.by_line.items():
        line = lines.get(name)
        if line is None:
            elsewhere.append(LineRow("", 0, name, totals))
        else:
            text = source_line(line.text) or "(no source)"
            rows.append(LineRow(visible(line.file), line.number, text, totals))
    if len(rows) + len(elsewhere) <= most:
        return _dedented(rows) + elsewhere
    largest = sorted(rows, key=lambda row: -row.totals.flops)[: most - 1 - len(elsewhere)]
    chosen = {id(row) for row in largest}
    rest = [row for row in rows if id(row) not in chosen]
    more = LineRow("", 0, f"{len(rest):,} more lines", add(row.totals for row in rest))
    return _dedented([row for row in rows if id(row) in chosen]) + elsewhere + [more]


def _dedented(rows: list[LineRow]) -> list[LineRow]:
    """The same lines without the indentation that all lines of their file share."""
    indentation: dict[str, int] = {}
    for row in rows:
        own = len(row.text) - len(row.text.lstrip(" "))
        indentation[row.file] = min(own, indentation.get(row.file, own))
    return [replace(row, text=row.text[indentation[row.file] :]) for row in rows]
