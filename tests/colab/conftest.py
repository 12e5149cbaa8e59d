"""Tests for an environment with Google Colab's packages, which ``make test-colab`` makes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, kernel

if not os.environ.get("IPYFLOPS_COLAB"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def colab() -> Iterator[Kernel]:
    """A kernel, with the extension and a small model."""
    with kernel() as one:
        for cell in (
            "import torch",
            "import time; start = time.process_time()",
            "%load_ext ipyflops",
            "took = time.process_time() - start",
            "model = torch.nn.Linear(4, 2); x = torch.ones(3, 4)",
        ):
            done = one.run(cell)
            assert (done.error, done.outputs) == ("", []), cell
        yield one
