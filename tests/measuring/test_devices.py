"""Devices that are not here: their names, drivers, precisions and data sheets."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ipyflops
from ipyflops.measuring import ceiling_cache, devices, drivers, measurements, peaks, precision
from ipyflops.measuring.ceiling_cache import CACHE
from tests.missing import needs


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """What torch says of a GPU, whose products and passes take no time to measure."""
    asked: list[Any] = []
    one = SimpleNamespace(name="NVIDIA A100-SXM4-80GB", L2_cache_size=40 * 2**20, asked=asked)

    def product(side: int, device: torch.device, dtype: torch.dtype) -> float:
        asked.append((side, getattr(torch.backends.cuda.matmul, "fp32_precision", "")))
        return 1e-12 * side**3

    monkeypatch.setattr(peaks, "accelerator_built_for", lambda: "cuda")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: one.name)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: one)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(devices, "nvidia_driver", lambda: "550.54.15")
    monkeypatch.setattr(measurements, "_product_seconds", product)
    monkeypatch.setattr(measurements, "_passes", lambda size, device: 1e12)
    monkeypatch.setattr(ceiling_cache, "cache_folder", lambda: tmp_path / "cache")
    CACHE.reset()
    yield one
    CACHE.reset()


@pytest.fixture
def matmul() -> Iterator[Any]:
    """The switch for TF32, put back afterwards."""
    switch: Any = torch.backends.cuda.matmul
    needs(hasattr(switch, "fp32_precision"), "the newer switch for TF32")
    yield switch
    switch.fp32_precision = "none"


def test_a_gpu_goes_first_and_has_its_data_sheet(gpu: Any, tmp_path: Path) -> None:
    peak = ipyflops.peak(dtype=torch.bfloat16)
    assert (peak.kind, peak.name) == ("GPU", "NVIDIA A100-SXM4-80GB")
    assert peak.rates[0].data_sheet == 312e12
    assert peak.data_sheet_bytes_per_second == 2039e9
    assert "data sheet" in str(peak)
    keys = json.loads((tmp_path / "cache" / ceiling_cache.FILE).read_text())
    assert len(keys) == 2
    assert all("driver 550.54.15, runtime 12.8" in key for key in keys)


def test_the_peak_of_a_gpu_knows_its_cache(gpu: Any) -> None:
    """A product of 8×8 moves 768 bytes, all of which 40 MiB hold: only its FLOPs take time."""
    peak = ipyflops.peak("cuda", torch.float32)
    assert peak.cache_bytes == 40 * 2**20
    assert ipyflops.Device.of_peak(peak).cache == 40 * 2**20
    with ipyflops.FlopCounter(device_time=False) as counter:
        torch.ones(8, 8) @ torch.ones(8, 8)
    whole = counter.report.on(ipyflops.Device.of_peak(peak)).whole
    assert whole.memory_seconds == 0
    assert whole.compute_seconds > 0


def test_another_driver_is_measured_anew(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ipyflops.peak("cuda", torch.bfloat16)
    before = len(gpu.asked)
    ipyflops.peak("cuda", torch.bfloat16)
    assert len(gpu.asked) == before
    monkeypatch.setattr(devices, "nvidia_driver", lambda: "580.82.07")
    ipyflops.peak("cuda", torch.bfloat16)
    assert len(gpu.asked) == 2 * before


def test_an_unknown_gpu_has_no_data_sheet(gpu: Any) -> None:
    gpu.name = "Something New"
    peak = ipyflops.peak(dtype=torch.bfloat16)
    assert peak.rates[0].data_sheet is None
    assert peak.data_sheet_bytes_per_second is None


def test_tf32_is_a_rate_of_its_own(gpu: Any, matmul: Any) -> None:
    """Each is measured in its precision, whatever is set, and what was set stays."""
    assert ipyflops.peak("cuda").rates[0].data_sheet == 19.5e12
    assert {precision for _, precision in gpu.asked} == {"ieee"}
    gpu.asked.clear()
    tf32 = ipyflops.peak("cuda", "tf32").rates[0]
    assert (tf32.dtype, tf32.mode, tf32.data_sheet) == ("tf32", "", 156e12)
    assert {precision for _, precision in gpu.asked} == {"tf32"}
    assert matmul.fp32_precision == "none"
    gpu.asked.clear()
    matmul.fp32_precision = "tf32"
    set_so = ipyflops.peak("cuda").rates[0]
    assert (set_so.dtype, set_so.mode, set_so.data_sheet) == ("float32", "tf32", 156e12)
    assert gpu.asked == []  # the same products as those of "tf32"
    assert matmul.fp32_precision == "tf32"


def test_what_has_no_tf32_says_so() -> None:
    with pytest.raises(ValueError, match="has no TF32 to measure"):
        ipyflops.peak("cpu", "tf32")
    with pytest.raises(ValueError, match="'fast' is no dtype of PyTorch, and not 'tf32'"):
        ipyflops.peak("cpu", "fast")


@pytest.mark.parametrize("value", ["tf32", "ieee"])
def test_the_cpu_does_not_care_how_a_gpu_multiplies(value: str, matmul: Any) -> None:
    """PyTorch's older question for the precision raises where the newer one was set."""
    matmul.fp32_precision = value
    assert precision.mode_of(torch.device("cpu"), torch.float32) == ""


