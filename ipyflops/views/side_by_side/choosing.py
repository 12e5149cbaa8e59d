"""Which titled table, and which numbers, each kind of result is shown as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyflops.report import (
    Comparison,
    Estimate,
    Estimates,
    RuleComparison,
    ShownAsTable,
    SweepEstimate,
)
from ipyflops.views.side_by_side.comparison import (
    comparison_records,
    comparison_table,
    rule_records,
    rules_table,
)
from ipyflops.views.side_by_side.estimates import (
    estimate_table,
    estimates_table,
    records,
    sweep_table,
)
from ipyflops.views.side_by_side.titled import TitledTable

_Row = dict[str, Any]
_KINDS: dict[type, tuple[Callable[[Any], TitledTable], Callable[[Any], list[_Row]]]] = {
    Estimate: (estimate_table, records),
    Estimates: (estimates_table, records),
    SweepEstimate: (sweep_table, records),
    Comparison: (comparison_table, comparison_records),
    RuleComparison: (rules_table, rule_records),
}


def titled_table(result: ShownAsTable) -> TitledTable:
    """Give the table of a result."""
    return _KINDS[type(result)][0](result)


def frame_records(result: ShownAsTable) -> list[_Row]:
    """Give the rows of a result's data frame."""
    return _KINDS[type(result)][1](result)
