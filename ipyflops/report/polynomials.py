"""Polynomials in sizes: through given counts, evaluated, and written.

Divided differences in rational arithmetic, one variable after the other, make no rounding errors,
however large the counts are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, TypeAlias

from ipyflops.costs import with_printable_repr
from ipyflops.units import scaled

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

#: A growth of a higher degree has no name.
MAX_DEGREE = 6
#: A power, and whether it is multiplied by the logarithm to base 2.
Factor: TypeAlias = tuple[int, bool]
Basis: TypeAlias = Literal["powers", "logarithm"]


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Variable:
    """A size that was varied.

    Attributes
    ----------
    name : str
    values : tuple of int
        In rising order, each once.
    """

    name: str
    values: tuple[int, ...]


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Term:
    """A part of a polynomial: its coefficient and, for each variable, its factor.

    Attributes
    ----------
    coefficient : Fraction
    factors : tuple of Factor
        For each variable, its power and whether its binary logarithm is a factor too.
    """

    coefficient: Fraction
    factors: tuple[Factor, ...]

    def value(self, point: Sequence[int]) -> Fraction:
        """Return the value at a point.

        Raises
        ------
        ValueError
            If it has a logarithm, and the point's value is no power of two.
        """
        value = self.coefficient
        for size, (power, logarithm) in zip(point, self.factors, strict=True):
            value *= Fraction(size) ** power
            if logarithm:
                value *= _binary_logarithm(size)
        return value


def terms_through(
    variables: Sequence[Variable], counts: Sequence[int], bases: Sequence[Basis]
) -> tuple[Term, ...] | None:
    """The terms through all counts, the fastest growth first; None where a basis has none."""
    # Coefficients by the factors of the variables done so far, at each point of the others.
    fitted: dict[tuple[Factor, ...], list[Fraction]] = {(): [Fraction(count) for count in counts]}
    for variable, basis in zip(variables, bases, strict=True):
        after: dict[tuple[Factor, ...], list[Fraction]] = {}
        for factors, values in fitted.items():
            size = len(values) // len(variable.values)
            for rest in range(size):
                line = values[rest::size]
                coefficients = _line(variable.values, line, basis)
                if coefficients is None:
                    return None
                for factor, coefficient in coefficients.items():
                    column = after.setdefault((*factors, factor), [Fraction(0)] * size)
                    column[rest] = coefficient
        fitted = after
    terms = [
        Term(coefficient, factors) for factors, (coefficient,) in fitted.items() if coefficient
    ]
    return tuple(sorted(terms, key=_order))


def _order(term: Term) -> tuple[int, list[tuple[int, bool]]]:
    degree = sum(power for power, _ in term.factors)
    return -degree, [(-power, not logarithm) for power, logarithm in reversed(term.factors)]


def _line(
    sizes: Sequence[int], values: Sequence[Fraction], basis: Basis
) -> dict[Factor, Fraction] | None:
    """The coefficients through values along one variable."""
    if basis == "logarithm":
        return _logarithmic(sizes, values)
    return {
        (power, False): coefficient
        for power, coefficient in enumerate(_polynomial(sizes, values))
        if coefficient
    }


def _polynomial(sizes: Sequence[int], values: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients by power, by Newton's divided differences.

    Once all differences of an order are zero, those of all others are. A polynomial whose degree is
    beyond `MAX_DEGREE` is of no use, so only its first coefficients are worked out.
    """
    newton: list[Fraction] = []
    differences = list(values)
    for order in range(min(len(sizes), MAX_DEGREE + 2)):
        if not any(differences):
            break
        newton.append(differences[0])
        differences = [
            (right - left) / (sizes[index + order + 1] - sizes[index])
            for index, (left, right) in enumerate(pairwise(differences))
        ]
    while newton and not newton[-1]:
        newton.pop()
    # From the inside out: p = c₀ + (x - x₀)·(c₁ + (x - x₁)·(…)).
    coefficients: list[Fraction] = []
    for order in range(len(newton) - 1, -1, -1):
        shifted = [Fraction(0), *coefficients]
        for power, coefficient in enumerate(coefficients):
            shifted[power] -= sizes[order] * coefficient
        shifted[0] += newton[order]
        coefficients = shifted
    return coefficients


