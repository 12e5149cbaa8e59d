"""A page of `ipywidgets.embed`: the widget lives on, with no kernel behind it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ipywidgets.embed import embed_data

from tests.browser import jupyter
from tests.browser.looking import cell, row, rows, weak_texts
from tests.views import reports

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

    from ipyflops.report import Report

MODULES = Path(__file__).parent / "node_modules"
SCRIPTS = {
    "/require.js": MODULES / "requirejs/require.js",
    "/embed-amd.js": MODULES / "@jupyter-widgets/html-manager/dist/embed-amd.js",
    "/anywidget.js": Path(sys.prefix) / "share/jupyter/nbextensions/anywidget/index.js",
}
PAGE = """\
<!doctype html><html><head><meta charset="utf-8">
<script src="/require.js"></script><script src="/embed-amd.js"></script>
<script type="application/vnd.jupyter.widget-state+json">{state}</script></head>
<body style="background: {ground}; color: gray">
<script type="application/vnd.jupyter.widget-view+json">{view}</script></body></html>"""


@contextmanager
def opened(
    browser: Browser, view: Any, ground: str = "#ffffff", *, drop_defaults: bool = False
) -> Iterator[Locator]:
    """A page with a widget and no kernel; nothing outside of it may be asked for."""
    data = embed_data([view], drop_defaults=drop_defaults)
    view.close()
    state = json.dumps(data["manager_state"]).replace("</", "<\\/")
    html = PAGE.format(state=state, view=json.dumps(data["view_specs"][0]), ground=ground)
    outside: list[str] = []
    page = browser.new_page(viewport={"width": 1000, "height": 900})

    def serve(route) -> None:  # type: ignore[no-untyped-def]
        path = "/" + route.request.url.split("/", 3)[3]
        if path == "/":
            route.fulfill(body=html, content_type="text/html")
        elif path in SCRIPTS:
            route.fulfill(path=SCRIPTS[path], content_type="text/javascript")
        else:
            outside.append(route.request.url)
            route.abort()

    page.route("http://page.invalid/**", serve)
    page.goto("http://page.invalid/")
    widget = page.locator(jupyter.WIDGET)
    widget.wait_for()
    yield widget
    assert outside == []
    page.close()


@pytest.mark.parametrize("ground", ["#ffffff", "#222222"])
@pytest.mark.parametrize("drop_defaults", [False, True])
def test_it_has_a_chart_and_no_kernel(browser: Browser, ground: str, drop_defaults: bool) -> None:
    import matplotlib.figure  # noqa: F401  as it is once a chart has been drawn

    report = reports.resnet(True)
    with opened(browser, report.widget(), ground, drop_defaults=drop_defaults) as widget:
        check_report(widget, report, ground)


def check_report(widget: Locator, report: Report, ground: str) -> None:
    assert rows(widget)[:2] == ["(all)", "model"]
    # The chart of the first sight is in the state; those of a click the browser draws itself.
    first = widget.locator(".fw-image > svg")
    first.wait_for()
    assert "layer3 Sequential" in (first.text_content() or "")
    widget.page.wait_for_timeout(1500)  # so long the kernel is waited for
    assert first.is_visible()
    widget.locator(".fw-body > .fw-row", has_text="model").first.click()
    bars = widget.locator(".fw-own-row")
    bars.first.wait_for()
    model = report.tree.children[0]
    names = bars.locator(".fw-own-name").all_inner_texts()
    assert names[: len(model.children)] == [child.name for child in model.children]
    shares = bars.locator(".fw-own-amount").all_inner_texts()
    assert shares[4].endswith(f"{100 * model.children[4].totals.flops / report.flops:.1f} %")
    assert weak_texts(widget, ground) == []
    widget.locator(".fw-body > .fw-row", has_text="layer3").first.click()
    widget.locator(".fw-own-name", has_text="1 … 5 ×5").wait_for()
    widget.get_by_role("tab", name="Roofline").click()
    widget.get_by_text("Waiting for the kernel, which draws this chart.").wait_for()


def test_what_has_changed_is_there_with_no_kernel(browser: Browser) -> None:
    import matplotlib.figure  # noqa: F401  as it is once a chart has been drawn

    difference = reports.transformer(3) - reports.transformer(2)
    with opened(browser, difference.widget()) as widget:
        assert widget.get_by_role("tab", name="Change").get_attribute("aria-selected") == "true"
        assert cell(widget, "2", "difference") == "+3.62 G"
        first = widget.locator(".fw-image > svg")
        first.wait_for()
        assert "2.attn" in (first.text_content() or "")
        # What is inside of a row that is clicked, the browser draws itself.
        row(widget, "2").click()
        widget.locator(".fw-own-name", has_text="attn").wait_for()
        assert widget.locator(".fw-own-amount").first.inner_text() == "+2.42 G added"
        assert weak_texts(widget) == []
        widget.get_by_role("tab", name="Modules").click()
        assert cell(widget, "encoder", "FLOPs") == "10.9 G"
