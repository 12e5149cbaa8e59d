"""The measured ceilings of a device, with a clock that only the products move on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ipyflops
from ipyflops import FlopCounter, Report
from ipyflops.measuring import ceiling_cache, measurements
from ipyflops.measuring.ceiling_cache import CACHE, cache_folder
from ipyflops.report import Peak, Rate
from ipyflops.units import scaled

FLOPS = {torch.float32: 1e9, torch.bfloat16: 4e9, torch.float64: 5e8}


class Machine:
    """A device on which a product, or a pass over memory, takes a known time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.products: list[tuple[int, torch.dtype]] = []
        self.sizes: list[int] = []

    def clock(self) -> float:
        return self.now

    def product(self, side: int, device: torch.device, dtype: torch.dtype) -> float:
        if dtype not in FLOPS:
            raise RuntimeError(f'"addmm" not implemented for {dtype}\nand more')
        self.products.append((side, dtype))
        # The smallest product is slow, as on a real device.
        return 2 * side**3 / (FLOPS[dtype] / (2 if side == measurements.SIDES[0] else 1))

    def passes(self, size: int, device: torch.device) -> float:
        self.sizes.append(size)
        return 2e8


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine()
    monkeypatch.setattr(measurements, "MAX_PRODUCT_SECONDS", 1e6)
    monkeypatch.setattr(measurements, "SIDES", (64, 128, 256))
    monkeypatch.setattr(measurements, "_product_seconds", machine.product)
    monkeypatch.setattr(measurements, "_passes", machine.passes)
    monkeypatch.setattr(ceiling_cache, "cache_folder", lambda: tmp_path / "cache")
    CACHE.reset()
    yield machine
    CACHE.reset()


# --- measuring -----------------------------------------------------------------------------------


def test_the_fastest_product_is_the_peak(machine: Machine) -> None:
    peak = ipyflops.peak("cpu")
    assert peak.flops_per_second == pytest.approx(1e9)
    assert peak.bytes_per_second == 2e8
    assert peak.ridge == pytest.approx(5)
    assert [side for side, _ in machine.products] == [64, 128, 256]
    assert peak.kind == "CPU"
    assert str(torch.get_num_threads()) in peak.name
    assert f"float32 {scaled(1e9, 'FLOPS')}; memory {scaled(2e8, 'B')}/s" in str(peak)


