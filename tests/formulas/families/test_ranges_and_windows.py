"""Ranges and windows, written out from whole numbers that are there."""

import math

import pytest
import torch

from tests.formulas.counted import count, f, numbers, values
from tests.formulas.dispatch import integer_ops, total

N = 7


def made(rule):
    """A rule applied to 0, 1, 2 … and how many operations that took."""
    indices = numbers(torch.arange(float(N), dtype=torch.float64))
    result, operations = count(lambda: [rule(i) for i in indices])
    return values(result), operations


D = {"dtype": torch.float64}
CASES = [
    (lambda: torch.arange(2.0, 2.0 + 3 * N, 3, **D), lambda i: 2.0 + i * 3),
    (lambda: torch.arange(2.0, 2.0 + N, **D), lambda i: 2.0 + i),
    (lambda: torch.arange(0.0, 0.5 * N, 0.5, **D), lambda i: i * 0.5),
    (lambda: torch.arange(float(N), **D), lambda i: i),
    (lambda: torch.linspace(-1, 2, N, **D), lambda i: i * 0.5 - 1.0),
    (lambda: torch.logspace(0, 3, N, 2.0, **D), lambda i: f.pow(2.0, i * 0.5 + 0.0)),
    (
        lambda: torch.hann_window(N, periodic=False, **D),
        lambda i: 0.5 - f.cos(i * (2 * math.pi / (N - 1))) * 0.5,
    ),
    (
        lambda: torch.hamming_window(N, periodic=False, **D),
        lambda i: 0.54 - f.cos(i * (2 * math.pi / (N - 1))) * 0.46,
    ),
    (
        lambda: torch.blackman_window(N, periodic=False, **D),
        lambda i: 0.42 - f.cos((x := i * (math.pi / (N - 1))) * 2) * 0.5 + f.cos(x * 4) * 0.08,
    ),
    (
        lambda: torch.kaiser_window(N, periodic=False, beta=3.0, **D),
        lambda i: (
            f.i0(f.sqrt(f.max(1 - (x := i * (2 / (N - 1)) - 1.0) * x, 0)) * 3.0)
            / float(torch.special.i0(torch.tensor(3.0, **D)))
        ),
    ),
]


@pytest.mark.parametrize(("function", "rule"), CASES)
def test_a_sequence_costs_what_makes_it_of_whole_numbers(function, rule):
    expected, operations = made(rule)
    torch.testing.assert_close(function(), expected, atol=1e-6, rtol=1e-6)
    assert total(function) == operations


def test_a_bartlett_window_turns_round_in_the_middle():
    n = 8
    expected = torch.tensor([min(i, n - i) * 2 / n for i in range(n)])
    torch.testing.assert_close(torch.bartlett_window(n), expected)
    # A product for each element; for the half behind the middle −x + 2 besides.
    assert total(lambda: torch.bartlett_window(n)) == n + 2 * (n // 2)


def test_ranges_of_whole_numbers_are_integer_work():
    assert total(lambda: torch.arange(3, 30, 3)) == 0
    assert integer_ops(lambda: torch.arange(3, 30, 3)) == 2 * 9
    assert integer_ops(lambda: torch.arange(9)) == 0
