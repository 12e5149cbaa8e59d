"""What an activation costs that is fused into another operator: as much as by itself.

The operators themselves are described in their own family; the tests hold these numbers against
what that family says.
"""

from __future__ import annotations

#: One comparison.
RELU = 1
#: The article's price.
SIGMOID = 4
#: The article's price.
TANH = 5
#: x·sigmoid(x): a sigmoid and a product.
SILU = SIGMOID + 1
#: 0.5·x·(1 + erf(x/√2)): three products, erf, a sum.
GELU = 5
#: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): a cube of 2, four products, two sums, tanh.
GELU_TANH = 2 + 4 + 2 + TANH
#: x·min(max(x + 3, 0), 6)/6: a sum, two comparisons, a product, a division.
HARDSWISH = 5
#: min(max(x, low), high): two comparisons.
HARDTANH = 2
#: x or slope·x: a comparison and a product.
LEAKY_RELU = 2
#: min(max(x + 3, 0), 6)/6.
HARDSIGMOID = 4

_BY_NAME = {
    "none": 0,
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "swish": SILU,
    "silu": SILU,
    "hardswish": HARDSWISH,
    "hardtanh": HARDTANH,
    "leaky_relu": LEAKY_RELU,
    "hardsigmoid": HARDSIGMOID,
}


def fused(name: str | None, algorithm: str | None = None) -> int:
    """Cost for each element of an activation by the name that oneDNN's fused operators give it.

    Parameters
    ----------
    name : str or None
        Such as ``relu``; None and ``none`` are no activation.
    algorithm : str or None
        ``tanh`` or ``none``, which GELU it is.

    Returns
    -------
    int
        For a name that is not known, 1: a function of the mathematics library.
    """
    if name is None:
        return 0
    if name == "gelu":
        return GELU_TANH if algorithm == "tanh" else GELU
    return _BY_NAME.get(name, 1)
