"""Arithmetic that counts itself: an oracle that knows nothing of the formulas.

A test writes an operator out with `Number` (and `Complex`), element by element; the values must
come out as PyTorch's do, and the operations counted on the way must be what the formula says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

#: The article's prices; every other function is one operation.
PRICES = {"tanh": 5, "sigmoid": 4}
_count = 0


def count(function: Callable[[], Any]) -> tuple[Any, int]:
    """What a function gives, and how many operations it took."""
    global _count
    before = _count
    result = function()
    return result, _count - before


def _step(operations: int = 1) -> None:
    global _count
    _count += operations


class Number:
    """A real number whose arithmetic is counted; a comparison counts and gives a plain bool."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __add__(self, other: Any) -> Number:
        _step()
        return Number(self.value + plain(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Number:
        _step()
        return Number(self.value - plain(other))

    def __rsub__(self, other: Any) -> Number:
        _step()
        return Number(plain(other) - self.value)

    def __mul__(self, other: Any) -> Number:
        _step()
        return Number(self.value * plain(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Number:
        _step()
        return Number(self.value / plain(other))

    def __rtruediv__(self, other: Any) -> Number:
        _step()
        return Number(plain(other) / self.value)

    def __neg__(self) -> Number:
        _step()
        return Number(-self.value)

    def __abs__(self) -> Number:
        _step()
        return Number(abs(self.value))

    def __lt__(self, other: Any) -> bool:
        _step()
        return self.value < plain(other)

    def __gt__(self, other: Any) -> bool:
        _step()
        return self.value > plain(other)

    def __le__(self, other: Any) -> bool:
        _step()
        return self.value <= plain(other)

    def __ge__(self, other: Any) -> bool:
        _step()
        return self.value >= plain(other)

    def __eq__(self, other: object) -> bool:
        _step()
        return self.value == plain(other)

    def __ne__(self, other: object) -> bool:
        _step()
        return self.value != plain(other)

    __hash__ = None  # type: ignore[assignment]


def plain(value: Any) -> float:
    return value.value if isinstance(value, Number) else value


class Complex:
    """A complex number made of two that count."""

    __slots__ = ("im", "re")

    def __init__(self, re: Number, im: Number) -> None:
        self.re, self.im = re, im

    def __add__(self, other: Complex) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def __sub__(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    def __neg__(self) -> Complex:
        return Complex(-self.re, -self.im)

    def __mul__(self, other: Complex) -> Complex:
        return Complex(
            self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re
        )

    def __truediv__(self, other: Complex) -> Complex:
        size = other.re * other.re + other.im * other.im
        re = self.re * other.re + self.im * other.im
        im = self.im * other.re - self.re * other.im
        return Complex(re / size, im / size)

    def __abs__(self) -> Number:
        return f.sqrt(self.re * self.re + self.im * self.im)

    def conj(self) -> Complex:
        return Complex(self.re, -self.im)


class _Functions:
    """Functions of one or two numbers, as ``f.exp(x)``: one operation, or the article's price."""

    def __getattr__(self, name: str) -> Callable[..., Number]:
        def call(*arguments: Any) -> Number:
            _step(PRICES.get(name, 1))
            values = [plain(argument) for argument in arguments]
            function = _MATH.get(name)
            if function is not None:
                return Number(function(*values))
            tensors = [torch.tensor(value, dtype=torch.float64) for value in values]
            owner = torch if hasattr(torch, name) else torch.special
            return Number(float(getattr(owner, name)(*tensors)))

        return call


_MATH: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
    "log1p": math.log1p,
    "max": max,
    "min": min,
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
}
f: Any = _Functions()


def choose(condition: bool, yes: Number, no: Number) -> Number:
    """One of two values; the choice itself is free."""
    return yes if condition else no


def total(values: Iterable[Any]) -> Any:
    """The sum of at least one value, by one addition less than there are values."""
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def mean(values: Sequence[Number]) -> Number:
    return total(values) / len(values)


def maximum(values: Iterable[Number]) -> Number:
    first, *rest = values
    for value in rest:
        first = f.max(first, value)
    return first


def numbers(tensor: torch.Tensor) -> Any:
    """Nested lists of counting numbers, in the shape of a tensor."""
    if tensor.dim():
        return [numbers(part) for part in tensor]
    if tensor.is_complex():
        value = complex(tensor.item())
        return Complex(Number(value.real), Number(value.imag))
    return Number(tensor.item())


def values(nested: Any) -> torch.Tensor:
    """The tensor that nested lists of counting numbers stand for."""
    return torch.tensor(_values(nested), dtype=_dtype(nested))


def _values(nested: Any) -> Any:
    if isinstance(nested, (list, tuple)):
        return [_values(part) for part in nested]
    if isinstance(nested, Complex):
        return complex(nested.re.value, nested.im.value)
    return plain(nested)


def _dtype(nested: Any) -> torch.dtype:
    while isinstance(nested, (list, tuple)):
        nested = nested[0]
    return torch.complex128 if isinstance(nested, Complex) else torch.float64


def elementwise(scalar: Callable[..., Any], *tensors: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Do the same to all elements of tensors that are broadcast: the result, and the operations."""
    together = torch.broadcast_tensors(*tensors)
    rows = zip(*(tensor.reshape(-1) for tensor in together), strict=True)
    result, operations = count(lambda: [scalar(*map(numbers, row)) for row in rows])
    return values(result).reshape(together[0].shape), operations
