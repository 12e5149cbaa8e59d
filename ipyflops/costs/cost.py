"""What one call of an operator costs, under every convention at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ipyflops.costs.expressions import evaluate, substitute
from ipyflops.costs.printable_text import with_printable_repr


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Count:
    """A number of operations and the expression that it was computed from.

    Attributes
    ----------
    expression : str
        In the symbols of the `Cost` that holds it, for example ``2·m·n·k``; ``0`` for none.
    value : int
        The number of operations; never negative.
    """

    expression: str = "0"
    value: int = 0

    def __bool__(self) -> bool:
        return self.value != 0


ZERO_COUNT = Count()


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an operator costs.

    A cost keeps separate parts for what the conventions treat differently, so you can read a
    finished report under any of them (see `ipyflops.costs.conventions`). Make one with `Cost.of`.

    Attributes
    ----------
    contraction : Count
        FLOPs of matrix products, convolutions and attention, 2 for each multiply-accumulate.
    other : Count
        FLOPs of everything else: one for each add, multiply, divide, comparison, transcendental.
    article : Count or None
        FLOPs by the article's formula; None if the article does not name this operator.
    integer : Count
        Integer operations; never part of the FLOPs.
    integer_macs : int
        How many multiply-accumulates are among the integer operations, 2 operations each.
    symbols : tuple of (str, int)
        The values of the symbols in the expressions.
    note : str
        What a reader must know to understand the number; often empty.
    """

    contraction: Count = ZERO_COUNT
    other: Count = ZERO_COUNT
    article: Count | None = None
    integer: Count = ZERO_COUNT
    symbols: tuple[tuple[str, int], ...] = ()
    note: str = ""
    integer_macs: int = 0

    @classmethod
    def of(
        cls,
        *,
        contraction: str = "0",
        other: str = "0",
        article: str | None = None,
        integer: str = "0",
        integer_contraction: str = "0",
        note: str = "",
        **symbols: int,
    ) -> Cost:
        """Compute a cost from the expressions of its parts.

        Parameters
        ----------
        contraction, other, article, integer : str
            Expressions (see `ipyflops.costs.expressions`) for the parts.
        integer_contraction : str
            Integer operations of matrix products and convolutions, 2 for each
            multiply-accumulate; `integer` has only the others.
        note : str
            A remark for the reader.
        **symbols : int
            The value of every symbol that the expressions use.

        Raises
        ------
        ValueError
            If an expression cannot be read, lacks a symbol, or comes out negative.

        Examples
        --------
        >>> product = Cost.of(contraction="2·m·n·k", article="(2·k − 1)·m·n", m=2, n=3, k=4)
        >>> product.contraction.value, product.article.value
        (48, 42)
        """
        symbols = {name: int(value) for name, value in symbols.items()}
        products = _count(integer_contraction, symbols)
        if products:
            rest = f" + {integer}" if integer != "0" else ""
            integer = f"{integer_contraction}{rest}"
        return cls(
            contraction=_count(contraction, symbols),
            other=_count(other, symbols),
            article=None if article is None else _count(article, symbols),
            integer=_count(integer, symbols),
            symbols=tuple(symbols.items()),
            note=note,
            integer_macs=products.value // 2,
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those of integers too; a complex one is four real ones."""
        return self.contraction.value // 2 + self.integer_macs


ZERO_COST = Cost()


def _count(expression: str, symbols: Mapping[str, int]) -> Count:
    if expression == "0":
        return ZERO_COUNT
    value = evaluate(expression, symbols)
    if value < 0:
        raise ValueError(f"{substitute(expression, symbols)} is negative")
    return Count(expression, value)


@dataclass(slots=True)
class CostSum:
    """Costs of calls that differ, added up: the expressions are lost, the numbers stay exact."""

    contraction: int = 0
    other: int = 0
    article: int = 0
    integer: int = 0
    integer_macs: int = 0

    def add(self, cost: Cost) -> None:
        """Add one call."""
        self.contraction += cost.contraction.value
        self.other += cost.other.value
        self.article += (
            cost.contraction.value + cost.other.value
            if cost.article is None
            else cost.article.value
        )
        self.integer += cost.integer.value
        self.integer_macs += cost.integer_macs

    def total(self) -> Cost:
        """Return the sum as a cost whose expressions are the plain numbers."""
        return Cost(
            contraction=Count(str(self.contraction), self.contraction),
            other=Count(str(self.other), self.other),
            article=Count(str(self.article), self.article),
            integer=Count(str(self.integer), self.integer),
            note="a sum over calls that differ in shapes or values",
            integer_macs=self.integer_macs,
        )
