"""How a count grows with the sizes that it was counted for: exact polynomials, by whole numbers.

Counts are whole numbers and so are sizes, so a polynomial through them is found without rounding:
by divided differences in rational arithmetic, one variable after the other. A polynomial through
``n`` values of a variable always exists with a degree of ``n - 1``; only a lower degree, or a
further count that the polynomial foretells, says something about the growth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from math import prod
from typing import Literal, TypeAlias

from ipyflops.units import scaled

#: Higher degrees are no growth that has a name.
MOST_DEGREE = 6
#: So many of the smallest values may not fit in with the others.
MOST_DROPPED = 2
NAMES = ("constant", "linear", "quadratic", "cubic")
N_LOG_N = "n·log n"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

#: A power, and whether it is multiplied by the logarithm to base 2.
Factor: TypeAlias = tuple[int, bool]
Basis: TypeAlias = Literal["powers", "logarithm"]
Known: TypeAlias = Literal["determined", "undetermined", "irregular", "fixed"]


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


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a polynomial: its coefficient and, for each variable, its factor."""

    coefficient: Fraction
    factors: tuple[Factor, ...]

    def value(self, point: Sequence[int]) -> Fraction:
        """What it is at a point.

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


@dataclass(frozen=True, slots=True)
class VariableGrowth:
    """How a count grows with one variable.

    Attributes
    ----------
    variable : str
    known : {"determined", "undetermined", "irregular", "fixed"}
        *Determined*: the counts show the growth, with at least one to spare. *Undetermined*: there
        are so few values that the growth may be more than its name says. *Irregular*: no growth
        that has a name. *Fixed*: the variable had one value.
    parts : tuple of str
        The names of the parts of the growth, from the slowest: ``linear``, ``quadratic``.
    checked_at : int or None
        A further value at which a count agreed with the growth, where the given values were not
        enough to tell.
    start : int or None
        The value from which on the counts grow so, where the smallest values do not fit in: many
        functions take another way for a batch of one.
    """

    variable: str
    known: Known
    parts: tuple[str, ...]
    checked_at: int | None = None
    start: int | None = None

    @property
    def name(self) -> str:
        """The growth in the end: ``constant``, ``linear``, ``quadratic``, …, ``irregular``."""
        if self.known == "fixed":
            return "one value"
        return "irregular" if self.known == "irregular" else self.parts[-1]

    def __str__(self) -> str:
        if self.known in ("fixed", "irregular"):
            return self.name
        if self.known == "undetermined":
            return f"{self.name} or more"
        # A constant beside something that grows is not worth a word.
        return " + ".join(part for part in self.parts if part != "constant") or "constant"

    @property
    def phrase(self) -> str:
        """As ``linear in batch``, or ``linear in batch from 2 on``."""
        start = "" if self.start is None else f" from {self.start} on"
        return f"{self} in {self.variable}{start}"


@dataclass(frozen=True, slots=True)
class Growth:
    """How a count grows with all variables.

    Attributes
    ----------
    variables : tuple of Variable
    by_variable : tuple of VariableGrowth
    terms : tuple of Term
        They add up to the count at every point; empty where the growth is irregular, or the count
        is zero everywhere.
    unit : str
        What is counted, as ``FLOPs``.
    """

    variables: tuple[Variable, ...]
    by_variable: tuple[VariableGrowth, ...]
    terms: tuple[Term, ...]
    unit: str = "FLOPs"

    @property
    def determined(self) -> bool:
        """Whether the growth with every variable that was varied is known for sure."""
        return all(one.known in ("determined", "fixed") for one in self.by_variable)

    @property
    def irregular(self) -> bool:
        """Whether there is a variable with which the count grows in no way that has a name."""
        return any(one.known == "irregular" for one in self.by_variable)

    @property
    def name(self) -> str:
        """As ``linear in batch, linear + quadratic in tokens``."""
        return ", ".join(one.phrase for one in self.by_variable if one.known != "fixed")

    @property
    def expression(self) -> str:
        """The count as a polynomial with exact coefficients, as ``4·batch·tokens² + 7·batch``.

        Empty where the growth is irregular. Where it is not `determined`, other polynomials go
        through the counts as well.
        """
        return self._written(_exact)

    @property
    def short_expression(self) -> str:
        """The same with coefficients of three significant figures, as ``604 M·batch·tokens``."""
        return self._written(_rounded)

    def at(self, **point: int) -> int | Fraction:
        """Foretell the count for other sizes.

        Parameters
        ----------
        **point : int
            A value for each variable; those with one value only may be left out.

        Raises
        ------
        ValueError
            If the growth is irregular or not determined, a value is missing, or there is no such
            variable.
        """
        if not self.determined:
            raise ValueError(f"the growth is not known well enough to foretell more: {self.name}")
        names = [variable.name for variable in self.variables]
        for name in point:
            if name not in names:
                raise ValueError(f"there is no variable {name!r}; there are {', '.join(names)}")
        values: list[int] = []
        for variable in self.variables:
            fixed = variable.values[0] if len(variable.values) == 1 else None
            value = point.get(variable.name, fixed)
            if value is None:
                raise ValueError(f"a value for {variable.name} is missing")
            start = self.by_variable[len(values)].start
            if start is not None and value < start:
                raise ValueError(f"the growth with {variable.name} is known from {start} on only")
            if fixed is not None and value != fixed:
                raise ValueError(f"{variable.name} was {fixed} throughout, so only that is known")
            values.append(value)
        return _whole(_evaluate(self.terms, values))

    def _written(self, number: Callable[[Fraction], str]) -> str:
        if self.irregular:
            return ""
        if not self.terms:
            return "0"
        names = [variable.name for variable in self.variables]
        text, *others = [_term(term, names, number) for term in self.terms]
        for piece in others:
            text += f" − {piece[1:]}" if piece.startswith("-") else f" + {piece}"
        return text

    def __str__(self) -> str:
        if not self.determined:
            return f"{self.unit}: {self.name}"
        return f"{self.unit} = {self.expression} ({self.name})"


def fit(
    variables: Sequence[Variable],
    counts: Sequence[int],
    checks: Sequence[tuple[Sequence[int], int]] = (),
    unit: str = "FLOPs",
) -> Growth:
    """Find the polynomial through counts on a grid, and say what it is known from.

    Parameters
    ----------
    variables : sequence of Variable
    counts : sequence of int
        One for each point of the grid, the last variable changing fastest.
    checks : sequence of (sequence of int, int)
        Further points, each off the grid in one variable, and their counts.
    unit : str
        What is counted.

    Returns
    -------
    Growth

    Raises
    ------
    ValueError
        If there are not as many counts as points.
    """
    variables = tuple(variables)
    points = prod(len(variable.values) for variable in variables)
    if len(counts) != points:
        raise ValueError(f"{points} points need as many counts, not {len(counts)}")
    growth = _fit(variables, counts, checks, unit)
    for place, one in enumerate(growth.by_variable):
        if one.known not in ("irregular", "undetermined"):
            continue
        for dropped in range(1, MOST_DROPPED + 1):
            fewer = _without_smallest(variables, counts, place, dropped)
            further = sum(point[place] not in variables[place].values for point, _ in checks)
            # Through two values there is always a line.
            if len(fewer[0][place].values) + further < 3:
                break
            other = _fit(*fewer, checks, unit)
            if other.by_variable[place].known == "determined":
                start = fewer[0][place].values[0]
                by_variable = list(other.by_variable)
                by_variable[place] = replace(by_variable[place], start=start)
                # Only one variable can have a start: what is left of the grid is one, too.
                return replace(other, variables=variables, by_variable=tuple(by_variable))
    return growth


def _without_smallest(
    variables: tuple[Variable, ...], counts: Sequence[int], place: int, dropped: int
) -> tuple[tuple[Variable, ...], list[int]]:
    """The grid without the smallest values of one variable."""
    values = variables[place].values[dropped:]
    fewer = list(variables)
    fewer[place] = replace(variables[place], values=values)
    grid = product(*(variable.values for variable in variables))
    kept = [count for point, count in zip(grid, counts, strict=True) if point[place] in values]
    return tuple(fewer), kept


def _fit(
    variables: tuple[Variable, ...],
    counts: Sequence[int],
    checks: Sequence[tuple[Sequence[int], int]],
    unit: str,
) -> Growth:
    """As `fit`, on all of the grid."""
    bases: list[Basis] = ["powers"] * len(variables)
    terms = _terms(variables, counts, bases)
    known = [_known(variables, terms, place, checks) for place in range(len(variables))]
    for place, variable in enumerate(variables):
        if known[place] in ("irregular", "undetermined") and _may_be_logarithm(variable):
            other: list[Basis] = [*bases]
            other[place] = "logarithm"
            found = _terms(variables, counts, other)
            if found is not None:
                bases, terms, known[place] = other, found, "determined"
    by_variable = tuple(
        _by_variable(variable, known[place], terms or (), place, checks)
        for place, variable in enumerate(variables)
    )
    if any(one == "irregular" for one in known):
        terms = ()
    return Growth(variables, by_variable, tuple(terms or ()), unit)


def _known(
    variables: Sequence[Variable],
    terms: Sequence[Term] | None,
    index: int,
    checks: Sequence[tuple[Sequence[int], int]],
) -> Known:
    """What the counts say about the growth with one variable, if it is a polynomial."""
    values = variables[index].values
    if len(values) == 1:
        return "fixed"
    assert terms is not None
    degree = max((term.factors[index][0] for term in terms), default=0)
    # A check is off the grid in this variable and on it in the others.
    further = [
        (point, count)
        for point, count in checks
        if point[index] not in values and point[index] > values[0]
    ]
    if any(not _agrees(terms, point, count) for point, count in further):
        return "irregular"
    if degree > MOST_DEGREE:
        return "irregular"
    if degree <= len(values) - 2 or further:
        return "determined"
    # So many values that a growth with a name would have needed fewer.
    return "irregular" if degree >= len(NAMES) else "undetermined"


def _agrees(terms: Sequence[Term], point: Sequence[int], count: int) -> bool:
    try:
        return _evaluate(terms, point) == count
    except ValueError:
        return False


def _by_variable(
    variable: Variable,
    known: Known,
    terms: Sequence[Term],
    index: int,
    checks: Sequence[tuple[Sequence[int], int]],
) -> VariableGrowth:
    if known in ("fixed", "irregular"):
        return VariableGrowth(variable.name, known, ())
    factors = sorted({term.factors[index] for term in terms}) or [(0, False)]
    further = [point[index] for point, _ in checks if point[index] not in variable.values]
    enough = factors[-1][0] <= len(variable.values) - 2
    return VariableGrowth(
        variable.name,
        known,
        tuple(_part(factor) for factor in factors),
        further[0] if further and not enough else None,
    )


def _part(factor: Factor) -> str:
    power, logarithm = factor
    if logarithm:
        return N_LOG_N
    return NAMES[power] if power < len(NAMES) else f"degree {power}"


# --- the polynomial ------------------------------------------------------------------------------


def _terms(
    variables: Sequence[Variable], counts: Sequence[int], bases: Sequence[Basis]
) -> tuple[Term, ...] | None:
    """The terms through all counts, the fastest growth first; None where a basis has none."""
    # Coefficients by the factors of the variables done so far, at each point of the others.
    found: dict[tuple[Factor, ...], list[Fraction]] = {(): [Fraction(count) for count in counts]}
    for variable, basis in zip(variables, bases, strict=True):
        after: dict[tuple[Factor, ...], list[Fraction]] = {}
        for factors, values in found.items():
            size = len(values) // len(variable.values)
            for rest in range(size):
                line = values[rest::size]
                fitted = _line(variable.values, line, basis)
                if fitted is None:
                    return None
                for factor, coefficient in fitted.items():
                    column = after.setdefault((*factors, factor), [Fraction(0)] * size)
                    column[rest] = coefficient
        found = after
    terms = [Term(coefficient, factors) for factors, (coefficient,) in found.items() if coefficient]
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
    """Coefficients by power, by Newton's divided differences."""
    newton: list[Fraction] = []
    differences = list(values)
    for order in range(len(sizes)):
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


def _may_be_logarithm(variable: Variable) -> bool:
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
        if _evaluate(terms, [size]) != value:
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


def _evaluate(terms: Sequence[Term], point: Sequence[int]) -> Fraction:
    return sum((term.value(point) for term in terms), Fraction(0))


# --- written -------------------------------------------------------------------------------------


def _whole(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _exact(value: Fraction) -> str:
    whole = _whole(value)
    return f"{whole:,}" if isinstance(whole, int) else f"{value.numerator:,}/{value.denominator:,}"


def _rounded(value: Fraction) -> str:
    whole = value.denominator == 1 or abs(value) >= 1000
    return scaled(round(value) if whole else float(value))


def _term(term: Term, names: Sequence[str], number: Callable[[Fraction], str]) -> str:
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
