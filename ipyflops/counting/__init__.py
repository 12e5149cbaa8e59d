"""What ran, how often, and for how long?

The dispatch mode that sees every operator (`FlopCounter`), the sums it keeps, its clock, and the
report that is made of them. The words, each for one thing:

operator
    What PyTorch dispatches, such as ``aten::addmm``. It has a verdict: a formula, free, or unknown.
call
    One run of an operator. Its key (`call_keys`) tells apart calls that may cost differently.
entry (`Entry`)
    What is kept of all calls with one key at one location: how many, and how long they took.
signature
    What a report says of such calls: operator, shapes, dtype, cost, bytes.
block
    The ``with`` statement of a counter. Threads that start in it are stepped into.
decompose
    To run the operators that an operator is made of, so that they are counted in its place.
unwrap
    What a tensor that wraps another does when an operator is called on it.
"""

from __future__ import annotations

from ipyflops.counting.accelerators import (
    accelerator_built_for,
    accelerator_in_use,
    module_of,
    wait_for,
)
from ipyflops.counting.counter import FlopCounter
from ipyflops.counting.process import reset
from ipyflops.counting.progress import Progress

__all__ = [
    "FlopCounter",
    "Progress",
    "accelerator_built_for",
    "accelerator_in_use",
    "module_of",
    "reset",
    "wait_for",
]
