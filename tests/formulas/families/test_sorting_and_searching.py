"""Sorting and searching against algorithms that count their comparisons."""

import functools
import heapq
import math
import random

import pytest
import torch

from tests.formulas.dispatch import integer_ops, total


class Counted:
    """A value that counts how often it is compared."""

    comparisons = 0

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        Counted.comparisons += 1
        return self.value < other.value


def comparisons(function):
    before = Counted.comparisons
    function()
    return Counted.comparisons - before


def merge_sort(values):
    if len(values) < 2:
        return values
    half = len(values) // 2
    left, right = merge_sort(values[:half]), merge_sort(values[half:])
    merged = []
    while left and right:
        merged.append((right if right[0] < left[0] else left).pop(0))
    return merged + left + right


@pytest.mark.parametrize("length", [2, 8, 64, 100])
def test_a_merge_sort_takes_about_n_log_n_comparisons(length):
    generator = random.Random(0)
    values = [Counted(generator.random()) for _ in range(length)]
    counted = comparisons(lambda: merge_sort(values))
    claimed = total(lambda: torch.randn(length).sort())
    assert claimed == round(length * math.log2(length))
    # The claim is the bound for the worst case; it takes half of that at the least.
    assert claimed / 2 <= counted <= claimed


def test_rows_are_sorted_each_by_itself():
    x = torch.randn(6, 8)
    assert total(lambda: x.sort(1)) == 6 * 8 * 3
    assert total(lambda: x.argsort(1)) == 6 * 8 * 3
    assert total(lambda: torch.msort(x.T)) == 6 * 8 * 3
    assert total(lambda: torch.sort(x, stable=True, dim=1)) == 6 * 8 * 3
    assert total(lambda: torch.sort(torch.zeros(4, 0))) == 0
    assert total(lambda: torch.sort(torch.tensor(1.0))) == 0


@pytest.mark.parametrize("k", [1, 3, 7])
def test_the_k_best_by_a_heap(k):
    generator = random.Random(0)
    values = [Counted(generator.random()) for _ in range(64)]

    def best():
        heap = values[:k]
        heapq.heapify(heap)
        for value in values[k:]:
            heapq.heappushpop(heap, value)

    claimed = total(lambda: torch.randn(64).topk(k))
    assert claimed == 64 * math.log2(k + 1)
    # A random order seldom changes the heap, an ascending one always does.
    assert comparisons(best) <= claimed + 64
    values.sort(key=lambda value: value.value)
    assert comparisons(best) >= claimed / 3


def test_the_best_one_costs_as_the_maximum_does():
    x = torch.randn(64)
    assert total(lambda: x.topk(1)) - total(lambda: x.max()) == 1


