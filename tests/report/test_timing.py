"""What a timing says of its repeats."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipyflops.report import Timing


@given(st.lists(st.floats(1e-9, 1e3), min_size=2, max_size=30))
def test_median_and_iqr_are_those_of_statistics(seconds: list[float]) -> None:
    timing = Timing(tuple(seconds))
    quarters = statistics.quantiles(seconds, n=4, method="inclusive")
    assert timing.median == statistics.median(seconds)
    assert timing.iqr == pytest.approx(quarters[2] - quarters[0], abs=1e-9)


def test_no_repeat_says_nothing() -> None:
    timing = Timing(())
    assert (timing.median, timing.iqr, timing.spread, timing.repeats) == (0, 0, 0, 0)
    assert timing.flops_per_second(100) == 0
    assert timing.steady


def test_one_repeat_has_no_spread() -> None:
    timing = Timing((2.0,))
    assert (timing.median, timing.iqr) == (2, 0)
    assert timing.flops_per_second(100) == 50


def test_a_large_spread_is_told() -> None:
    assert Timing((1.0, 1.02, 1.04)).steady
    assert not Timing((1.0, 1.5, 2.0)).steady


def test_what_was_refused_has_no_rate() -> None:
    assert Timing((2.0,), refusal="why").flops_per_second(100) == 0
