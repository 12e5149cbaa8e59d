"""The least time of a report on a device, against times that are worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ipyflops
from ipyflops import Device, Report
from ipyflops.costs import Cost
from tests.views.reports import Builder

#: 100 TFLOPS in bfloat16, 10 in float32, 1 TB/s.
MINE = Device("mine", rates={"bfloat16": 1e14, "float32": 1e13}, bandwidth=1e12, memory=80e9)


def product(n: int) -> Cost:
    return Cost.of(contraction="2·n·n·n", n=n)


def report(dtype: str = "bfloat16") -> Report:
    """Two products of 4096³ in one layer, and a sum of 10⁸ elements of 2 bytes in another."""
    builder = Builder()
    model = builder.scope(0, "model", "Net")
    first = builder.scope(model, "first", "Linear")
    second = builder.scope(model, "second", "Add")
    moved = 3 * 4096**2 * 2
    builder.run(first, "aten::mm", product(4096), calls=2, moved=moved, dtype=dtype)
    add = Cost.of(other="n", n=10**8)
    builder.run(second, "aten::add", add, moved=6 * 10**8, dtype=dtype)
    return builder.report()


# 2·4096³ = 137,438,953,472 FLOPs at 10¹⁴ a second; 3·4096²·2 bytes take 0.1 ms, so less. The sum
# moves 6·10⁸ bytes at 10¹² a second; its 10⁸ FLOPs take 1 µs.
PRODUCTS = 2 * 137_438_953_472 / 1e14
ADDITION = 6e8 / 1e12


def test_the_least_time_is_the_larger_of_flops_and_bytes() -> None:
    estimate = report().on(MINE)
    assert estimate.seconds == pytest.approx(PRODUCTS + ADDITION, rel=1e-12)
    assert estimate.seconds == estimate.least_seconds
    assert estimate.bound == "compute"
    first, second = estimate.find("model.first"), estimate.find("second")
    assert (first.bound, second.bound) == ("compute", "memory")
    assert first.seconds == pytest.approx(PRODUCTS, rel=1e-12)
    assert second.seconds == pytest.approx(ADDITION, rel=1e-12)
    assert first.share == pytest.approx(PRODUCTS / (PRODUCTS + ADDITION), rel=1e-12)
    assert estimate.find("model").seconds == pytest.approx(estimate.seconds, rel=1e-12)
    assert [part.name for part in estimate.walk()] == ["", "model", "model.first", "model.second"]
    assert list(estimate.by_operator) == ["aten::mm", "aten::add"]
    assert sum(one.share for one in estimate.by_operator.values()) == pytest.approx(1)


def test_an_efficiency_is_stated_in_either_way() -> None:
    counted = report()
    least = counted.on("H100").seconds
    assert counted.on("H100 SXM@0.4").seconds == pytest.approx(least / 0.4)
    assert counted.on("H100", efficiency=0.5).seconds == pytest.approx(2 * least)
    assert counted.on("H100@0.4").find("first").share == counted.on("H100").find("first").share
    with pytest.raises(ValueError, match="more than 0 and at most 1"):
        counted.on("H100", efficiency=40)


def test_items() -> None:
    estimate = report().on(MINE, per=(128, "token"))
    seconds = PRODUCTS + ADDITION
    assert estimate.items_per_second == pytest.approx(128 / seconds)
    # Two million tokens are 15,625 such runs.
    assert estimate.device_hours(2_000_000) == pytest.approx(15_625 * seconds / 3600)
    assert estimate.device_hours() == pytest.approx(seconds / 3600)
    with pytest.raises(ValueError, match="how many items a run has is not known"):
        report().on(MINE).device_hours(10)


def test_each_dtype_has_its_own_rate_and_one_without_is_named() -> None:
    assert report("float32").on(MINE).find("first").seconds == pytest.approx(10 * PRODUCTS)
    estimate = report("float64").on(MINE)
    assert estimate.unknown_dtypes == ("float64",)
    moved = 2 * 3 * 4096**2 * 2
    assert estimate.find("first").seconds == pytest.approx(moved / 1e12)
    assert estimate.find("first").bound == "memory"
    assert "no rate of mine is known for float64" in str(estimate)
    assert "float64" not in str(report().on(MINE))


def test_integer_products_have_the_rate_of_int8() -> None:
    builder = Builder()
    cost = Cost.of(integer_contraction="2·n·n·n", n=4096)
    builder.run(0, "aten::_int_mm", cost, moved=4096**2, dtype="int8")
    device = Device("mine", {"int8": 2e14}, 1e12)
    assert builder.report().on(device).seconds == pytest.approx(137_438_953_472 / 2e14)


def test_without_followed_memory_nothing_is_said_of_whether_it_fits() -> None:
    estimate = report().on(MINE)
    assert estimate.fits is None
    assert estimate.find("first").fits is None


def test_whether_it_fits() -> None:
    """A weight of 1000² floats, 4 MB; 10 inputs and 10 outputs of 1000, 40 kB each."""
    with torch.device("meta"):
        layer, x = nn.Linear(1000, 1000, bias=False), torch.empty(10, 1000)
    counted = ipyflops.dry_run(layer, x, memory=True)
    assert counted.memory is not None
    assert counted.memory.peak == 4_080_000
    small, large = (Device("mine", {}, 1e9, memory=size) for size in (4_079_999, 4_080_000))
    assert (counted.on(small).fits, counted.on(large).fits) == (False, True)
    assert counted.on(small).find(counted.tree.children[0].path).fits is False
    assert counted.on(Device("mine", {}, 1e9)).fits is None
    assert "does not fit in 4.08 MB: 4.08 MB at" in str(counted.on(small))
    assert "fits in 4.08 MB: 4.08 MB at the" in str(counted.on(large))
    frame = counted.on([small, large]).to_frame()
    assert list(frame["fits"]) == [False, True]
    rows = [line.split()[:3] for line in str(counted.on([small, large])).splitlines()]
    assert ["mine", "memory", "no"] in rows
    assert ["mine", "memory", "yes"] in rows


def test_of_a_table_only_the_rows_that_are_read_are_moved() -> None:
    """10 numbers of 8 bytes; 10 rows of 16 floats are read, and written."""
    with torch.device("meta"):
        table, numbers = nn.Embedding(1000, 16), torch.zeros(2, 5, dtype=torch.long)
    estimate = ipyflops.dry_run(table, numbers).on(MINE)
    assert estimate.seconds == pytest.approx((80 + 2 * 10 * 16 * 4) / 1e12, rel=1e-9)


def test_an_empty_report() -> None:
    estimate = Builder().report().on(MINE)
    assert (estimate.seconds, estimate.bound, estimate.by_operator) == (0, "memory", {})
    assert str(estimate)


def test_several_devices_are_a_sequence() -> None:
    estimates = report().on("A100, H100@0.4")
    assert [one.device.name for one in estimates] == ["A100 80GB SXM", "H100 SXM"]
    assert [one.efficiency for one in estimates] == [1, 0.4]
    both = report().on([MINE, "T4"])
    assert len(both) == 2
    assert both[0].seconds == pytest.approx(PRODUCTS + ADDITION)


def test_as_a_report_the_times_and_the_peaks_are_the_devices() -> None:
    timed = report().on(MINE).as_report()
    assert timed.seconds == pytest.approx(PRODUCTS + ADDITION, rel=1e-6)
    assert timed.find("first").flops_per_second == pytest.approx(1e14, rel=1e-6)
    assert timed.peak.bytes_per_second == 1e12


def test_as_a_widget_the_times_are_labelled_as_a_bound() -> None:
    view = report().on(MINE).widget()
    try:
        note = "times are the least ones on mine, by its data sheet: none was measured"
        assert note in view._data["headlines"]["standard"]["notes"]
        # The first layer's time, of the estimate: 2·2·4096³ FLOPs at 10¹⁴ a second.
        assert view.report.find("first").seconds == pytest.approx(PRODUCTS, rel=1e-6)
        assert view.report.peak.bytes_per_second == 1e12
    finally:
        view.close()
    half = report().on(MINE, efficiency=0.5).as_report()
    assert "on mine at 0.5 of its peaks" in half.notes[-1]


def test_times_of_less_than_a_nanosecond_add_up() -> None:
    """Of 40 operators that take 4·n bytes in and out at 3e10 bytes a second: 0.27 ns and more."""
    with ipyflops.FlopCounter() as counter:
        for size in range(1, 41):
            torch.relu(torch.ones(size))
    estimate = counter.report.on(Device("mine", {}, 3e10))
    assert estimate.seconds == pytest.approx((8 + 4) * sum(range(1, 41)) / 3e10)
    assert estimate.as_report().seconds == pytest.approx(estimate.seconds, abs=0.5e-9)


def test_a_dry_run_in_bfloat16() -> None:
    """A linear layer of 4096 × 4096 on 8192 tokens: 2·8192·4096² FLOPs; H100 has 989.5 TFLOPS."""
    with torch.device("meta"):
        layer = nn.Linear(4096, 4096, bias=False, dtype=torch.bfloat16)
        x = torch.empty(8192, 4096, dtype=torch.bfloat16)
    counted = ipyflops.dry_run(layer, x)
    assert counted.on("H100").seconds == pytest.approx(2 * 8192 * 4096**2 / 989.5e12, rel=1e-9)
    # V100 has no unit for bfloat16: only the bytes take time, 900 GB/s.
    moved = 2 * (8192 * 4096 * 2 + 4096**2)
    assert counted.on("V100").seconds == pytest.approx(moved / 900e9, rel=1e-9)


def test_a_sweep_has_a_time_for_each_point_and_device() -> None:
    with torch.device("meta"):
        layer = nn.Linear(1024, 1024, bias=False)

    def step(batch: int) -> None:
        layer(torch.empty(batch, 1024, device="meta"))

    swept = ipyflops.sweep(step, batch=[1024, 2048]).on("A100,T4@0.5")
    times = [[one.seconds for one in estimates] for _, estimates in swept.points]
    a100 = 2 * 1024**3 / 19.5e12
    t4 = 2 * 1024**3 / 8.1e12 / 0.5
    assert times[0] == pytest.approx([a100, t4])
    assert times[1] == pytest.approx([2 * a100, 2 * t4])
    assert "T4 at 50.0 %" in str(swept)
    assert "| 1,024 | 110 µs |" in " ".join(swept.to_markdown().split())
    assert list(swept.to_frame().columns) == ["batch", "A100 80GB SXM", "T4 at 50.0 %"]
