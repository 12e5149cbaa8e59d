"""Tutorials run with Colab's packages, by nbclient."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.execution import execute
from tests.notebooks.tutorials import path_of

#: The quickstart, and those on what Colab's users count most.
NAMES = ("01_quickstart", "02_flops_by_layer", "04_transformers", "05_training")


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name: str, tmp_path: Path) -> None:
    execute(path_of(name), tmp_path / "executed.ipynb").is_as_a_reader_wants_it()