def test_the_cpus_own_precision_is_asked_beside_that(matmul: Any) -> None:
    matmul.fp32_precision = "tf32"
    cpu: Any = torch.backends.mkldnn.matmul
    cpu.fp32_precision = "bf16"
    try:
        assert precision.mode_of(torch.device("cpu"), torch.float32) == "precision bf16"
    finally:
        cpu.fp32_precision = "none"


def test_an_older_pytorch_is_asked_and_set_in_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(allow_tf32=False)
    monkeypatch.setattr(torch.backends.cuda, "matmul", old)
    cuda = torch.device("cuda")
    assert precision.mode_of(cuda, torch.float32) == ""
    with precision.products_in(cuda, "tf32"):
        assert old.allow_tf32 is True
        assert precision.mode_of(cuda, torch.float32) == "tf32"
    assert old.allow_tf32 is False


# --- other accelerators --------------------------------------------------------------------------


def test_an_intel_gpu_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(
        name="Intel(R) Arc(TM) B580", driver_version="1.6.33", last_level_cache_size=18 * 2**20
    )
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda device=None: properties)
    device = torch.device("xpu", 0)
    assert devices.Device.of(device) == devices.Device(
        "GPU", "Intel(R) Arc(TM) B580", "driver 1.6.33"
    )
    assert devices.cache_bytes(device) == 18 * 2**20
    assert devices.data_sheet(device) is None


def test_an_apple_gpu_is_called_by_its_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_name", lambda: "Apple M2 Pro")
    monkeypatch.setattr("platform.mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    described = devices.Device.of(torch.device("mps"))
    assert described == devices.Device("GPU", "Apple M2 Pro (MPS)", "macOS 15.1")
    assert devices.cache_bytes(torch.device("mps")) == 0


# --- drivers -------------------------------------------------------------------------------------


class Nvml:
    """NVIDIA's library, which writes its answer to where it is told."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.open = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - its own name
        self.open += 1
        return self.status

    def nvmlShutdown(self) -> int:  # noqa: N802 - its own name
        self.open -= 1
        return 0

    def nvmlSystemGetDriverVersion(self, text: Any, length: Any) -> int:  # noqa: N802 - likewise
        assert length.value == len(text) >= 80  # as its documentation asks for
        text.value = b"550.54.15"
        return 0


def test_nvidias_library_tells_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Nvml()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert drivers.nvidia_driver() == "550.54.15"
    assert library.open == 0


@pytest.mark.parametrize("library", [Nvml(status=9), object(), None])
def test_without_it_the_kernel_module_does(
    library: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(name: str) -> Any:
        if library is None:
            raise OSError(name)
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(drivers, "_NVIDIA", tmp_path / "version")
    assert drivers.nvidia_driver() == ""
    (tmp_path / "version").write_text("535.104.05\n")
    assert drivers.nvidia_driver() == "535.104.05"


def test_amds_driver_is_asked_on_a_rocm_build(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.3")
    monkeypatch.setattr(devices, "amd_driver", lambda: "6.10.5")
    assert devices.Device.of(torch.device("cuda")).driver == "driver 6.10.5, runtime 6.3"


def test_a_driver_that_tells_nothing_is_unknown(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "nvidia_driver", lambda: "")
    assert devices.Device.of(torch.device("cuda")).driver == "driver unknown, runtime 12.8"


@pytest.mark.skipif(sys.platform != "linux", reason="the file is Linux's")
def test_no_driver_here_is_no_error() -> None:
    assert isinstance(drivers.nvidia_driver(), str)
    assert isinstance(drivers.amd_driver(), str)