@pytest.mark.parametrize("operator", [torch.median, lambda x: torch.kthvalue(x, 128)])
def test_the_middle_one_by_partition(operator):
    generator = random.Random(3)
    values = [Counted(generator.random()) for _ in range(256)]

    def select(rest, rank):
        """Halving partitions: the pivot is the true median, as the count supposes."""
        if len(rest) == 1:
            return rest[0]
        pivot = sorted(rest, key=lambda value: value.value)[len(rest) // 2]
        low = [value for value in rest if value < pivot]
        if rank < len(low):
            return select(low, rank)
        high = [value for value in rest if all(value is not other for other in low)]
        return select(high, rank - len(low))

    counted = comparisons(lambda: select(values, 127))
    claimed = total(lambda: operator(torch.randn(256)))
    assert claimed == 2 * 256
    assert claimed - 256 / 16 <= counted <= claimed


def test_nanmedian_asks_for_nan_too():
    x = torch.randn(10)
    assert total(lambda: torch.nanmedian(x)) - total(lambda: torch.median(x)) == 10


@pytest.mark.parametrize("boundaries", [1, 2, 3, 7, 8, 100])
def test_bisection_takes_as_many_steps_as_it_has_to(boundaries):
    sequence = [Counted(i) for i in range(boundaries)]

    def place(value):
        low, high = 0, len(sequence)
        while low < high:
            middle = (low + high) // 2
            if sequence[middle] < value:
                low = middle + 1
            else:
                high = middle

    def steps(value):
        return comparisons(lambda: place(Counted(value)))

    worst = max(steps(i - 0.5) for i in range(boundaries + 1))
    sorted_sequence = torch.arange(float(boundaries))
    values = torch.randn(5)
    assert total(lambda: torch.searchsorted(sorted_sequence, values)) == 5 * worst
    assert total(lambda: torch.bucketize(values, sorted_sequence)) == 5 * worst


def test_a_number_is_one_value_to_search():
    sequence = torch.arange(8.0)
    assert total(lambda: torch.searchsorted(sequence, 3.5)) == 4
    assert total(lambda: torch.searchsorted(sequence.repeat(2, 1), torch.randn(2, 3))) == 6 * 4


def test_unique_sorts_and_compares_neighbours():
    x = torch.randn(2, 8)
    sort = total(lambda: x.reshape(-1).sort())
    assert total(lambda: torch.unique(x)) == sort + 15
    assert total(lambda: torch.unique_consecutive(x)) == 15
    # Slices along a dim: 8 of 2 elements each.
    assert total(lambda: torch.unique(x, dim=1)) == (8 * 3 + 7) * 2
    assert total(lambda: torch.unique_consecutive(x, dim=1)) == 7 * 2


def test_mode_sorts_and_counts_runs():
    x = torch.randn(3, 8)
    assert total(lambda: torch.mode(x)) == total(lambda: x.sort(1)) + 2 * 3 * 7


def test_isin_compares_all_pairs_while_they_are_few():
    elements = torch.randn(50)
    few, many = torch.randn(3), torch.randn(40)
    assert total(lambda: torch.isin(elements, few)) == 150

    def sorted_together():
        first, second = torch.unique(elements), torch.unique(many)
        both = torch.cat([first, second]).sort().values
        return both[1:] == both[:-1]

    assert total(lambda: torch.isin(elements, many)) == total(sorted_together)
    assert total(lambda: torch.isin(elements, 1.0)) == 50


def test_bins_of_one_width():
    x = torch.rand(20)
    # In range 2, its bin 3, one more there 1.
    assert total(lambda: torch.histc(x, 4, 0, 1)) == 20 * 6
    assert total(lambda: torch.histc(x, 4)) == 20 * 6 + 2 * 19
    assert total(lambda: torch.histogram(x, 4, range=(0.0, 1.0))) == 20 * 6
    assert total(lambda: torch.histogram(x, 4)) == 20 * 6 + 2 * 19
    dense = total(lambda: torch.histogram(x, 4, range=(0.0, 1.0), density=True))
    # Added up, then each divided by the sum and by the width.
    assert dense - 20 * 6 == 3 + 2 * 4


def test_bins_of_any_width_are_searched():
    x, edges = torch.rand(20), torch.linspace(0, 1, 8)
    search = total(lambda: torch.searchsorted(edges, x))
    assert total(lambda: torch.histogram(x, edges)) == search + 20
    points = torch.rand(20, 2)
    second = torch.linspace(0, 1, 4)
    expected = search + total(lambda: torch.searchsorted(second, x)) + 20
    assert total(lambda: torch.histogramdd(points, [edges, second])) == expected


def test_histograms_of_points():
    points = torch.rand(20, 3)
    edges = 3 + 4 + 5
    with_range = total(lambda: torch.histogramdd(points, [2, 3, 4], range=[0.0, 1.0] * 3))
    assert with_range == 20 * (5 * 3 + 1) + 2 * edges
    without = total(lambda: torch.histogramdd(points, [2, 3, 4]))
    # The range is looked for where the edges are made, and where the points are counted.
    assert without - with_range == 2 * (2 * 19 * 3)


def test_counts_are_whole_numbers_and_weights_are_not():
    x = torch.tensor([0, 1, 1, 3])
    assert integer_ops(lambda: torch.bincount(x)) == 4
    assert total(lambda: torch.bincount(x)) == 0
    assert total(lambda: torch.bincount(x, torch.ones(4))) == 4


def test_whole_numbers_are_compared_as_whole_numbers():
    x = torch.arange(8)
    assert integer_ops(lambda: x.sort()) == 24
    assert total(lambda: x.sort()) == 0


@pytest.mark.parametrize(
    "operator",
    [
        lambda x: x.sort(),
        lambda x: torch.unique(x),
        lambda x: torch.searchsorted(torch.arange(3.0), x),
        functools.partial(torch.histc, bins=3, min=0, max=1),
        lambda x: torch.isin(x, torch.ones(2)),
    ],
)
def test_nothing_to_order(operator):
    assert total(lambda: operator(torch.zeros(0))) == 0