def test_products_that_take_long_are_the_last(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurements, "MAX_PRODUCT_SECONDS", 0.0)
    assert ipyflops.peak("cpu").flops_per_second == pytest.approx(5e8)
    assert [side for side, _ in machine.products] == [64]


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.int32, "int32 has no floating point operations"),
        (torch.float16, 'cannot multiply matrices of float16: "addmm" not implemented'),
    ],
)
def test_what_cannot_be_measured_is_refused(
    machine: Machine, dtype: torch.dtype, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ipyflops.peak("cpu", dtype)
    assert "\n" not in str(caught.value)


def test_progress_is_told_once(machine: Machine) -> None:
    said: list[str] = []
    ipyflops.peak("cpu", progress=said.append)
    assert said == ["measuring float32 products", "measuring memory bandwidth"]
    ipyflops.peak("cpu", progress=said.append)
    assert len(said) == 2


# --- remembering ---------------------------------------------------------------------------------


def test_it_is_measured_once_per_process(machine: Machine) -> None:
    assert ipyflops.peak("cpu") == ipyflops.peak("cpu")
    assert len(machine.products) == 3
    ipyflops.peak("cpu", fresh=True)
    assert len(machine.products) == 6


def test_the_next_process_reads_the_file(machine: Machine) -> None:
    peak = ipyflops.peak("cpu")
    CACHE.reset()
    assert ipyflops.peak("cpu") == peak
    assert len(machine.products) == 3


def test_threads_mode_and_version_are_measured_apart(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ipyflops.peak("cpu")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert "77 threads" in ipyflops.peak("cpu").name
    monkeypatch.setattr(torch, "__version__", "99.0")
    ipyflops.peak("cpu")
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    assert ipyflops.peak("cpu").rates[0].mode == "precision medium"
    assert len(machine.products) == 12


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": -1, "y": "fast"}', "\0"])
def test_a_damaged_file_is_as_good_as_none(machine: Machine, text: str, tmp_path: Path) -> None:
    file = tmp_path / "cache" / ceiling_cache.FILE
    file.parent.mkdir()
    file.write_text(text)
    ipyflops.peak("cpu")
    assert len(json.loads(file.read_text())) == 2
    assert [path.name for path in file.parent.iterdir()] == [ceiling_cache.FILE]


def test_a_folder_that_cannot_be_written_does_no_harm(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(ceiling_cache, "cache_folder", lambda: tmp_path / "file" / "cache")
    assert ipyflops.peak("cpu") == ipyflops.peak("cpu")
    assert len(machine.products) == 3


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/ipyflops"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "~/.cache/ipyflops"),
        ("linux", {}, "~/.cache/ipyflops"),
        ("darwin", {"XDG_CACHE_HOME": "/caches"}, "~/Library/Caches/ipyflops"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/ipyflops/Cache"),
        ("win32", {}, "~/AppData/Local/ipyflops/Cache"),
    ],
)
def test_the_folder_is_the_platforms(
    platform: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder).expanduser()


# --- in a report ---------------------------------------------------------------------------------

PEAK = Peak("CPU", "a machine", (Rate("float32", 1e9), Rate("float64", 1e8)), 1e8)


def mixed() -> Report:
    """As many FLOPs in float32 as in float64, and each operator takes a microsecond."""
    single = torch.nn.Linear(8, 8, bias=False)
    double = torch.nn.Linear(8, 8, bias=False).double()
    with FlopCounter() as counter:
        single(torch.ones(4, 8))
        double(torch.ones(4, 8, dtype=torch.float64))
    report = counter.report
    return replace(report, rows=tuple(replace(row, nanoseconds=10_000) for row in report.rows))


def test_each_dtype_is_weighed_by_its_own_peak() -> None:
    report = replace(mixed(), peak=PEAK)
    flops = 2 * 4 * 8 * 8
    assert report.find("single").utilization == pytest.approx(flops / 1e9 / 1e-5)
    assert report.find("double").utilization == pytest.approx(flops / 1e8 / 1e-5)
    ideal = flops / 1e9 + flops / 1e8
    assert report.totals.peak_seconds == pytest.approx(ideal)
    assert report.utilization == pytest.approx(ideal / report.seconds)
    assert report.by_dtype["float64"].peak_seconds == pytest.approx(flops / 1e8)
    assert sum(node.own.peak_seconds for node in report.walk()) == pytest.approx(ideal)


def test_no_peak_means_no_utilization() -> None:
    assert mixed().utilization == 0
    report = replace(mixed(), peak=replace(PEAK, rates=PEAK.rates[:1]))
    assert report.find("double").utilization == 0
    assert report.find("single").utilization > 0


def test_complex_products_are_weighed_by_their_parts() -> None:
    assert PEAK.rate("complex64") == PEAK.rates[0]
    assert PEAK.rate("complex128") == PEAK.rates[1]
    assert PEAK.rate("bfloat16") is None


def test_timing_and_peak_are_saved() -> None:
    from ipyflops.report import Timing

    timing = Timing((1.0, 1.5), 3, 2, 9, "why", "remark", ("x", "y"), True)
    report = replace(mixed(), peak=PEAK, timing=timing, device="cuda:1")
    data = json.loads(json.dumps(report.to_dict()))
    assert Report.from_dict(data) == report
    for name in ("timing", "peak", "device"):
        del data[name]
    assert Report.from_dict(data) == replace(report, peak=None, timing=None, device="cpu")


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("timing", ["seconds"], [-1.0]),
        ("timing", ["seconds"], None),
        ("timing", ["loops"], True),
        ("timing", ["moved"], [3]),
        ("timing", [], "fast"),
        ("peak", ["rates"], []),
        ("peak", ["rates", 0, "flops_per_second"], 0),
        ("peak", ["rates", 0, "flops_per_second"], "1"),
        ("peak", ["bytes_per_second"], float("inf")),
        ("peak", ["name"], None),
    ],
)
def test_damage_is_refused(name: str, path: list[Any], wrong: Any) -> None:
    from ipyflops.report import ReportFormatError, Timing

    data: Any = replace(mixed(), peak=PEAK, timing=Timing((1.0,))).to_dict()
    place, steps = data, [name, *path]
    for one in steps[:-1]:
        place = place[one]
    place[steps[-1]] = wrong
    with pytest.raises(ReportFormatError):
        Report.from_dict(data)


def test_merged_reports_keep_a_peak_that_they_share() -> None:
    one = replace(mixed(), peak=PEAK)
    assert Report.merge([one, one]).peak == PEAK
    assert Report.merge([one, mixed()]).peak is None
    assert Report.merge([one, one]).utilization == pytest.approx(one.utilization)
