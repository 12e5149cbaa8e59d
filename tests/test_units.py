"""Numbers as a person reads them."""

import math

import pytest

from ipyflops.units import PREFIXES, duration, percent, scaled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 FLOPs"),
        (1, "1 FLOPs"),
        (999, "999 FLOPs"),
        (1000, "1.00 kFLOPs"),
        (1004, "1.00 kFLOPs"),
        (1005, "1.00 kFLOPs"),
        (1006, "1.01 kFLOPs"),
        (9_994, "9.99 kFLOPs"),
        (9_995, "9.99 kFLOPs"),
        (9_996, "10.0 kFLOPs"),
        (99_940, "99.9 kFLOPs"),
        (99_960, "100 kFLOPs"),
        (999_400, "999 kFLOPs"),
        (999_500, "1.00 MFLOPs"),
        (999_950, "1.00 MFLOPs"),
        (8_180_000_000, "8.18 GFLOPs"),
        (10**24, "1.00 YFLOPs"),
        (10**27, "1.00 RFLOPs"),
        (10**30, "1.00 QFLOPs"),
        (999 * 10**30, "999 QFLOPs"),
        (10**33, "1.00e+33 FLOPs"),
        (-1500, "-1.50 kFLOPs"),
    ],
)
def test_a_count_has_three_figures_and_a_prefix(value: int, text: str) -> None:
    assert scaled(value, "FLOPs") == text


@pytest.mark.parametrize("power", range(len(PREFIXES)))
def test_every_prefix_of_the_article_and_beyond(power: int) -> None:
    assert scaled(215 * 1000**power, "FLOPS") == f"215 {PREFIXES[power]}FLOPS"


def test_the_units_of_the_article() -> None:
    article = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24}
    for prefix, exponent in article.items():
        assert scaled(10**exponent, "FLOPS") == f"1.00 {prefix}FLOPS"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 FLOPS"),
        (0.5, "0.50 FLOPS"),
        (12.34, "12.3 FLOPS"),
        (215.4e9, "215 GFLOPS"),
        (999.96e9, "1.00 TFLOPS"),
        (math.inf, "inf FLOPS"),
    ],
)
def test_a_rate(value: float, text: str) -> None:
    assert scaled(value, "FLOPS") == text


def test_a_count_larger_than_any_float_is_still_written() -> None:
    assert scaled(10**400, "FLOPs") == ">1e+300 FLOPs"
    assert scaled(-(10**400), "FLOPs") == "<-1e+300 FLOPs"


def test_rounding_never_leaves_three_figures() -> None:
    for value in [*range(1000, 1_200_000, 977), *range(995_000, 1_005_000, 13)]:
        number = scaled(value, "FLOPs").split()[0]
        assert len(number.replace(".", "")) == 3
        assert 1 <= float(number) < 1000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1e-9, "1.00 ns"),
        (9.996e-7, "1.00 µs"),
        (0.000_999_96, "1.00 ms"),
        (0.0381, "38.1 ms"),
        (1.0, "1.00 s"),
        (75.3, "75.3 s"),
        (4321.0, "4321 s"),
        (-0.002, "-2.00 ms"),
    ],
)
def test_a_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1e-9, "<0.1 %"), (0.061, "6.1 %"), (0.99999, ">99.9 %"), (1, "100 %")],
)
def test_a_share(share: float, text: str) -> None:
    assert percent(share) == text
