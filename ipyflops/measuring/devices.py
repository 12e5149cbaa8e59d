"""Which device this is, and what its maker says of it."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ipyflops.torch_private import cuda_driver_version, data_sheet_of


@dataclass(frozen=True, slots=True)
class Device:
    """The name of a device, and what its speed depends on.

    Attributes
    ----------
    kind : str
        ``CPU`` or ``GPU``, or what torch calls it.
    name : str
        As ``AMD EPYC, 2 threads``.
    driver : str
        Versions of the driver and the runtime; empty for a CPU.
    """

    kind: str
    name: str
    driver: str = ""

    @classmethod
    def of(cls, device: torch.device) -> Device:
        """Look a device up."""
        if device.type == "cpu":
            threads = torch.get_num_threads()
            return cls("CPU", f"{cpu_name()}, {threads} thread{'s' if threads != 1 else ''}")
        if device.type == "cuda":
            return cls("GPU", torch.cuda.get_device_name(device), _cuda_driver())
        return cls(device.type, platform.machine())


def cpu_name() -> str:
    """The processor's name as its maker gives it; if that is not known, what Python knows."""
    name = ""
    if sys.platform == "linux":
        name = _after_colon(_file_text("/proc/cpuinfo"), "model name")
    elif sys.platform == "darwin":
        name = _command_output("sysctl", "-n", "machdep.cpu.brand_string")
    return " ".join((name or platform.processor() or platform.machine() or "CPU").split())


def _after_colon(text: str, name: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value
    return ""


def _file_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _command_output(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _cuda_driver() -> str:
    version = cuda_driver_version()
    runtime = torch.version.hip or torch.version.cuda or ""
    return f"driver {version}, runtime {runtime}"


def mode_of(device: torch.device, dtype: torch.dtype) -> str:
    """The precision that products of a dtype are set to, as ``tf32``; empty for the usual one."""
    if dtype is not torch.float32:
        return ""
    if device.type == "cuda":
        matmul: Any = torch.backends.cuda.matmul
        precision = getattr(matmul, "fp32_precision", None)
        tf32 = precision == "tf32" if precision is not None else matmul.allow_tf32
        return "tf32" if tf32 else ""
    precision = torch.get_float32_matmul_precision()
    return "" if precision == "highest" else f"precision {precision}"


def data_sheet_flops(device: torch.device, dtype: torch.dtype) -> float | None:
    """FLOPS of dense products by the data sheet; None if torch does not know it."""
    info = _data_sheet(device)
    tf32 = dtype is torch.float32 and mode_of(device, dtype) == "tf32"
    tera = info and info.tops.get("torch.tf32" if tf32 else dtype)
    if not tera:
        return None
    # Data sheets may give the rate of sparse products, except for plain float32 and float64.
    plain = dtype is torch.float64 or (dtype is torch.float32 and not tf32)
    if not plain and not hasattr(info, "tops_sparsity_factor"):
        # PyTorch 2.12 does not say that its rates of the H100 are sparse, and has the A100's TF32.
        return None if "H100" in torch.cuda.get_device_name(device) else float(tera) * 1e12
    factor = 1 if plain else info.tops_sparsity_factor
    return float(tera) * 1e12 / factor


def data_sheet_bandwidth(device: torch.device) -> float | None:
    """Bytes per second of the device's memory by the data sheet; None if torch does not know it."""
    info = _data_sheet(device)
    return float(info.dram_bw_gbs) * 1e9 if info else None


def _data_sheet(device: torch.device) -> Any:
    if device.type != "cuda":
        return None
    return data_sheet_of(device)
