"""Which driver an accelerator has: a remembered ceiling holds for one release of it.

NVIDIA's own library is asked as `nvidia-smi` asks it. That sets up no device, so that processes
which are forked later may still use CUDA.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

#: Where the Linux drivers say their release.
_AMD = Path("/sys/module/amdgpu/version")
_NVIDIA = Path("/sys/module/nvidia/version")
_NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


def nvidia_driver() -> str:
    """The release of NVIDIA's driver, such as ``550.54.15``; empty where it cannot be found out."""
    try:
        library = ctypes.CDLL(_NVML)
        text = ctypes.create_string_buffer(96)
        if library.nvmlInit_v2() == 0:
            found = library.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text))) == 0
            library.nvmlShutdown()
            if found and text.value:
                return text.value.decode(errors="replace")
    except (OSError, AttributeError):  # no such library, or no such function in it
        pass
    return _release(_NVIDIA)


def amd_driver() -> str:
    """The release of AMD's driver on Linux; empty where it cannot be found out."""
    return _release(_AMD)


def _release(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
