"""The tutorials' first cell: where ipyflops is missing it installs that alone, else nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import Kernel, kernel
from tests.notebooks.tutorials import ROOT, repository, setup

#: What a kernel has installed: names and releases.
INSTALLED = "{one.metadata['Name']: one.version for one in distributions()}"


def variables(folder: Path, origin: Path) -> dict[str, str]:
    """An environment where the address of the project leads to a repository on this machine."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        **inherited,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{repository()}",
        "PIP_REPORT": str(folder / "report.json"),
    }


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of the same packages without ipyflops; gives its folder."""
    folder = tmp_path_factory.mktemp("without")
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    for one in Path(sysconfig.get_path("purelib")).iterdir():
        if not one.name.startswith("ipyflops"):
            (packages / one.name).symlink_to(one)
    return folder


@pytest.fixture(scope="module")
def fresh(without: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("content")
    with kernel(str(without / "bin" / "python"), variables(folder, ROOT), str(folder)) as one:
        assert one.run("from importlib.metadata import distributions").error == ""
        yield one


def reported(fresh: Kernel) -> list[Mapping[str, Any]]:
    """What pip says that it installed."""
    path = Path(fresh.value("__import__('os').environ['PIP_REPORT']"))
    installed: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["install"]
    return installed


def test_it_installs_ipyflops_and_nothing_else(fresh: Kernel, without: Path) -> None:
    before = fresh.value(INSTALLED)
    assert before["ipython"] == "7.34.0"
    assert "ipyflops" not in before
    assert fresh.value("__import__('importlib').util.find_spec('ipyflops') is None")
    done = fresh.run(setup())
    assert done.error == "", done.outputs
    assert [one["metadata"]["name"] for one in reported(fresh)] == ["ipyflops"]
    after = fresh.value(INSTALLED)
    assert after.pop("ipyflops")
    assert after == before
    # It is in the environment, and the tutorials' models are where the notebook now stands.
    for cell in ("import ipyflops", "%load_ext ipyflops", "import models, torch"):
        assert fresh.run(cell).error == "", cell
    assert fresh.value("ipyflops.__file__").startswith(str(without))
    counted = fresh.run("%flops --view text torch.nn.Linear(4, 2)(torch.ones(3, 4))")
    assert "48 FLOPs" in counted.outputs[0]["data"]["text/plain"]  # 2·3·4·2


def test_it_does_nothing_where_ipyflops_is(tmp_path: Path) -> None:
    """The address leads nowhere here, so that an installation would fail."""
    there = variables(tmp_path, tmp_path / "nowhere")
    with kernel(variables=there, folder=str(tmp_path)) as one:
        done = one.run(setup())
        assert (done.error, done.outputs) == ("", [])
        assert one.value("__import__('os').getcwd()") == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
