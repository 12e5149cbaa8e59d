"""What Binder does, without Docker: it builds from ``binder/`` alone, and then people open it.

Here is no conda either. The packages that `environment.yml` names are taken from the Python Package
Index, under the names that they have there, and PyTorch is the one of development. Everything else
is as on Binder: the script `postBuild` is run, JupyterLab is started as Binder starts it, and the
notebooks have the memory that Binder gives.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.browser import jupyter
from tests.notebooks.execution import execute
from tests.notebooks.tutorials import MEMORY, NAMES, ROOT, badges
from tests.rehearsal.environments import Environment, pytorch

#: What repo2docker puts into every image.
BY_REPO2DOCKER = ("jupyterlab>=4,<5", "notebook>=7,<8", "ipywidgets>=8,<9", "nbclient")
#: Packages whose name or build differs between conda-forge and the Python Package Index.
OTHER_NAMES = {"pytorch-cpu": "", "matplotlib-base": "matplotlib", "python": "", "pip": ""}


def requirements() -> list[str]:
    """The packages of environment.yml, for pip."""
    text = (ROOT / "binder" / "environment.yml").read_text(encoding="utf-8")
    packages = []
    for entry in yaml.safe_load(text)["dependencies"]:
        name, version = re.fullmatch(r"([\w-]+)(.*)", entry).groups()  # type: ignore[union-attr]
        name = OTHER_NAMES.get(name, name)
        if name:
            packages.append(name + version)
    return packages


@pytest.fixture(scope="module")
def image(environment: Environment, clone: Path) -> Environment:
    """What Binder has built in the end."""
    environment.install(pytorch(), *BY_REPO2DOCKER, *requirements())
    assert os.access(clone / "binder" / "postBuild", os.X_OK)
    printed = environment.run(["./binder/postBuild"], clone)
    assert re.search(r"^ipyflops \d", printed, re.M)
    return environment


@contextmanager
def session(image: Environment, clone: Path) -> Iterator[str]:
    """A session's server, behind a path and a token as on Binder; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *("jupyter", "notebook", "--ip=127.0.0.1", f"--port={port}", "--no-browser"),
        *("--allow-root", "--ServerApp.base_url=/user/ipyflops-tutorials-abc/"),
        *("--IdentityProvider.token=token-of-a-session", "--ServerApp.port_retries=0"),
        "--LabApp.expose_app_in_browser=True",
    ]
    log = image.folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=clone, env=image.variables, stdout=output, stderr=output
        )
        address = f"http://127.0.0.1:{port}/user/ipyflops-tutorials-abc"
        try:
            for _ in range(300):
                try:
                    with urllib.request.urlopen(f"{address}/api", timeout=5):
                        break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def test_the_build_names_what_the_package_needs() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^dependencies = \[\n(.*?)^\]", project, re.M | re.S)
    needed = {re.match(r"[\w-]+", one).group() for one in re.findall(r'"([^"]+)"', block)}  # type: ignore[union-attr]
    named = {re.match(r"[\w-]+", one).group() for one in requirements()}  # type: ignore[union-attr]
    assert needed - {"torch"} <= named


def test_nothing_comes_from_the_working_tree(image: Environment, clone: Path) -> None:
    program = "import ipyflops, torch; print(ipyflops.__file__, torch.version.cuda)"
    where, cuda = image.run([image.python, "-c", program], clone / "notebooks").split()
    assert Path(where).is_relative_to(image.folder)
    assert cuda == "None"


@pytest.mark.parametrize("name", NAMES)
def test_each_notebook_runs(name: str, image: Environment, clone: Path, tmp_path: Path) -> None:
    done = execute(
        clone / "notebooks" / f"{name}.ipynb",
        tmp_path / "executed.ipynb",
        python=image.python,
        environment=image.variables,
    )
    done.is_as_a_reader_wants_it()
    assert done.peak_bytes < MEMORY
    print(f"{name}: {done.peak_bytes / 2**20:.0f} MiB")


def test_a_badge_opens_a_living_notebook(image: Environment, clone: Path) -> None:
    if jupyter.missing():
        assert os.environ.get("IPYFLOPS_BROWSER") != "required", jupyter.missing()
        pytest.skip(jupyter.missing())
    (path,) = re.findall(r"urlpath=([^)]+)", badges("01_quickstart"))
    with (
        session(image, clone) as address,
        jupyter.running_browser() as browser,
        jupyter.session(jupyter.Server(address, clone), browser) as opened,
    ):
        opened.page.goto(f"{address}/{path}?token=token-of-a-session")
        opened.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        opened.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
            "?.status === 'idle'",
            timeout=60_000,
        )
        # As a reader does, cell by cell, to the first report; what is out of sight has no text.
        opened.page.evaluate(
            """async () => {
                for (let cell = 0; cell < 7; cell++)
                    await jupyterapp.commands.execute('notebook:run-cell-and-select-next');
            }"""
        )
        widget = opened.page.locator(jupyter.WIDGET).first
        widget.get_by_text("MFLOPs").first.wait_for(timeout=60_000)
        widget.scroll_into_view_if_needed()
        assert "Linear" in widget.inner_text()
        assert opened.errors == []
