"""One cost for a call that is really several: of a list of tensors, of parts of a nested one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipyflops.costs import ZERO_COST, Cost, CostSum, Count, conventions, evaluate


def add_up(costs: Sequence[Cost]) -> Cost:
    """Return the sum of some costs, in their own expression where one holds for all of them.

    Where the expressions agree and are linear in symbols, the symbols are added up instead; else
    the sum is a plain number.

    Examples
    --------
    >>> first, second = Cost.of(other="3·n", n=4), Cost.of(other="3·n", n=5)
    >>> add_up([first, second]) == Cost.of(other="3·n", n=9)
    True
    """
    costs = [cost for cost in costs if cost.symbols or cost.macs or cost.other or cost.integer]
    if not costs:
        return ZERO_COST
    if len(costs) == 1:
        return costs[0]
    first = costs[0]
    total = CostSum()
    for cost in costs:
        total.add(cost)
    names = [name for name, _ in first.symbols]
    if all(_expressions(cost) == _expressions(first) for cost in costs) and all(
        [name for name, _ in cost.symbols] == names for cost in costs
    ):
        values = {name: [dict(cost.symbols)[name] for cost in costs] for name in names}
        everything = {name: sum(numbers) for name, numbers in values.items()}
        varying = {
            name: numbers[0] if len(set(numbers)) == 1 else sum(numbers)
            for name, numbers in values.items()
        }
        for symbols in (everything, varying):
            merged = _with_symbols(first, symbols)
            if _values(merged) == (total.contraction, total.other, total.article, total.integer):
                return replace(merged, integer_macs=total.integer_macs)
    return total.total()


def _expressions(cost: Cost) -> tuple[str, str, str, str]:
    return (
        cost.contraction.expression,
        cost.other.expression,
        conventions.expression(cost, "article"),
        cost.integer.expression,
    )


def _values(cost: Cost) -> tuple[int, int, int, int]:
    summed = CostSum()
    summed.add(cost)
    return summed.contraction, summed.other, summed.article, summed.integer


def _with_symbols(cost: Cost, symbols: dict[str, int]) -> Cost:
    def count(part: Count) -> Count:
        if part.expression == "0":
            return part
        return Count(part.expression, evaluate(part.expression, symbols))

    return Cost(
        contraction=count(cost.contraction),
        other=count(cost.other),
        article=None if cost.article is None else count(cost.article),
        integer=count(cost.integer),
        symbols=tuple(symbols.items()),
        note=cost.note,
    )
