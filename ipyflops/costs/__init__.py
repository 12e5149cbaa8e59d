"""What is a FLOP, and what else is measured?

The cost of one call of an operator, the expressions it is written in, the conventions under which
it is read, and the metrics that reports show. Other folders import only from here.
"""

from __future__ import annotations

from ipyflops.costs import conventions
from ipyflops.costs.conventions import CONVENTIONS, Convention, within_layer
from ipyflops.costs.cost import ZERO_COST, ZERO_COUNT, Cost, CostSum, Count
from ipyflops.costs.expressions import evaluate, substitute

__all__ = [
    "CONVENTIONS",
    "ZERO_COST",
    "ZERO_COUNT",
    "Convention",
    "Cost",
    "CostSum",
    "Count",
    "conventions",
    "evaluate",
    "substitute",
    "within_layer",
]
