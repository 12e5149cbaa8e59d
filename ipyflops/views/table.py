"""A report as a pandas data frame; pandas is an optional dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipyflops import conventions

if TYPE_CHECKING:
    import pandas

    from ipyflops.report import Report

COLUMNS = (
    "path",
    "type",
    "kind",
    "line",
    "phase",
    "operator",
    "dtype",
    "shapes",
    "verdict",
    "calls",
    "flops",
    "macs",
    "int_ops",
    "bytes",
    "seconds",
)


def to_frame(report: Report) -> pandas.DataFrame:
    """Give a data frame with a row for each scope, line, phase and signature.

    Parameters
    ----------
    report : Report

    Returns
    -------
    pandas.DataFrame
        Its numeric columns add up to the report's totals.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("Report.to_frame needs pandas: pip install ipyflops[pandas]") from error
    paths = {node.scope: node.path for node in report.walk()}
    return pandas.DataFrame(_records(report, paths), columns=list(COLUMNS))


def _records(report: Report, paths: dict[int, str]) -> list[tuple[Any, ...]]:
    records = []
    for row in report.rows:
        scope, signature = report.scopes[row.scope], report.signatures[row.signature]
        times = 1 if signature.summed else row.calls
        records.append(
            (
                paths[row.scope],
                scope.type,
                scope.kind,
                report.line_name(row.line),
                row.phase,
                signature.operator,
                signature.dtype,
                signature.shapes,
                signature.verdict,
                row.calls,
                conventions.flops(signature.cost, report.convention) * times,
                signature.cost.macs * times,
                signature.cost.integer.value * times,
                signature.bytes * times,
                row.nanoseconds / 1e9,
            )
        )
    return records
