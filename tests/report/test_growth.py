"""Growth found from counts: exact, named, and honest about what few values do not tell."""

import itertools
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipyflops.report import Growth, Variable, fit

Count = Callable[..., int]


def fitted(count: Count, checks: tuple[tuple[int, ...], ...] = (), **values: list[int]) -> Growth:
    variables = [Variable(name, tuple(of)) for name, of in values.items()]
    points = itertools.product(*(variable.values for variable in variables))
    counts = [count(*point) for point in points]
    return fit(variables, counts, [(point, count(*point)) for point in checks])


@pytest.mark.parametrize(
    ("count", "name", "expression"),
    [
        (lambda n: 0, "constant", "0"),
        (lambda n: 42, "constant", "42"),
        (lambda n: 7 * n, "linear", "7·n"),
        (lambda n: n, "linear", "n"),
        (lambda n: 2_000_000 * n - 8, "linear", "2,000,000·n − 8"),
        (lambda n: 3 * n * n + 7 * n, "linear + quadratic", "3·n² + 7·n"),
        (lambda n: n * (n + 1) // 2, "linear + quadratic", "1/2·n² + 1/2·n"),
        (lambda n: 5 - n * n, "quadratic", "-n² + 5"),
        (lambda n: n**3, "cubic", "n³"),
        (lambda n: n**4 + n, "linear + degree 4", "n⁴ + n"),
    ],
)
def test_a_polynomial_is_found_to_the_digit(count: Count, name: str, expression: str) -> None:
    growth = fitted(count, n=[1, 3, 4, 10, 17, 18])
    assert growth.determined
    assert str(growth.by_variable[0]) == name
    assert growth.name == f"{name} in n"
    assert growth.expression == expression
    assert growth.at(n=10**6) == count(10**6)


@given(
    coefficients=st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=4),
    sizes=st.sets(st.integers(0, 10**6), min_size=6, max_size=8),
)
def test_any_polynomial_is_found_whatever_its_size(
    coefficients: list[int], sizes: set[int]
) -> None:
    def count(n: int) -> int:
        return sum(coefficient * n**power for power, coefficient in enumerate(coefficients))

    growth = fitted(count, n=sorted(sizes))
    found = {term.factors[0][0]: term.coefficient for term in growth.terms}
    assert found == {power: one for power, one in enumerate(coefficients) if one}
    assert growth.determined


def test_several_variables() -> None:
    growth = fitted(lambda b, t: 4 * b * t * t + 24 * b * t + 5 * t, b=[1, 2, 4], t=[1, 2, 3, 5])
    assert growth.expression == "4·b·t² + 24·b·t + 5·t"
    assert growth.name == "linear in b, linear + quadratic in t"
    assert growth.at(b=100, t=1000) == 4 * 100 * 10**6 + 24 * 10**5 + 5000
    three = fitted(lambda a, b, c: a * b * c + 1, a=[1, 2, 3], b=[2, 3, 4], c=[5, 6, 7])
    assert three.expression == "a·b·c + 1"


def test_a_variable_of_one_value_is_not_varied() -> None:
    growth = fitted(lambda b, t: b * t, b=[8], t=[1, 2, 3])
    assert [one.name for one in growth.by_variable] == ["one value", "linear"]
    assert growth.name == "linear in t"
    assert growth.expression == "8·t"
    assert growth.at(t=5) == growth.at(t=5, b=8) == 40
    with pytest.raises(ValueError, match="b was 8 throughout"):
        growth.at(b=9, t=5)


# --- what few values do not tell -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "count", "said", "determined"),
    [
        ([1, 2], lambda n: 5, "constant in n", True),
        ([1, 2], lambda n: 5 * n, "linear or more in n", False),
        ([1, 2, 3], lambda n: 5 * n, "linear in n", True),
        ([1, 2, 3], lambda n: n * n, "quadratic or more in n", False),
        ([1, 2, 3, 4], lambda n: n * n, "quadratic in n", True),
        ([1, 2, 3, 5], lambda n: n**3, "cubic or more in n", False),
        ([1, 2, 3, 4, 6], lambda n: 2**n, "irregular in n", False),
    ],
)
def test_few_values(sizes: list[int], count: Count, said: str, determined: bool) -> None:
    growth = fitted(count, n=sizes)
    assert growth.name == said
    assert growth.determined == determined


def test_a_further_count_tells() -> None:
    quadratic = fitted(lambda n: n * n, ((7,),), n=[1, 2, 3])
    assert quadratic.name == "quadratic in n"
    assert quadratic.by_variable[0].checked_at == 7
    assert quadratic.at(n=100) == 10_000
    cubic = fitted(lambda n: n**3, ((7,),), n=[1, 2, 3])
    assert cubic.name == "cubic or more in n"  # as there is one through any four counts
    assert not cubic.determined
    # Where the values were enough, the check changes nothing.
    assert fitted(lambda n: n, ((7,),), n=[1, 2, 3]).by_variable[0].checked_at is None
    assert fitted(lambda n: n**3, ((7,), (9,)), n=[1, 2, 3]).name == "cubic in n"
    assert fitted(lambda n: n * n, ((3,), (4,)), n=[1, 2]).expression == "n²"
    assert fitted(lambda n: n % 3, ((12,), (16,), (20,)), n=[4, 8]).name == "irregular in n"


