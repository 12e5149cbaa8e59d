"""A report by operator, as rows; what does not fit is one row at the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from ipyflops.costs import Totals, add_totals
from ipyflops.report import FREE, Report
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.visible import visible


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
    more = OperatorRow(more_name(len(rest)), "", add_totals(row.totals for row in rest))
    return [*rows[: most - 1], more]


#: What is said of verdicts beside an operator's name; nothing where it has a formula.
WORDS = {"formula": "", "free": FREE}


def _verdict(verdicts: set[str]) -> Literal["formula", "free", "unknown", "partly unknown"]:
    if "unknown" in verdicts:
        return "unknown" if len(verdicts) == 1 else "partly unknown"
    return "formula" if "formula" in verdicts else "free"