def may_be_logarithm(variable: Variable) -> bool:
    """Whether logarithms are whole numbers, and there are values left to check three parts with."""
    return len(variable.values) >= 4 and all(
        value > 0 and value & (value - 1) == 0 for value in variable.values
    )


def _logarithmic(sizes: Sequence[int], values: Sequence[Fraction]) -> dict[Factor, Fraction] | None:
    """The coefficients of 1, n and n·log₂ n, if these three are all that there is."""
    basis: tuple[Factor, ...] = ((0, False), (1, False), (1, True))
    rows = [[Fraction(1), Fraction(n), Fraction(n * _binary_logarithm(n))] for n in sizes[:3]]
    solved = _solve(rows, list(values[:3]))
    fitted = {
        factor: coefficient
        for factor, coefficient in zip(basis, solved, strict=True)
        if coefficient
    }
    terms = [Term(coefficient, (factor,)) for factor, coefficient in fitted.items()]
    for size, value in zip(sizes, values, strict=True):
        if evaluate(terms, [size]) != value:
            return None
    return fitted


def _solve(rows: list[list[Fraction]], values: list[Fraction]) -> list[Fraction]:
    """Three equations by Gauss and Jordan; 1, n and n·log₂ n are independent at any three sizes."""
    size = len(values)
    table = [[*row, value] for row, value in zip(rows, values, strict=True)]
    for index in range(size):
        pivot = next(row for row in range(index, size) if table[row][index])
        table[index], table[pivot] = table[pivot], table[index]
        table[index] = [entry / table[index][index] for entry in table[index]]
        for row in range(size):
            if row != index and table[row][index]:
                factor = table[row][index]
                table[row] = [
                    entry - factor * above
                    for entry, above in zip(table[row], table[index], strict=True)
                ]
    return [row[-1] for row in table]


def _binary_logarithm(size: int) -> int:
    if size < 1 or size & (size - 1):
        raise ValueError(f"the logarithm of {size} to base 2 is no whole number")
    return size.bit_length() - 1


def evaluate(terms: Sequence[Term], point: Sequence[int]) -> Fraction:
    """Add the terms up at a point.

    Raises
    ------
    ValueError
        As `Term.value`.
    """
    return sum((term.value(point) for term in terms), Fraction(0))


# --- written -------------------------------------------------------------------------------------


def whole(value: Fraction) -> int | Fraction:
    """Return a whole number as an int."""
    return value.numerator if value.denominator == 1 else value


def exact(value: Fraction) -> str:
    """Write a number to the digit, such as ``1,536`` or ``1/2``."""
    if value.denominator == 1:
        return f"{value.numerator:,}"
    return f"{value.numerator:,}/{value.denominator:,}"


def rounded(value: Fraction) -> str:
    """Write a number with three significant figures, such as ``1.54 k``."""
    countable = value.denominator == 1 or abs(value) >= 1000
    return scaled(round(value) if countable else float(value))


def written_term(term: Term, names: Sequence[str], number: Callable[[Fraction], str]) -> str:
    """A term as ``-3·batch·tokens²``; a coefficient of 1 is left out where something follows."""
    factors = []
    for name, (power, logarithm) in zip(names, term.factors, strict=True):
        if power:
            factors.append(name if power == 1 else f"{name}{str(power).translate(_SUPERSCRIPTS)}")
        if logarithm:
            factors.append(f"log₂ {name}")
    if factors and abs(term.coefficient) == 1:
        return f"{'-' if term.coefficient < 0 else ''}{'·'.join(factors)}"
    return "·".join([number(term.coefficient), *factors])
