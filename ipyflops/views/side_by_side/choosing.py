"""Which titled table, and which numbers, each kind of result is shown as."""

from __future__ import annotations

from typing import Any

from ipyflops.report import Estimate, Estimates, ShownAsTable, SweepEstimate
from ipyflops.views.side_by_side import estimates
from ipyflops.views.side_by_side.titled import TitledTable


def titled_table(result: ShownAsTable) -> TitledTable:
    """Give the table of a result."""
    if isinstance(result, Estimate):
        return estimates.estimate_table(result)
    if isinstance(result, Estimates):
        return estimates.estimates_table(result)
    assert isinstance(result, SweepEstimate)
    return estimates.sweep_table(result)


def records(result: ShownAsTable) -> list[dict[str, Any]]:
    """Give the rows of a result's data frame."""
    return estimates.records(result)
