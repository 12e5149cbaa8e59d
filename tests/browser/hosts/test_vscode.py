"""The widget in VS Code's own bundles for widgets, with a live kernel, in its themes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.hosts import vscode
from tests.browser.looking import CHART, chart, rows, weak_texts
from tests.browser.networks import REAL

if TYPE_CHECKING:
    from playwright.sync_api import Locator

#: What the renderers of old and new releases of the extension say of the box around a widget.
STYLES = {"white box": vscode.WHITE_BOX, "bridge": vscode.WHITE_BOX + vscode.BRIDGE}
BOXES = """all => all.map(one => getComputedStyle(one).backgroundColor)"""


@pytest.fixture(scope="module")
def counted(notebook: vscode.Notebook) -> vscode.Notebook:
    notebook.dress("vscode-light")
    notebook.run(REAL)
    notebook.run("%%flops\nnet(x).sum().backward()")
    notebook.widget.wait_for()
    return notebook


def ink(widget: Locator) -> str:
    color: str = widget.evaluate("element => getComputedStyle(element).color")
    return color


def test_the_kernel_has_the_bundles_release(counted: vscode.Notebook) -> None:
    wanted = {7: "7.7.1", 8: "8."}[counted.version]
    counted.run(f"import ipywidgets; assert ipywidgets.__version__.startswith({wanted!r})")


def test_it_lives_there(counted: vscode.Notebook) -> None:
    widget = counted.widget
    assert rows(widget)[0] == "(all)"
    first = chart(widget)
    widget.locator(".fw-body > .fw-row").nth(3).click()
    widget.locator(".fw-heading", has_text="net.0").wait_for()
    widget.locator(CHART, has_text="net.0 · ").wait_for()
    assert chart(widget) != first
    # The HTML that stands in for it stays away.
    assert not counted.page.locator(".ipyflops-stand-in").is_visible()
    assert counted.errors == []


@pytest.mark.parametrize("styles", STYLES)
@pytest.mark.parametrize("theme", vscode.THEMES)
def test_everything_can_be_read_in(counted: vscode.Notebook, theme: str, styles: str) -> None:
    # The system says that it is light, and JupyterLab's variables are those of its light theme.
    chart(counted.widget)
    counted.style(STYLES[styles])
    counted.dress(theme)
    widget, colors = counted.widget, vscode.THEMES[theme]
    kind = "light" if "light" in theme else "dark"
    widget.locator(f"xpath=self::*[@data-theme='{kind}']").wait_for()
    boxes = counted.page.locator(".cell-output-ipywidget-background")
    assert boxes.count() == 2
    assert set(boxes.evaluate_all(BOXES)) == {"rgba(0, 0, 0, 0)"}
    # Solarized's own texts have less contrast than others.
    least = 2.4 if "solarized" in theme else 4.5
    for tab in ("Operators", "Lines", "Modules"):
        widget.get_by_role("tab", name=tab).click()
        widget.locator(".fw-body > .fw-row").nth(1).click()
        widget.locator(".fw-heading").wait_for()
        assert weak_texts(widget, colors["editor.background"], least) == []
    text = ink(widget)
    red, green, blue = (int(part) for part in re.findall(r"\d+", text)[:3])
    assert f"#{red:02x}{green:02x}{blue:02x}" == colors["editor.foreground"]
    # What is written in the chart is written in the same colour, and in no other.
    svg = chart(widget)
    fills = "all => all.map(one => getComputedStyle(one).fill)"
    assert {*widget.locator(CHART).locator("text").evaluate_all(fills)} == {text}
    assert "currentColor" in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= {"#0072b2", "#e69f00", "#ffffff"}
