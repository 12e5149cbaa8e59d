"""One server for all tests, one browser for the tests of a file, one page for each test.

The browser goes with its file because Playwright keeps an event loop running in the process as
long as it lives, and no test of another file could start one of its own beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import jupyter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = os.path.dirname(__file__)
AXE = Path(__file__).parents[1] / "javascript/node_modules/axe-core/axe.min.js"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def _needed() -> None:
    """Skip these tests where they cannot run, unless they are required."""
    lack = jupyter.missing()
    if lack and os.environ.get("IPYFLOPS_BROWSER") == "required":
        pytest.fail(f"the browser tests are required, but {lack}")
    if lack:
        pytest.skip(f"{lack}; see CONTRIBUTING.md")


@pytest.fixture(scope="module")
def browser(_needed: None) -> Iterator[Browser]:
    with jupyter.running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(_needed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[jupyter.Server]:
    with jupyter.running_server(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def session(server: jupyter.Server, browser: Browser) -> Iterator[jupyter.Session]:
    """A page that must not have asked for anything elsewhere, nor have failed."""
    with jupyter.session(server, browser) as session:
        yield session
        assert session.outside == []
        assert session.errors == []


@pytest.fixture(scope="module")
def _workbench(server: jupyter.Server, browser: Browser) -> Iterator[jupyter.Session]:
    with jupyter.session(server, browser) as session:
        session.open(server.notebook("workbench.ipynb", [""]))
        yield session


@pytest.fixture
def workbench(_workbench: jupyter.Session) -> Iterator[jupyter.Session]:
    """JupyterLab with a notebook whose cells each test replaces; starting it takes seconds."""
    yield _workbench
    assert _workbench.outside == []
    assert _workbench.errors == []
    _workbench.errors.clear()


@pytest.fixture(scope="session")
def axe(_needed: None) -> str:
    """The program of axe-core, which `make lint-js` installs with the other tools of npm."""
    if not AXE.exists():
        reason = "there is no axe-core; `make lint-js` installs it"
        if os.environ.get("IPYFLOPS_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return AXE.read_text(encoding="utf-8")
