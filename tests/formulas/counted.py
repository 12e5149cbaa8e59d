"""Arithmetic that counts itself: an oracle that knows nothing of the formulas.

A test writes an operator out with `Number` (and `Complex`), element by element. The values must
come out as PyTorch's do, and the operations counted on the way must be what the formula says.

    with tally() as count:
        loop(numbers(tensor))
    count.flops
"""

from __future__ import annotations

import cmath
import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

#: The article's prices; every other function is one operation.
PRICES = {"tanh": 5, "sigmoid": 4}


class Tally:
    """Real operations counted so far: those of integer numbers apart."""

    def __init__(self) -> None:
        self.flops = 0
        self.integer = 0


_open: list[Tally] = []


@contextlib.contextmanager
def tally() -> Iterator[Tally]:
    """Count what is done inside the block."""
    count = Tally()
    _open.append(count)
    try:
        yield count
    finally:
        _open.remove(count)


def count(function: Callable[[], Any]) -> tuple[Any, int]:
    """What a function gives, and how many operations it took, integer ones included."""
    with tally() as operations:
        result = function()
    return result, operations.flops + operations.integer


def _did(operations: int, *values: Any) -> None:
    for each in _open:
        if values and all(isinstance(value, int) for value in values):
            each.integer += operations
        else:
            each.flops += operations


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Number) else x


class Number:
    """A real number; integers among themselves count as integer operations.

    A comparison counts and gives a plain bool.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value_of(value)

    def _arithmetic(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, (complex, Complex)):
            return NotImplemented
        other = value_of(other)
        _did(1, self.value, other)
        return Number(operation(self.value, other))

    def _comparison(self, other: Any, operation: Callable[[Any, Any], Any]) -> bool:
        other = value_of(other)
        _did(1, self.value, other)
        return bool(operation(self.value, other))

    def __add__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: b / a)

    def __mod__(self, other: Any) -> Number:
        return self._arithmetic(other, lambda a, b: a % b)

    def __neg__(self) -> Number:
        _did(1, self.value)
        return Number(-self.value)

    def __abs__(self) -> Number:
        _did(1, self.value)
        return Number(abs(self.value))

    def __lt__(self, other: Any) -> bool:
        return self._comparison(other, lambda a, b: a < b)

    def __gt__(self, other: Any) -> bool:
        return self._comparison(other, lambda a, b: a > b)

    def __le__(self, other: Any) -> bool:
        return self._comparison(other, lambda a, b: a <= b)

    def __ge__(self, other: Any) -> bool:
        return self._comparison(other, lambda a, b: a >= b)

    def __eq__(self, other: object) -> bool:
        return self._comparison(other, lambda a, b: a == b)

    def __ne__(self, other: object) -> bool:
        return self._comparison(other, lambda a, b: a != b)

    __hash__ = None  # type: ignore[assignment]


class Complex:
    """A complex number made of two that count."""

    __slots__ = ("im", "re")

    def __init__(self, re: Number, im: Number) -> None:
        self.re, self.im = re, im

    @classmethod
    def of(cls, value: Any) -> Complex:
        """A plain complex number, or one of these as it is."""
        if isinstance(value, Complex):
            return value
        value = complex(value)
        return cls(Number(value.real), Number(value.imag))

    @property
    def value(self) -> complex:
        return complex(self.re.value, self.im.value)

    def __add__(self, other: Any) -> Complex:
        other = Complex.of(other)
        return Complex(self.re + other.re, self.im + other.im)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Complex:
        other = Complex.of(other)
        return Complex(self.re - other.re, self.im - other.im)

    def __neg__(self) -> Complex:
        return Complex(-self.re, -self.im)

    def __mul__(self, other: Any) -> Complex:
        other = Complex.of(other)
        return Complex(
            self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Complex:
        other = Complex.of(other)
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
            _did(PRICES.get(name, 1))
            values = [value_of(argument) for argument in arguments]
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
    "floor": lambda x: float(math.floor(x)),
    "round": lambda x: float(round(x)),  # half to even, as the kernels do
}
f: Any = _Functions()


def choose(condition: bool, yes: Number, no: Number) -> Number:
    """One of two values; the choice itself is free."""
    return yes if condition else no


def larger(a: Number, b: Any) -> Number:
    return a if a >= b else Number(b)


def smaller(a: Number, b: Any) -> Number:
    return a if a <= b else Number(b)


def largest(values: Iterable[Number]) -> Number:
    first, *rest = values
    for value in rest:
        first = f.max(first, value)
    return first


def root_of_unity(numerator: int, denominator: int) -> complex:
    return cmath.exp(-2j * math.pi * numerator / denominator)


def total(values: Iterable[Any]) -> Any:
    """The sum of at least one value, by one addition less than there are values."""
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def mean(values: Sequence[Number]) -> Number:
    return total(values) / len(values)  # type: ignore[no-any-return]


def dot(a: list[Number], b: list[Number]) -> Any:
    return total([x * y for x, y in zip(a, b, strict=True)])


def numbers(tensor: Any) -> Any:
    """Nested lists of counting numbers, in the shape of a tensor."""

    def wrap(value: Any) -> Any:
        if isinstance(value, list):
            return [wrap(item) for item in value]
        return Complex.of(value) if isinstance(value, complex) else Number(value)

    return wrap(tensor.tolist())


def plain(value: Any) -> Any:
    """The plain values of nested lists of counting numbers."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.value if isinstance(value, (Number, Complex)) else value


def values(nested: Any) -> torch.Tensor:
    """The tensor that nested lists of counting numbers stand for."""
    return torch.tensor(plain(nested), dtype=_dtype(nested))


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
