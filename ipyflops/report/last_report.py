"""What outlives a magic: the report of the last one."""

from __future__ import annotations

from ipyflops.report.report import Report


class LastReport:
    """Holds the report of the last magic of this process.

    Attributes
    ----------
    report : Report or None
        None before the first magic, and after `forget`.
    """

    def __init__(self) -> None:
        self.report: Report | None = None

    def remember(self, report: Report) -> None:
        """Make a report the last one; one of no operator takes the place of none before it."""
        if report.rows or self.report is None:
            self.report = report

    def forget(self) -> None:
        """Go back to how it is before the first magic."""
        self.report = None


#: The one of this process.
LAST_REPORT = LastReport()


def last() -> Report | None:
    """Return the report of the last ``%flops`` or ``%%flops``; None before the first.

    This includes runs that failed or were interrupted; their report says so. A run without
    operators does not replace the run before it.
    """
    return LAST_REPORT.report
