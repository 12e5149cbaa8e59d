"""The report where no widget lives: reopened, converted, and in another front end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat

from tests.browser.jupyter import WIDGET
from tests.browser.looking import rows
from tests.browser.networks import BY_HAND, REAL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.jupyter import Session


def test_notebook_7_shows_the_widget_and_a_reopened_notebook_the_html(session: Session) -> None:
    widget = session.show("seven.ipynb", [REAL, "%%flops\nnet(x)"], app="notebook")
    assert rows(widget)[0] == "net"
    session.command("docmanager:save")
    session.page.wait_for_timeout(1500)
    saved = nbformat.read(session.server.folder / "seven.ipynb", 4)
    widget_view, stand_in = (output.data for output in saved.cells[1].outputs[:2])
    assert list(widget_view) == ["application/vnd.jupyter.widget-view+json"]
    assert "net" in stand_in["text/plain"]
    assert "widgets" not in saved.metadata
    assert not session.page.locator(".ipyflops-stand-in").is_visible()

    # With another kernel there is no widget: the HTML is shown, and nothing of an error.
    reopened = session.server.notebook("reopened.ipynb", [])
    nbformat.write(saved, session.server.folder / reopened)
    session.page.goto(f"{session.server.url}/lab/tree/{reopened}?reset")
    html = session.page.locator(".ipyflops-stand-in .ipyflops")
    html.wait_for(state="visible")
    session.page.wait_for_timeout(5000)
    assert "FLOPs" in html.inner_text()
    assert html.locator("summary", has_text="net").first.is_visible()
    assert session.page.locator(WIDGET).count() == 0
    assert "Error displaying widget" not in session.page.locator(".jp-Notebook").inner_text()


def test_converted_to_html_it_works_offline(session: Session, tmp_path: Path) -> None:
    cells = [REAL.replace("torch.manual_seed(0)\n", ""), "%%flops\nnet(x)"]
    name = session.server.notebook("converted.ipynb", cells)
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html"]
    subprocess.run(
        [*command, "--output-dir", str(tmp_path), str(session.server.folder / name)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    session.page.goto((tmp_path / "converted.html").as_uri())
    html = session.page.locator(".ipyflops")
    assert "FLOPs" in html.inner_text()
    assert html.locator("summary", has_text="net").first.is_visible()
    # nbconvert's own page asks for its scripts; the report asks for nothing.
    assert not [url for url in session.outside if "require" not in url and "athjax" not in url]
    session.outside.clear()


def test_nothing_serious_for_axe(session: Session, axe: str) -> None:
    widget = session.show("axe.ipynb", [BY_HAND, "FlopsView(reports.unknown())"])
    widget.locator(".fw-chart img[src]").wait_for()
    session.page.evaluate(axe)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        session.command("apputils:change-theme", theme=theme)
        session.page.wait_for_timeout(1500)
        found = session.page.evaluate(
            """async () => (await axe.run('.ipyflops-widget')).violations
                .filter(one => ['serious', 'critical'].includes(one.impact))
                .map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html)])"""
        )
        assert found == []
