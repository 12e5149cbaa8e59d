"""Other front ends, each with its own real program: ``make test-hosts`` installs and runs them.

What npm brings (`package.json`) lies beside this file; what pip brings (`requirements.txt`) in an
environment of its own, `.venv-hosts`, which sees what `.venv` has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import jupyter
from tests.browser.hosts import vscode

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"

#: A program of marimo's, which only .venv-hosts has.
collect_ignore = ["marimo_app.py"]
if not os.environ.get("IPYFLOPS_HOSTS"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def vscode_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What plays VS Code's part in a page, in one file."""
    return vscode.program(MODULES, tmp_path_factory.mktemp("vscode"))


@pytest.fixture(scope="module", params=vscode.BUNDLES, ids="ipywidgets {}".format)
def notebook(
    request: pytest.FixtureRequest, server: jupyter.Server, browser: Browser, vscode_program: str
) -> Iterator[vscode.Notebook]:
    """A notebook's outputs in VS Code, with a kernel of their own that has the bundle's release."""
    with vscode.notebook(server, browser, MODULES, vscode_program, version=request.param) as one:
        yield one
