"""Every metric is described once, and what is said of it is so."""

from __future__ import annotations

import pytest

from ipyflops.costs import METRICS, SUMMED, Totals, add_totals, subtract_totals, without_times

TOTALS = Totals(
    calls=3,
    flops=600,
    macs=200,
    int_ops=7,
    bytes=300,
    seconds=2.0,
    peak_seconds=0.5,
    mfu_seconds=0.25,
    hfu_seconds=0.375,
    communicated=11,
    replicated=60,
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flops", 600),
        ("bytes", 300),
        ("share", 0.5),
        ("replicated_share", 0.1),
        ("flops_per_second", 300.0),
        ("utilization", 0.25),
        ("mfu", 0.125),
        ("hfu", 0.1875),
        ("intensity", 2.0),
        ("time_share", 0.25),
    ],
)
def test_a_number_is_taken_from_totals(key: str, value: float) -> None:
    whole = Totals(flops=1200, seconds=8.0)
    assert METRICS[key].value(TOTALS, whole) == value
    assert METRICS[key].value(Totals(), Totals()) == 0


def test_every_sum_is_a_metric_but_times_at_the_peak() -> None:
    assert set(SUMMED) - set(METRICS) == {"peak_seconds", "mfu_seconds", "hfu_seconds"}


@pytest.mark.parametrize("key", [key for key, one in METRICS.items() if not one.of_place])
def test_what_adds_up_does(key: str) -> None:
    metric = METRICS[key]
    other = Totals(calls=1, flops=100, macs=50, bytes=900, seconds=6.0, communicated=1)
    whole = add_totals([TOTALS, other])
    parts = metric.value(TOTALS, whole) + metric.value(other, whole)
    assert (parts == pytest.approx(metric.value(whole, whole))) == metric.adds_up


def test_parts_are_added_and_taken_away() -> None:
    other = Totals(calls=1, flops=100, seconds=3.0)
    assert subtract_totals(add_totals([TOTALS, other]), other) == TOTALS
    # Clocks are not exact: no time becomes negative.
    assert subtract_totals(TOTALS, other).seconds == 0.0
    assert add_totals([]) == Totals()


def test_counts_are_all_but_the_times() -> None:
    assert without_times(TOTALS) == (3, 600, 200, 7, 300, 11, 60, 0)


@pytest.mark.parametrize(
    ("key", "value", "short", "long", "full"),
    [
        ("flops", 8_180_000_000, "8.18 G", "8.18 GFLOPs", "8.18 GFLOPs"),
        ("int_ops", 12_300, "12.3 k", "12.3 k integer ops", "12.3 k integer operations"),
        ("communicated", 1020, "1.02 kB", "1.02 kB", "1.02 kB communicated"),
        ("seconds", 0.0381, "38.1 ms", "38.1 ms", "38.1 ms in kernels"),
        ("flops_per_second", 2e12, "2.00 T", "2.00 TFLOPS", "2.00 TFLOPS"),
        ("share", 0.613, "61.3 %", "61.3 %", "61.3 % of all"),
        ("module_calls", 1, "1", "1 call", "1 call"),
    ],
)
def test_a_number_is_written(key: str, value: float, short: str, long: str, full: str) -> None:
    metric = METRICS[key]
    assert (metric.short(value), metric.long(value), metric.full(value)) == (short, long, full)
