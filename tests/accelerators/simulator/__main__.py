"""Builds the simulator for the PyTorch of this Python.

``python -m tests.accelerators.simulator HEADERS TO``: HEADERS is a folder in which the package
``nvidia-cuda-runtime`` was unpacked, and TO is where the libraries go. PyTorch finds them there by
``LD_LIBRARY_PATH``. Where the simulator cannot be built, the reason is printed and the exit status
is 2.
"""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tests.accelerators.simulator.stub_libraries import build

CANNOT = 2


def reason_against() -> str:
    """Say why the simulator cannot be built here; nothing where it can."""
    if platform.system() != "Linux":
        return "it is for Linux"
    missing = [name for name in ("g++", "gcc", "nm") if shutil.which(name) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    if not list((_torch() / "lib").glob("libtorch_cuda.so")):
        return f"PyTorch {version('torch')} is no build for CUDA"
    return ""


def _torch() -> Path:
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def main(package: Path, to: Path) -> int:
    reason = reason_against()
    if reason:
        print(f"the CUDA simulator cannot be built: {reason}", file=sys.stderr)
        return CANNOT
    build(_torch() / "lib", package / "nvidia" / "cu13" / "include", to)
    return 0


if __name__ == "__main__":
    sys.exit(main(*(Path(one).resolve() for one in sys.argv[1:])))
