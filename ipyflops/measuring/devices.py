"""Which device this is, and what its maker says of it."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ipyflops.counting import module_of
from ipyflops.measuring.drivers import amd_driver, nvidia_driver
from ipyflops.report import DataSheet, data_sheet_of


@dataclass(frozen=True, slots=True)
class Device:
    """The name of a device, and what its speed depends on.

    Attributes
    ----------
    kind : str
        ``CPU`` or ``GPU``, or what torch calls it.
    name : str
        Such as ``AMD EPYC, 2 threads``.
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
        if device.type == "xpu":
            properties: Any = torch.xpu.get_device_properties(device)
            return cls("GPU", properties.name, f"driver {properties.driver_version}")
        if device.type == "mps":  # a part of the chip that the CPU is, too
            return cls("GPU", f"{cpu_name()} (MPS)", f"macOS {platform.mac_ver()[0]}")
        return cls(device.type, f"{device.type}, {cpu_name()}")


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
    hip: str | None = torch.version.hip
    release = amd_driver() if hip else nvidia_driver()
    runtime = hip or torch.version.cuda or ""
    # A driver that does not tell its release still has one that a runtime asks for.
    return f"driver {release or 'unknown'}, runtime {runtime}"


def cache_bytes(device: torch.device) -> int:
    """The size of a device's last cache as PyTorch gives it; 0 where it gives none."""
    if device.type not in ("cuda", "xpu"):
        return 0
    properties: Any = module_of(device.type).get_device_properties(device)
    sizes = (getattr(properties, name, 0) for name in ("L2_cache_size", "last_level_cache_size"))
    return max(int(size) for size in sizes)


def caches_of(device: torch.device) -> int:
    """What may stay in the caches of a device from one operator to the next; 0 where unknown."""
    return cpu_cache_bytes() if device.type == "cpu" else cache_bytes(device)


def cpu_cache_bytes() -> int:
    """What all caches of the processors hold together; 0 where the system does not say.

    On AMD's processors what is in one level of caches is not in the next, so all levels count.
    """
    sizes: dict[tuple[str, str], int] = {}
    for cache in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cache/index[0-9]*"):
        if _file_text(str(cache / "type")).strip() == "Instruction":
            continue
        shared = _file_text(str(cache / "shared_cpu_list")).strip()
        size = _file_text(str(cache / "size")).strip().removesuffix("K")
        if size.isdecimal():
            sizes[cache.name, shared] = int(size) * 1024
    if not sizes and sys.platform == "darwin":
        names = ("hw.perflevel0.l2cachesize", "hw.l2cachesize", "hw.l3cachesize")
        found = [_command_output("sysctl", "-n", name).strip() for name in names]
        return sum(int(size) for size in found if size.isdecimal())
    return sum(sizes.values())


def data_sheet(device: torch.device) -> DataSheet | None:
    """What the maker says of a device; None where that is not known."""
    return data_sheet_of(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
