"""Rehearsals make environments of their own, which takes minutes: ``make rehearse`` runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rehearsal import environments
from tests.rehearsal.environments import Environment

if not os.environ.get("IPYFLOPS_REHEARSE"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where PyTorch was installed."""
    return environments.install_pytorch(tmp_path_factory.mktemp("pytorch"))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository, as somebody who has just cloned it."""
    return environments.clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, pytorch: Path) -> Environment:
    """An environment with PyTorch alone, for the tests of one module."""
    return environments.make_environment(tmp_path_factory.mktemp("environment"), pytorch)
