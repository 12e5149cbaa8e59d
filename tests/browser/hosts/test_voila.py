"""A notebook in Voila: `%%flops` with no option shows the widget there, with a living kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser import jupyter
from tests.browser.hosts import servers
from tests.browser.looking import chart, rows
from tests.browser.networks import REAL

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REQUIRE = Path(__file__).parent / "node_modules" / "requirejs" / "require.js"


def test_the_widget_shows(browser: Browser, tmp_path: Path) -> None:
    cells = [REAL, "%%flops\nnet(x).sum().backward()"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, tmp_path / "page.ipynb")
    command = ("voila", "page.ipynb", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1")
    with servers.serving(command, tmp_path, tmp_path / "log") as address:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        # Its page takes this one from the network.
        page.route("https://cdnjs.cloudflare.com/**", lambda route: route.fulfill(path=REQUIRE))
        page.goto(address, timeout=60_000)
        widget = page.locator(jupyter.WIDGET)
        widget.wait_for()
        assert rows(widget)[0] == "(all)"
        assert "svg" in chart(widget)
        # The HTML stays behind it.
        assert page.locator(".ipyflops-stand-in").count() == 1
        assert not page.locator(".ipyflops-stand-in").is_visible()
        page.close()
