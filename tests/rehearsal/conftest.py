"""Rehearsals make environments of their own, which takes minutes: ``make rehearse`` runs them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal import environments
from tests.rehearsal.environments import Environment

if not os.environ.get("IPYFLOPS_REHEARSE"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where PyTorch was installed."""
    folder = tmp_path_factory.mktemp("pytorch")
    yield environments.install_pytorch(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository, as somebody who has just cloned it."""
    return environments.clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, pytorch: Path) -> Iterator[Environment]:
    """An environment with PyTorch alone, for the tests of one module.

    It is removed after them: pytest keeps temporary folders for three runs, and these are of
    several gigabytes together.
    """
    folder = tmp_path_factory.mktemp("environment")
    yield environments.make_environment(folder, pytorch)
    shutil.rmtree(folder, ignore_errors=True)
