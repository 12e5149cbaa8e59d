"""How a count grows with the sizes that it was counted for, and how sure that is.

A polynomial (see `ipyflops.report.polynomials`) through ``n`` values always exists, with a
degree of ``n - 1``. Only a lower degree, or a further count that the polynomial predicts, says
something about the growth.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Literal, TypeAlias

from ipyflops.costs import printable, with_printable_repr
from ipyflops.report.polynomials import (
    MAX_DEGREE,
    Basis,
    Factor,
    Term,
    Variable,
    evaluate,
    exact,
    may_be_logarithm,
    rounded,
    terms_through,
    whole,
    written_term,
)

#: At most this many of the smallest values are left out where they do not fit in.
MAX_DROPPED = 2
NAMES = ("constant", "linear", "quadratic", "cubic")
N_LOG_N = "n·log n"
Known: TypeAlias = Literal["determined", "undetermined", "irregular", "fixed"]


@with_printable_repr
@dataclass(frozen=True, slots=True)
class VariableGrowth:
    """How a count grows with one variable.

    Attributes
    ----------
    variable : str
    known : {"determined", "undetermined", "irregular", "fixed"}
        *Determined*: the counts show the growth, and at least one more count confirms it.
        *Undetermined*: there are so few values that the real growth may be different. *Irregular*:
        no simple growth fits. *Fixed*: the variable had only one value.
    parts : tuple of str
        The names of the parts of the growth, from the slowest: ``linear``, ``quadratic``.
    checked_at : int or None
        An extra value whose count agreed with the growth, if the given values were not enough.
    start : int or None
        The value from which on the counts grow like this, if the smallest values do not fit: many
        functions use another code path for a batch of one.
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
        """For example ``linear in batch``, or ``linear in batch from 2 on``."""
        start = "" if self.start is None else f" from {self.start} on"
        return f"{self} in {self.variable}{start}"


@with_printable_repr
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
        What is counted, such as ``FLOPs``.
    """

    variables: tuple[Variable, ...]
    by_variable: tuple[VariableGrowth, ...]
    terms: tuple[Term, ...]
    unit: str = "FLOPs"

    def __getitem__(self, variable: str) -> VariableGrowth:
        """Return how the count grows with one variable.

        Raises
        ------
        KeyError
            If there is no such variable.
        """
        for one in self.by_variable:
            if one.variable == variable:
                return one
        names = ", ".join(one.name for one in self.variables)
        raise KeyError(f"there is no variable {variable!r}; there are {names}")

    @property
    def determined(self) -> bool:
        """Whether the growth with every varied variable is certain."""
        return all(one.known in ("determined", "fixed") for one in self.by_variable)

    @property
    def irregular(self) -> bool:
        """Whether the count grows irregularly with a variable."""
        return any(one.known == "irregular" for one in self.by_variable)

    @property
    def name(self) -> str:
        """For example ``linear in batch, linear + quadratic in tokens``."""
        return ", ".join(one.phrase for one in self.by_variable if one.known != "fixed")

    @property
    def expression(self) -> str:
        """The count as a polynomial with exact coefficients, such as ``4·batch·tokens² + 7·batch``.

        Empty if the growth is irregular. If it is not `determined`, other polynomials fit the
        counts as well.
        """
        return self._written(exact)

    @property
    def short_expression(self) -> str:
        """The same with three significant figures, such as ``604 M·batch·tokens``."""
        return self._written(rounded)

    def at(self, **point: int) -> int | Fraction:
        """Predict the count for other sizes.

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
        return whole(evaluate(self.terms, values))

    def _written(self, number: Callable[[Fraction], str]) -> str:
        if self.irregular:
            return ""
        if not self.terms:
            return "0"
        names = [variable.name for variable in self.variables]
        text, *others = [written_term(term, names, number) for term in self.terms]
        for piece in others:
            text += f" − {piece[1:]}" if piece.startswith("-") else f" + {piece}"
        return text

    def __str__(self) -> str:
        if not self.determined:
            return f"{self.unit}: {self.name}"
        return printable(f"{self.unit} = {self.expression} ({self.name})")


