"""What the tests of accelerators share: a device, and processes of their own.

They run where PyTorch has a CUDA device, a real one or a simulated one (see `simulator/README.md`
and `make test-cuda`), and are skipped elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.accelerators.simulator import control

ROOT = Path(__file__).parents[2]
#: Runs a script in a process of its own and gives what it prints, which is JSON.
InProcess = Callable[..., Any]


@pytest.fixture(scope="session")
def cuda() -> torch.device:
    """The first CUDA device."""
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device: make test-cuda simulates one")
    return torch.device("cuda", 0)


@pytest.fixture
def simulated(cuda: torch.device) -> Iterator[torch.device]:
    """A simulated device, whose true kernel times are known."""
    if not control.is_simulated():
        pytest.skip("the device is a real one, which does not tell what is true")
    torch.cuda.synchronize()
    control.reset()
    yield cuda
    control.fail_from_now_on(0)


@pytest.fixture
def two_gpus(cuda: torch.device) -> tuple[torch.device, torch.device]:
    """Two CUDA devices."""
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one CUDA device: make test-cuda simulates two")
    return torch.device("cuda", 0), torch.device("cuda", 1)


@pytest.fixture
def in_process(cuda: torch.device) -> InProcess:
    """Run a script in a fresh process, as things happen at the first use of a device."""

    def run(script: str, **environment: str) -> Any:
        # PyTorch's threads end in C++, in any order, when a process ends: that is left out.
        script = textwrap.dedent(script) + "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n"
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