def test_whole_planes_of_further_counts_tell() -> None:
    def count(n: int, m: int) -> int:
        return 2 * n * n * m + 3 * m

    planes = tuple((n, m) for n in (3, 4) for m in (5, 6))
    assert fitted(count, planes, n=[1, 2], m=[5, 6]).by_variable[0].known == "determined"
    assert fitted(count, planes, n=[1, 2], m=[5, 6])["n"].name == "quadratic"
    assert fitted(count, planes[:1], n=[1, 2], m=[5, 6])["n"].known == "irregular"


def test_many_values_take_time_by_their_number() -> None:
    """No table of differences is filled: by order 7 all is known, of a line by order 2."""
    sizes = range(1, 5_001)
    assert fitted(lambda n: 3 * n + 1, n=sizes).expression == "3·n + 1"
    assert fitted(lambda n: n % 7, n=sizes).name == "irregular in n"


def test_what_has_no_name_has_no_expression() -> None:
    growth = fitted(lambda n: 2**n, n=[1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert growth.irregular
    assert (growth.expression, growth.terms) == ("", ())
    with pytest.raises(ValueError, match="not known well enough to foretell more: irregular in n"):
        growth.at(n=10)


def test_what_is_irregular_in_one_variable_is_not_in_the_other() -> None:
    growth = fitted(lambda b, t: b * 2**t, b=[1, 2, 3], t=[1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert growth.name == "linear in b, irregular in t"


# --- small values that do not fit in -------------------------------------------------------------


def test_a_batch_of_one_that_takes_another_way() -> None:
    growth = fitted(lambda n: 10 * n if n > 1 else 9, n=[1, 2, 4, 8])
    assert growth.name == "linear in n from 2 on"
    assert growth.expression == "10·n"
    assert growth.at(n=2) == 20
    with pytest.raises(ValueError, match="known from 2 on only"):
        growth.at(n=1)


def test_it_takes_a_value_to_spare_to_leave_one_out() -> None:
    # Two values are left, through which there is always a line.
    assert not fitted(lambda n: 10 * n if n > 1 else 9, n=[1, 2, 4]).determined
    checked = fitted(lambda n: 10 * n if n > 1 else 9, ((3,),), n=[1, 2, 4])
    assert checked.name == "linear in n from 2 on"


def test_the_other_variables_keep_all_their_values() -> None:
    growth = fitted(lambda b, t: b * t * t + (b > 1) * t, b=[1, 2, 4, 8], t=[1, 2, 3, 4, 5])
    assert growth.name == "linear in b from 2 on, linear + quadratic in t"
    assert growth.expression == "b·t² + t"


def test_every_variable_may_have_small_values_that_do_not_fit_in() -> None:
    def count(b: int, t: int) -> int:
        return b * t + 3 * (b == 1) * t + 7 * b * (t < 4)

    growth = fitted(count, b=[1, 2, 4, 8, 16], t=[1, 2, 4, 8, 16, 32])
    assert growth.name == "linear in b from 2 on, linear in t from 4 on"
    assert growth.at(b=100, t=1000) == count(100, 1000)


# --- logarithms ----------------------------------------------------------------------------------


def test_n_log_n() -> None:
    def count(n: int) -> int:
        return 5 * n * (n.bit_length() - 1) + 3 * n

    growth = fitted(count, n=[64, 256, 512, 1024, 4096])
    assert growth.name == "linear + n·log n in n"
    assert growth.expression == "5·n·log₂ n + 3·n"
    assert growth.at(n=2**20) == count(2**20)
    with pytest.raises(ValueError, match="logarithm of 1000 to base 2 is no whole number"):
        growth.at(n=1000)
    # Three values always have such a curve, so they say nothing.
    assert not fitted(count, n=[64, 256, 512]).determined


# --- foretelling, and what goes wrong ------------------------------------------------------------


def test_foretelling_needs_every_variable_and_no_other() -> None:
    growth = fitted(lambda b, t: b * t, b=[1, 2, 3], t=[1, 2, 3])
    with pytest.raises(ValueError, match="a value for t is missing"):
        growth.at(b=1)
    with pytest.raises(ValueError, match="there is no variable 'x'; there are b, t"):
        growth.at(b=1, t=1, x=1)


def test_a_fraction_stays_exact() -> None:
    growth = fit([Variable("n", (2, 4, 6, 8))], [1, 2, 3, 4])
    assert growth.expression == "1/2·n"
    assert growth.at(n=7) == Fraction(7, 2)
    assert isinstance(growth.at(n=6), int)


def test_short_expressions_have_three_figures() -> None:
    growth = fitted(lambda n: 603_979_776 * n - 7, n=[1, 2, 3])
    assert growth.short_expression == "604 M·n − 7"


def test_there_has_to_be_a_count_for_every_point() -> None:
    with pytest.raises(ValueError, match="6 points need as many counts, not 5"):
        fit([Variable("a", (1, 2, 3)), Variable("b", (1, 2))], [1, 2, 3, 4, 5])
