"""Pictures of the widget in two other front ends, for the gallery; ``make pictures`` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import jupyter
from tests.browser.hosts import servers, vscode
from tests.browser.looking import chart, row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent


def in_vscode(server: jupyter.Server, browser: Browser, cells: list[str]) -> bytes:
    """The widget of the last cell in VS Code's own bundle, in its dark theme."""
    modules = HERE / "node_modules"
    program = vscode.program(modules, server.folder)
    styles = vscode.WHITE_BOX + vscode.BRIDGE
    with vscode.notebook(server, browser, modules, program, styles=styles, width=1100) as notebook:
        notebook.dress("vscode-dark")
        ground = vscode.THEMES["vscode-dark"]["editor.background"]
        notebook.page.add_style_tag(content=f"html {{ background: {ground}; }}")
        for cell in cells:
            notebook.run(cell)
        widget = notebook.widget
        widget.wait_for(timeout=120_000)
        row(widget, "layer2").click()
        chart(widget)
        notebook.page.mouse.move(0, 0)
        return widget.screenshot()


def in_marimo(browser: Browser, folder: Path) -> bytes:
    """A marimo app: the widget, and the text of a cell that follows what is selected in it."""
    command = (
        *("marimo", "-q", "run", str(HERE / "marimo_app.py"), "--headless", "--no-token"),
        *("--host=127.0.0.1", "--port={port}"),
    )
    with servers.serving(command, folder, folder / "marimo.log") as address:
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        page.goto(address)
        widget = page.locator(jupyter.WIDGET)
        widget.wait_for(timeout=120_000)
        row(widget, "0").click()
        page.get_by_text("selected model.0").wait_for()
        chart(widget)
        page.mouse.move(0, 0)
        picture = page.screenshot()
        page.close()
    return picture
