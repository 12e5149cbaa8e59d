"""The report where no widget lives: reopened, converted, and in another front end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from ipyflops.views import displays
from ipyflops.views.changes.html import to_html as changes_to_html
from ipyflops.views.html.report import to_html
from tests.browser import jupyter
from tests.browser.jupyter import WIDGET
from tests.browser.looking import CHART, choose, menu, rows
from tests.browser.networks import REAL
from tests.views import reports

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browser.jupyter import Session


WITH_WIDGET = "%%flops --view widget\nnet(x)"


def converted(session: Session, name: str, folder: Path, *options: str) -> Path:
    """What nbconvert makes of a notebook; gives the file."""
    command = [sys.executable, "-m", "nbconvert", "--output-dir", str(folder), *options]
    subprocess.run(
        [*command, str(session.server.folder / name)],
        check=True,
        capture_output=True,
        timeout=120,
        env=jupyter.environment(),
    )
    return folder / name


def saved(session: Session, name: str) -> nbformat.NotebookNode:
    """Save the notebook that is open; gives it as soon as its outputs are in the file."""
    session.command("docmanager:save")
    path = session.server.folder / name
    for _ in range(100):
        notebook = nbformat.read(path, 4)
        if len(notebook.cells[1].outputs) >= 2:
            return notebook
        session.page.wait_for_timeout(200)
    raise AssertionError(f"{name} was not saved")


def report_is_shown(session: Session) -> None:
    """The HTML shows the report, and nothing of an error is in sight."""
    html = session.page.locator(".ipyflops")
    html.wait_for(state="visible")
    assert "FLOPs" in html.inner_text()
    assert html.locator("summary", has_text="net").first.is_visible()
    assert not session.page.get_by_text("Error displaying widget").is_visible()


def test_notebook_7_shows_the_widget_and_a_reopened_notebook_the_html(session: Session) -> None:
    widget = session.show("seven.ipynb", [REAL, "%%flops\nnet(x)"], app="notebook")
    assert rows(widget)[0] == "net"
    notebook = saved(session, "seven.ipynb")
    widget_view, stand_in = (output.data for output in notebook.cells[1].outputs[:2])
    assert set(widget_view) == {"application/vnd.jupyter.widget-view+json", "text/html"}
    assert "net" in stand_in["text/plain"]
    assert "widgets" not in notebook.metadata
    assert not session.page.locator(".ipyflops-stand-in").is_visible()

    # With another kernel there is no widget: the HTML is shown, and nothing of an error.
    reopened = session.server.notebook("reopened.ipynb", [])
    nbformat.write(notebook, session.server.folder / reopened)
    session.page.goto(f"{session.server.url}/lab/tree/{reopened}?reset")
    # JupyterLab says it, and that is hidden.
    session.page.get_by_text("Error displaying widget").wait_for(state="attached")
    report_is_shown(session)
    assert session.page.locator(WIDGET).count() == 0


def test_sections_keep_their_markers_in_nbviewer(browser: Browser) -> None:
    # Its pages have Bootstrap 3, which takes them from every summary.
    page = browser.new_page()
    page.set_content(f"<style>summary {{ display: block }}</style>{to_html(reports.resnet())}")
    titles = page.locator(".f-section > summary")
    assert "By module" in titles.all_inner_texts()
    shown = titles.evaluate_all("all => all.map(one => getComputedStyle(one).display)")
    assert set(shown) == {"list-item"}
    page.close()


#: Dark pages of others, which are dark whatever the system is. The rules are theirs.
BOOK = """<html data-theme="dark"><style>
html { --pst-color-text-base: #ced6dd; --pst-color-on-background: #222832; }
html[data-theme=dark] .bd-content div.cell_output .text_html:not(:has(table.dataframe)) {
  background-color: var(--pst-color-text-base); color: var(--pst-color-on-background);
  padding: .5rem; border-radius: .25rem; }
body { background: #121212; color: #ced6dd; }</style>
<body><div class="bd-content"><div class="cell_output"><div class="output text_html">"""
NBSPHINX = """<html data-theme="dark"><style>
html[data-theme=dark] .bd-content .nboutput .output_area.rendered_html:not(:has(table.dataframe)) {
  background-color: #ced6dd; color: #222832; padding: .5rem; }
body { background: #121212; color: #ced6dd; }</style>
<body><div class="bd-content"><div class="nboutput"><div class="output_area rendered_html">"""
QUARTO = "<style>body { background: #222; color: #fff; }</style><body class='quarto-dark'><div>"
VS_CODE = """<style>
:root { --jp-ui-font-color1: rgba(0, 0, 0, .87); --jp-layout-color0: white; }
body { background: #1f1f1f; color: #ccc; }</style><body class="vscode-dark"><div>"""
PAPER = "<style>body { background: #fff; color: #111; }</style><body><div>"

PAINTED = """all => all.map(element => {
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    const paint = color => {
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const around = [];
    for (let at = element; at; at = at.parentElement) around.unshift(at);
    const grounds = around.map(one => paint(getComputedStyle(one).backgroundColor));
    const page = grounds[around.indexOf(document.body)];
    return [page, grounds.at(-1), paint(getComputedStyle(element).color)];
})"""


def luminance(color: list[int]) -> float:
    """As WCAG defines it."""
    parts = [part / 255 for part in color]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    "around", [BOOK, NBSPHINX, QUARTO, VS_CODE, PAPER],
    ids=["Jupyter Book", "nbsphinx", "Quarto", "VS Code", "paper"],
)  # fmt: skip
def test_it_stands_on_the_page_itself_light_or_dark(
    browser: Browser, around: str, system: Any
) -> None:
    page = browser.new_page(color_scheme=system)
    html = [
        to_html(reports.resnet(True)),
        to_html(reports.unknown(), by="lines"),
        changes_to_html(reports.transformer(3) - reports.transformer(2)),
        displays(reports.transformer(), view="widget", by="operators")[1]["text/html"],
    ]
    for fragment in html:
        page.set_content(around + fragment)
        texts = page.locator(".f-headline, .f-name, .f-type, .f-dim, .f-number, th, td, code")
        assert texts.count() > 10
        for ground, behind, ink in texts.evaluate_all(PAINTED):
            assert behind == ground
            light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5
    page.close()


@pytest.mark.parametrize("cell", ["%%flops\nnet(x)", WITH_WIDGET], ids=["auto", "widget"])
def test_converted_to_html_it_works_offline(session: Session, tmp_path: Path, cell: str) -> None:
    # In the second the state of the widget is saved, but its manager is on the network.
    name = session.server.notebook("converted.ipynb", [REAL, cell])
    file = converted(session, name, tmp_path, "--execute", "--to", "html")
    session.page.goto(file.with_suffix(".html").as_uri())
    report_is_shown(session)
    # nbconvert's own page asks for its scripts; the report asks for nothing.
    own = ("require", "athjax", "jquery", "html-manager")
    assert not [url for url in session.outside if not any(part in url for part in own)]
    session.outside.clear()


def test_a_widget_whose_state_was_saved_is_reopened(session: Session, tmp_path: Path) -> None:
    name = session.server.notebook("stateful.ipynb", [REAL, WITH_WIDGET])
    notebook = nbformat.read(converted(session, name, tmp_path, "--execute", "--to", "notebook"), 4)
    assert "widgets" in notebook.metadata
    path = session.server.folder / name
    nbformat.write(notebook, path)
    # Of a notebook that is not trusted JupyterLab shows HTML alone, without any style.
    session.page.goto(f"{session.server.url}/lab/tree/{name}?reset")
    report_is_shown(session)
    assert session.page.get_by_text("100 % of all · 1 call").is_visible()
    assert session.page.locator(WIDGET).count() == 0

    data = str(session.server.folder.parent / "jupyter_data_dir")
    trust = [sys.executable, "-m", "nbformat.sign", str(path)]
    environment = jupyter.environment(JUPYTER_DATA_DIR=data)
    subprocess.run(trust, check=True, capture_output=True, env=environment)
    session.page.goto(f"{session.server.url}/lab/tree/{name}?reset")
    # It lives on what was saved, with no kernel that knows of it.
    widget = session.page.locator(WIDGET)
    widget.wait_for()
    assert rows(widget)[0] == "net"
    choose(widget, "Convention", "contractions")
    assert "[contractions]" in widget.locator(".fw-figures").inner_text()
    widget.get_by_role("tab", name="Lines").click()
    assert rows(widget)[1:] == ["%%flops --view widget", "net(x)"]
    assert not session.page.get_by_text("Error displaying widget").is_visible()


AXE = """async selector => (await axe.run(selector)).violations
    .map(one => [one.id, one.impact, one.nodes.slice(0, 3).map(node => node.html)])"""


def test_nothing_for_axe(session: Session, axe: str) -> None:
    cells = [REAL, "%%flops --by lines\nnet(x).sum().backward()\ny = torch.fft.fft(x)"]
    widget = session.show("axe.ipynb", cells)
    session.page.evaluate(axe)
    for theme in ("dark", "light"):
        session.command("apputils:change-theme", theme=f"JupyterLab {theme.title()}")
        widget.locator(f"xpath=self::*[@data-theme='{theme}']").wait_for()
        colours = """([element, dark]) =>
            (Number(getComputedStyle(element).color.match(/\\d+/)[0]) > 128) === dark"""
        session.page.wait_for_function(colours, arg=[widget.element_handle(), theme == "dark"])
        for tab in ("Roofline", "Lines", "Operators", "Modules"):
            widget.get_by_role("tab", name=tab).click()
            if tab != "Lines":
                widget.locator(CHART).wait_for()
            if tab != "Roofline":
                widget.locator(".fw-body > .fw-row").nth(1).click()
                widget.locator(".fw-heading").wait_for()
            assert session.page.evaluate(AXE, WIDGET) == [], (theme, tab)
        for name in ("Expand", "View", "Copy"):
            menu(widget, name)
            assert session.page.evaluate(AXE, WIDGET) == [], (theme, name)
            session.page.keyboard.press("Escape")
        menu(widget, "View").get_by_label("Icicle").check()
        session.page.keyboard.press("Escape")
        widget.locator(".fw-part").first.wait_for()
        assert session.page.evaluate(AXE, WIDGET) == [], (theme, "icicle")
        menu(widget, "View").get_by_label("Icicle").uncheck()
        session.page.keyboard.press("Escape")


def test_nothing_for_axe_in_the_html(browser: Browser, axe: str) -> None:
    page = browser.new_page()
    for name in ("training", "hostile", "unknown", "failed", "empty"):
        html = to_html(reports.ALL[name]()).replace("<details", "<details open")
        page.set_content(f"<html lang=en><title>a report</title><main>{html}</main></html>")
        page.evaluate(axe)
        assert page.evaluate(AXE, ".ipyflops") == [], name
    page.close()
