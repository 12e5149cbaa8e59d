"""A cost keeps the multiply-accumulates of integers, however it is added up."""

from ipyflops.costs import Cost, CostSum
from ipyflops.formulas.cost_sums import add_up


def product_of_integers(m: int) -> Cost:
    """(m, 3) @ (3, 4) of integers, each output shifted once: 12·m MACs, 4·m more operations."""
    return Cost.of(integer_contraction="2·m·n·k", integer="m·n", m=m, n=4, k=3)


def test_products_of_integers_are_macs_and_integer_operations() -> None:
    cost = product_of_integers(5)
    assert cost.macs == cost.integer_macs == 5 * 4 * 3
    assert cost.integer.value == 2 * 5 * 4 * 3 + 5 * 4
    assert cost.integer.expression == "2·m·n·k + m·n"
    assert (cost.contraction.value, cost.other.value) == (0, 0)


def test_macs_of_both_kinds_add_up() -> None:
    mixed = Cost.of(contraction="2·m", integer_contraction="2·n", m=3, n=4)
    assert (mixed.macs, mixed.integer_macs) == (7, 4)


def test_sums_keep_them() -> None:
    total = CostSum()
    for m in (5, 6):
        total.add(product_of_integers(m))
    assert total.total().macs == (5 + 6) * 4 * 3
    # The sizes that vary are added up, or only the numbers are.
    for last in (product_of_integers(6), Cost.of(integer_contraction="2·k", k=6 * 4 * 3)):
        assert add_up([product_of_integers(5), last]).macs == (5 + 6) * 4 * 3
