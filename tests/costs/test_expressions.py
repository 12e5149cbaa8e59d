"""The arithmetic that formulas are written in."""

import pytest

from ipyflops.costs import Cost, CostSum, evaluate, substitute


@pytest.mark.parametrize(
    ("expression", "symbols", "value"),
    [
        ("2·m·n·k", {"m": 2, "n": 3, "k": 5}, 60),
        ("(2·k − 1)·m", {"m": 2, "k": 5}, 18),
        ("2*k - 1", {"k": 5}, 9),
        ("n²", {"n": 7}, 49),
        ("2·n³/3", {"n": 10}, 667),
        ("n/2", {"n": 5}, 2),
        ("5·N·log2(N)", {"N": 1024}, 51200),
        ("ceil(n/4)·4", {"n": 5}, 8),
        ("floor(n/4)·4", {"n": 7}, 4),
        ("s_q·s_k", {"s_q": 3, "s_k": 4}, 12),
        ("10000000000000000000001·n/n", {"n": 3}, 10000000000000000000001),
    ],
)
def test_an_expression_has_its_value(expression: str, symbols: dict[str, int], value: int) -> None:
    assert evaluate(expression, symbols) == value
    # With the numbers in the place of the symbols it is worth the same.
    assert evaluate(substitute(expression, symbols), {}) == value


@pytest.mark.parametrize(
    "expression",
    ["", "2·", "m n", "2**9", "__import__('os')", "m.n", "a[0]", "2·(m", "m; n", '"x"', "m=1"],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        evaluate(expression, {"m": 1, "n": 2, "a": 3})


def test_a_symbol_without_a_value_is_named() -> None:
    with pytest.raises(ValueError, match="'k', which has no value"):
        evaluate("2·k", {"n": 1})


def test_a_cost_is_computed_from_its_expressions() -> None:
    cost = Cost.of(contraction="2·m·n·k", other="m·n", article="(2·k − 1)·m·n", m=2, n=3, k=4)
    assert cost.contraction.value == 48
    assert cost.other.value == 6
    assert cost.article is not None
    assert cost.article.value == 42
    assert cost.macs == 24
    assert dict(cost.symbols) == {"m": 2, "n": 3, "k": 4}


def test_a_negative_cost_is_refused() -> None:
    with pytest.raises(ValueError, match="3 − 4 is negative"):
        Cost.of(other="n − 4", n=3)


def test_a_sum_of_costs_keeps_the_conventions_apart() -> None:
    total = CostSum()
    total.add(Cost.of(contraction="2·n", other="1", n=4))
    total.add(Cost.of(contraction="2·n", article="n", integer="3", n=4))
    cost = total.total()
    assert (cost.contraction.value, cost.other.value, cost.integer.value) == (16, 1, 3)
    assert cost.article is not None
    assert cost.article.value == 9 + 4
