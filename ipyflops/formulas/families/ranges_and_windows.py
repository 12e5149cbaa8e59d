"""Tensors that are filled by a rule: ranges and windows.

The whole numbers 0, 1, 2 … are free; what is made of them is not. In the expressions n is the
number of elements.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.per_element import PerElement, enter_table
from ipyflops.formulas.registry import formula


def _not(value: object, neutral: int) -> bool:
    """Whether a scalar needs an operation. One in a tensor does: its value is not read."""
    return isinstance(value, Tensor) or value != neutral


@formula("aten::arange", "aten::range")
def arange(call: Call) -> Cost:
    """Numbers start + i·step: a product where step is not 1, a sum where start is not 0."""
    each = _not(call.get("start", 0), 0) + _not(call.get("step", 1), 1)
    return Cost.of(other=times(each), n=first_output(call).numel())


@formula("aten::linspace")
def linspace(call: Call) -> Cost:
    """Numbers start + i·step: a product and a sum."""
    return Cost.of(other="2·n", n=first_output(call).numel())


@formula("aten::logspace")
def logspace(call: Call) -> Cost:
    """Numbers base^(start + i·step): a product, a sum, a power."""
    return Cost.of(other="3·n", n=first_output(call).numel())


_WINDOWS = {
    "bartlett_window": PerElement(
        2, None, "i·2/(n − 1), and 2 − that in the second half: a product, 2 operations for half."
    ),
    "hann_window": PerElement(4, None, "½ − ½·cos(i·2π/(n − 1)): 2 products, a cosine, a sum."),
    "hamming_window": PerElement(4, None, "a − b·cos(i·2π/(n − 1)): 2 products, a cosine, a sum."),
    "blackman_window": PerElement(
        9,
        None,
        "0.42 − ½·cos(2·x) + 0.08·cos(4·x), x = i·π/(n − 1): 5 products, 2 cosines, 2 sums.",
    ),
    "kaiser_window": PerElement(
        9,
        None,
        "I0(β·√(1 − x²))/I0(β), x = i·2/(n − 1) − 1: 3 products, 2 differences, a maximum with 0, "
        "a root, I0, a division.",
    ),
}

enter_table(_WINDOWS, __name__)
