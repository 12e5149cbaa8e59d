"""What is a FLOP, and what else is measured?

The cost of one call of an operator, the expressions it is written in, the conventions under which
it is read, and the metrics that reports show. Other folders import only from here.
"""

from __future__ import annotations

from ipyflops.costs import conventions
from ipyflops.costs.choices import check_choice, choose_one_of
from ipyflops.costs.conventions import CONVENTIONS, Convention, within_layer
from ipyflops.costs.cost import ZERO_COST, ZERO_COUNT, Cost, CostSum, Count
from ipyflops.costs.expressions import evaluate, substitute
from ipyflops.costs.metric import Metric
from ipyflops.costs.metrics import METRICS, OF_CALL
from ipyflops.costs.printable_text import printable, with_printable_repr
from ipyflops.costs.totals import (
    COUNTED,
    MEASURED,
    SUMMED,
    Totals,
    add_totals,
    subtract_totals,
    without_times,
)

__all__ = [
    "CONVENTIONS",
    "COUNTED",
    "MEASURED",
    "METRICS",
    "OF_CALL",
    "SUMMED",
    "ZERO_COST",
    "ZERO_COUNT",
    "Convention",
    "Cost",
    "CostSum",
    "Count",
    "Metric",
    "Totals",
    "add_totals",
    "check_choice",
    "choose_one_of",
    "conventions",
    "evaluate",
    "printable",
    "substitute",
    "subtract_totals",
    "with_printable_repr",
    "within_layer",
    "without_times",
]
