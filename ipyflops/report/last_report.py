"""What outlives a magic: the report of the last one."""

from __future__ import annotations

from ipyflops.report.report import Report

_last: Report | None = None


def last() -> Report | None:
    """Give the report of the last ``%flops`` or ``%%flops``; None before the first.

    A run that failed or was interrupted counts as well: its report says so.
    """
    return _last


def remember(report: Report) -> None:
    """Make a report the last one."""
    global _last
    _last = report
