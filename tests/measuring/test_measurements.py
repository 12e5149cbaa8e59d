"""How products and passes over memory are timed, and what happens where memory is short."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ipyflops import FlopCounter
from ipyflops.measuring import measurements
from ipyflops.torch_private import scaled_product
from tests.missing import needs_float8

CPU = torch.device("cpu")


def fail_above(size: int, value: float) -> Callable[..., float]:
    """A measurement for which a device of so much memory gives a value."""

    def measure(wanted: int, *_: object) -> float:
        if wanted > size:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return value

    return measure


def test_a_device_that_is_full_has_a_peak_of_smaller_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measurements, "_product_seconds", fail_above(1024, 0.01))
    found = measurements.product_rate(CPU, torch.float32)
    assert found.value == 2 * 1024**3 / 0.01
    assert found.short_of_memory


def test_a_device_without_any_memory_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_product_seconds", fail_above(0, 0.01))
    with pytest.raises(torch.OutOfMemoryError):
        measurements.product_rate(CPU, torch.float32)


@pytest.mark.parametrize(
    ("fits", "value"),
    # The cache is 50 MiB: less than twice that is no pass over memory.
    [(2**40, 3e9), (2**29, 3e9), (2**27, 3e9), (2**26, 0.0), (0, 0.0)],
)
def test_bandwidth_is_measured_with_what_fits(
    fits: int, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurements, "cache_bytes", lambda device: 50 * 2**20)
    monkeypatch.setattr(measurements, "_passes", fail_above(fits, 3e9))
    found = measurements.bandwidth(torch.device("cuda"))
    assert found.value == value
    assert found.short_of_memory == (fits < 2**30)


@pytest.mark.parametrize(("cache", "wanted"), [(50, 1024), (126, 1024), (256, 2048)])
def test_tensors_are_larger_than_the_caches(
    cache: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An H100 has 50 MiB of cache, a B200 126; an MI300X has 256, and tells PyTorch of 4."""
    sizes: list[int] = []
    monkeypatch.setattr(measurements, "cache_bytes", lambda device: cache * 2**20)
    monkeypatch.setattr(measurements, "_passes", lambda size, device: sizes.append(size) or 1.0)
    measurements.bandwidth(torch.device("cuda"))
    assert sizes == [wanted * 2**20]
    assert min(sizes) >= 4 * 256 * 2**20


def test_the_real_products_and_passes_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**6))
    monkeypatch.setattr(measurements, "clock", lambda device: next(ticks))
    assert measurements._product_seconds(8, CPU, torch.float32) == 1
    assert measurements._passes(4096, CPU) == 8192


def test_short_products_are_timed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(measurements, "clock", lambda device: 1e-5 * len(runs))
    assert measurements._min_seconds(lambda: runs.append(1), CPU) == pytest.approx(1e-5)
    assert len(runs) > 1000


def operands(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> list[torch.Tensor | Callable[[], torch.Tensor]]:
    """What a product of a dtype is measured with."""
    if dtype in measurements.FLOAT8:
        needs_float8()
    taken: list[torch.Tensor | Callable[[], torch.Tensor]] = []

    def mm(left: torch.Tensor, right: torch.Tensor, *, out: torch.Tensor) -> None:
        taken.extend((left, right))

    def scaled(left: torch.Tensor, right: torch.Tensor) -> Callable[[], torch.Tensor]:
        product = scaled_product(left, right)
        taken.extend((left, right, product))
        return product

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(measurements, "scaled_product", scaled)
    monkeypatch.setattr(measurements, "_min_seconds", lambda run, device: run() is None)
    measurements._product_seconds(32, CPU, dtype)
    return taken


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, *measurements.FLOAT8], ids=str)
def test_operands_are_random_and_the_users_random_numbers_stay(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    left, right, *_ = operands(dtype, monkeypatch)
    for one in (left, right):
        assert isinstance(one, torch.Tensor)
        assert one.float().unique().numel() > 30
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("dtype", measurements.FLOAT8, ids=str)
def test_products_in_float8_are_measured_with_scales(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `torch._scaled_mm` computes them; `torch.mm` refuses them."""
    *_, product = operands(dtype, monkeypatch)
    assert not isinstance(product, torch.Tensor)
    with FlopCounter() as counter:
        result = product()
    assert result.dtype == torch.bfloat16
    # The scales are one factor of each output.
    expected = 2 * 32**3 + 32 * 32
    assert counter.report.by_dtype[str(dtype).removeprefix("torch.")].flops == expected
