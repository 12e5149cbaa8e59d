"""A cluster of two engines for each file of tests that asks for one, and shells connected to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.shells import fresh_shell

#: Seconds that a cluster has to start; no test is about how long it takes.
START = 240


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    ipp = pytest.importorskip("ipyparallel")
    folder = tmp_path_factory.mktemp("ipython")
    before = {name: os.environ.get(name) for name in ("IPYTHONDIR", "OMP_NUM_THREADS")}
    os.environ.update(IPYTHONDIR=str(folder), OMP_NUM_THREADS="1")
    try:
        cluster = ipp.Cluster(n=2, controller_ip="127.0.0.1", log_level=40, engine_timeout=START)
        with cluster as client:
            client.wait_for_engines(2, timeout=START, interactive=False)
            client[:].execute("import torch; torch.set_num_threads(1)", block=True)
            yield client
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture
def shell(client: Any) -> Iterator[InteractiveShell]:
    view = client[:]
    view.scatter("number", list(client.ids), flatten=True, block=True)
    with fresh_shell("ipyflops") as shell:
        shell.user_ns["view"] = view
        view.activate()
        yield shell
