"""Numbers that count the arithmetic done with them: the oracle of the formulas.

A textbook loop written with these numbers gives the right result *and* the number of operations
that it took.

    with tally() as count:
        loop(numbers(tensor))
    count.flops
"""

import cmath
import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any


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


def _did(real: int, complex_: int, *values: Any) -> None:
    for count in _open:
        if any(isinstance(value, complex) for value in values):
            count.flops += complex_
        elif all(isinstance(value, int) for value in values):
            count.integer += real
        else:
            count.flops += real


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Number) else x


class Number:
    """A real, complex or integer number; integers among themselves count as integer operations."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value_of(value)

    def _binary(
        self, other: Any, real: int, complex_: int, operation: Callable[[Any, Any], Any]
    ) -> "Number":
        _did(real, complex_, self.value, value_of(other))
        return Number(operation(self.value, value_of(other)))

    def __add__(self, other: Any) -> "Number":
        return self._binary(other, 1, 2, lambda a, b: a + b)

    def __radd__(self, other: Any) -> "Number":
        return self._binary(other, 1, 2, lambda a, b: b + a)

    def __sub__(self, other: Any) -> "Number":
        return self._binary(other, 1, 2, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> "Number":
        return self._binary(other, 1, 2, lambda a, b: b - a)

    def __mul__(self, other: Any) -> "Number":
        return self._binary(other, 1, 6, lambda a, b: a * b)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Number":
        return self._binary(other, 1, 11, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> "Number":
        return self._binary(other, 1, 11, lambda a, b: b / a)

    def __mod__(self, other: Any) -> "Number":
        return self._binary(other, 1, 1, lambda a, b: a % b)

    def __neg__(self) -> "Number":
        _did(1, 2, self.value)
        return Number(-self.value)

    def __abs__(self) -> "Number":
        _did(1, 4, self.value)
        return Number(abs(self.value))

    def __lt__(self, other: Any) -> bool:
        _did(1, 1, self.value, value_of(other))
        return bool(self.value < value_of(other))

    def __le__(self, other: Any) -> bool:
        _did(1, 1, self.value, value_of(other))
        return bool(self.value <= value_of(other))

    def __gt__(self, other: Any) -> bool:
        _did(1, 1, self.value, value_of(other))
        return bool(self.value > value_of(other))

    def __ge__(self, other: Any) -> bool:
        _did(1, 1, self.value, value_of(other))
        return bool(self.value >= value_of(other))

    def function(self, real: Callable[[float], float], operations: int = 1) -> "Number":
        """An elementary function of a real number."""
        _did(operations, operations, float(self.value))
        return Number(real(self.value))


def sqrt(x: Number) -> Number:
    return x.function(lambda value: math.sqrt(value))


def exp(x: Number) -> Number:
    return x.function(math.exp)


def floor(x: Number) -> Number:
    return x.function(lambda value: float(math.floor(value)))


def round_(x: Number) -> Number:
    """Round half to even, as the kernels do."""
    return x.function(lambda value: float(round(value)))


def maximum(a: Number, b: Any) -> Number:
    return a if a >= b else Number(b)


def minimum(a: Number, b: Any) -> Number:
    return a if a <= b else Number(b)


def root_of_unity(numerator: int, denominator: int) -> complex:
    return cmath.exp(-2j * math.pi * numerator / denominator)


def total(numbers_: list[Number]) -> Number:
    """The sum of some numbers: one addition less than there are."""
    result = numbers_[0]
    for number in numbers_[1:]:
        result = result + number
    return result


def dot(a: list[Number], b: list[Number]) -> Number:
    return total([x * y for x, y in zip(a, b, strict=True)])


def numbers(tensor: Any) -> Any:
    """Nested lists of numbers with the values of a tensor."""

    def wrap(value: Any) -> Any:
        return [wrap(item) for item in value] if isinstance(value, list) else Number(value)

    return wrap(tensor.tolist())


def plain(value: Any) -> Any:
    """The plain values of nested lists of numbers."""
    return [plain(item) for item in value] if isinstance(value, list) else value_of(value)
