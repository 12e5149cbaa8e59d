"""The distributions: built as for a release, checked, and used where there is nothing else."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.rehearsal.environments import Environment
from tests.test_public_names import PUBLIC_NAMES

#: Two cells, as somebody types them in IPython.
SESSION = """
import sys
from importlib.metadata import version

from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

config = Config()
config.HistoryManager.enabled = False
shell = TerminalInteractiveShell.instance(config=config)
for cell in (
    "%load_ext ipyflops",
    "import torch; model = torch.nn.Linear(4, 2); x = torch.ones(3, 4)",
    "%%flops\\nmodel(x)",
    "import ipyflops; assert ipyflops.last().flops == 2 * 3 * 2 * 4",
):
    shell.run_cell(cell, store_history=True).raise_error()

import ipyflops
from ipyflops.views.widget.view import FlopsView

assert version("ipyflops") == ipyflops.__version__
view = FlopsView(ipyflops.last())
assert "export" in str(view._esm) and "treegrid" in view._program.code
assert ".ipyflops" in view._program.style
assert "<details" in ipyflops.last()._repr_mimebundle_()["text/html"]
print(*sorted(ipyflops.__all__))
print(ipyflops.__file__)
"""


@pytest.fixture(scope="module")
def built(environment: Environment, clone: Path) -> Path:
    """The folder with the wheel and the source distribution."""
    environment.install("build", "twine")
    folder = environment.folder / "dist"
    environment.run([environment.python, "-m", "build", "--outdir", str(folder), "."], clone)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("ipyflops-*-py3-none-any.whl")
    return found


def files_of(clone: Path) -> set[str]:
    """What the package has: all files in its folder but compiled ones."""
    return {
        str(path.relative_to(clone))
        for path in (clone / "ipyflops").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_index_would_take_them(environment: Environment, built: Path) -> None:
    files = sorted(map(str, built.iterdir()))
    assert len(files) == 2
    command = [environment.python, "-m", "twine", "check", "--strict", *files]
    assert environment.run(command, built).count("PASSED") == 2


def test_the_wheel_has_every_file_of_the_package_but_the_documents(
    wheel: Path, clone: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if not re.match(r"ipyflops-[^/]+\.dist-info/", name)}
    documents = {name for name in files_of(clone) if name.endswith(".md")}
    # The plugin for pytest stands beside the package: see ipyflops/pytest_plugin.py.
    plugin = {"ipyflops/pytest_plugin.py"}
    assert package == (files_of(clone) - documents - plugin) | {"ipyflops_pytest.py"}
    assert {"ipyflops/py.typed", "ipyflops/views/widget/static/widget.js"} <= package
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_source_distribution_has_the_tests_and_tutorials(built: Path, clone: Path) -> None:
    (found,) = built.glob("ipyflops-*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files_of(clone) <= names
    assert {"README.md", "tests/report/test_report.py", "notebooks/01_quickstart.ipynb"} <= names


def test_the_version_comes_from_one_place(wheel: Path, clone: Path) -> None:
    source = (clone / "ipyflops" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', source, re.M)
    assert wheel.name == f"ipyflops-{version}-py3-none-any.whl"
    assert "dynamic" in (clone / "pyproject.toml").read_text(encoding="utf-8")


def test_it_works_from_the_wheel(environment: Environment, wheel: Path, tmp_path: Path) -> None:
    environment.install(str(wheel))
    environment.run([environment.python, "-m", "pip", "check"], tmp_path)
    script = tmp_path / "session.py"
    script.write_text(SESSION, encoding="utf-8")
    printed = environment.run([environment.python, str(script)], tmp_path)
    assert "model Linear" in printed
    *_, names, file = printed.splitlines()
    assert names.split() == PUBLIC_NAMES
    assert Path(file).is_relative_to(environment.folder)