def fit(
    variables: Sequence[Variable],
    counts: Sequence[int],
    checks: Sequence[tuple[Sequence[int], int]] = (),
    unit: str = "FLOPs",
    most_dropped: int = MAX_DROPPED,
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
    most_dropped : int
        How many of the smallest values of a variable may be left out where they do not fit in.

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
    grid, growth = variables, _fit(variables, counts, checks, unit)
    if growth.irregular:
        grid, counts = _with_whole_planes(variables, counts, checks)
        growth = _fit(grid, counts, checks, unit)
    starts: dict[int, int] = {}
    for place in range(len(variables)):
        if growth.by_variable[place].known not in ("irregular", "undetermined"):
            continue
        values = grid[place].values
        further = sum(point[place] not in values for point, _ in checks)
        for dropped in range(1, min(most_dropped, len(values)) + 1):
            # Through two values there is always a line; and one of the given values has to fit in.
            if (
                len(values) - dropped + further < 3
                or variables[place].values[-1] not in (values[dropped:])
            ):
                break
            smaller, fewer = _without_smallest(grid, counts, place, dropped)
            other = _fit(smaller, fewer, checks, unit)
            if other.by_variable[place].known == "determined":
                grid, counts, growth = smaller, fewer, other
                starts[place] = smaller[place].values[0]
                break
    by_variable = tuple(
        replace(one, start=starts.get(place)) for place, one in enumerate(growth.by_variable)
    )
    return replace(growth, variables=variables, by_variable=by_variable)


def _with_whole_planes(
    variables: tuple[Variable, ...],
    counts: Sequence[int],
    checks: Sequence[tuple[Sequence[int], int]],
) -> tuple[tuple[Variable, ...], list[int]]:
    """The grid with those further values at which there is a count for all points of the others."""
    points = product(*(variable.values for variable in variables))
    known = {tuple(point): count for point, count in zip(points, counts, strict=True)}
    known.update({tuple(point): count for point, count in checks})
    grid = list(variables)
    for place, variable in enumerate(variables):
        for value in sorted({point[place] for point, _ in checks} - {*variable.values}):
            others = [one.values for one in grid]
            others[place] = (value,)
            if all(point in known for point in product(*others)):
                values = tuple(sorted({*grid[place].values, value}))
                grid[place] = replace(variable, values=values)
    return tuple(grid), [known[point] for point in product(*(one.values for one in grid))]


def _without_smallest(
    variables: tuple[Variable, ...], counts: Sequence[int], place: int, dropped: int
) -> tuple[tuple[Variable, ...], list[int]]:
    """The grid without the smallest values of one variable."""
    values = variables[place].values[dropped:]
    smaller = list(variables)
    smaller[place] = replace(variables[place], values=values)
    grid = product(*(variable.values for variable in variables))
    kept = [count for point, count in zip(grid, counts, strict=True) if point[place] in values]
    return tuple(smaller), kept


def _fit(
    variables: tuple[Variable, ...],
    counts: Sequence[int],
    checks: Sequence[tuple[Sequence[int], int]],
    unit: str,
) -> Growth:
    """As `fit`, on all of the grid."""
    bases: list[Basis] = ["powers"] * len(variables)
    terms = terms_through(variables, counts, bases)
    known = [_known(variables, terms, place, checks) for place in range(len(variables))]
    for place, variable in enumerate(variables):
        if known[place] in ("irregular", "undetermined") and may_be_logarithm(variable):
            other: list[Basis] = [*bases]
            other[place] = "logarithm"
            with_logarithm = terms_through(variables, counts, other)
            if with_logarithm is not None:
                bases, terms, known[place] = other, with_logarithm, "determined"
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
    # A check is off the grid in this variable and on it in the others, unless those are too small.
    smallest = [variable.values[0] for variable in variables]
    further = [
        (point, count)
        for point, count in checks
        if point[index] not in values and all(map(operator.ge, point, smallest))
    ]
    if any(not _agrees(terms, point, count) for point, count in further):
        return "irregular"
    if degree > MAX_DEGREE:
        return "irregular"
    if degree <= len(values) - 2 or further:
        return "determined"
    # A growth with a name has a lower degree, which this many values would have shown.
    return "irregular" if degree >= len(NAMES) else "undetermined"


def _agrees(terms: Sequence[Term], point: Sequence[int], count: int) -> bool:
    try:
        return evaluate(terms, point) == count
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
