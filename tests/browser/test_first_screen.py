"""What a report shows before anything is done to it, its toolbar, and what is remembered of it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.looking import ask, chart, eventually, menu, row, rows
from tests.browser.networks import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session

CELL = "view = FlopsView(reports.resnet(True)); view"
#: What sticks out of the widget or of its own cell.
CUT = """widget => [...widget.querySelectorAll('.fw-cell:not(.fw-first), .fw-button, .fw-tab')]
    .filter(one => one.getClientRects().length && one.scrollWidth > one.clientWidth)
    .map(one => one.textContent)"""
OUTSIDE = """list => {
    const around = list.closest('.ipyflops-widget').getBoundingClientRect();
    const { left, right, top, bottom } = list.getBoundingClientRect();
    return [around.left - left, right - around.right, around.top - top, bottom - around.bottom]
        .some(pixels => pixels > 0.5);
}"""
STOPS = """widget => {
    const at = document.activeElement;
    return widget.contains(at) ? at.className || at.tagName : '';
}"""


#: How much of its pane the longest bar of the chart has, with all that is stacked in it.
PLOT = """widget => {
    const svg = widget.querySelector('.fw-image > svg');
    const boxes = [...svg.querySelectorAll('rect, path')].map(one => one.getBoundingClientRect());
    // Not the axis, which is a line, nor the squares of the legend.
    const bars = boxes.filter(one => one.width > 1 && Math.abs(one.width - one.height) > 1);
    const ends = bars.map(one => one.right), starts = bars.map(one => one.left);
    return (Math.max(...ends) - Math.min(...starts)) / svg.parentElement.clientWidth;
}"""


@pytest.fixture
def resnet(workbench: Session) -> Iterator[Locator]:
    yield workbench.again([BY_HAND, CELL])
    workbench.page.set_viewport_size({"width": 1400, "height": 1000})


@pytest.mark.parametrize("width", [390, 700, 1000, 1400])
def test_the_first_screen_is_compact(workbench: Session, resnet: Locator, width: int) -> None:
    workbench.page.set_viewport_size({"width": width, "height": 1000})
    if width < 1000:
        workbench.command("application:toggle-left-area")
    workbench.page.wait_for_timeout(600)
    box = resnet.bounding_box()
    assert box is not None
    assert box["height"] <= 420
    assert resnet.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    assert resnet.evaluate(CUT) == []
    # Forward 7.73 of 23.2 GFLOPs; backward 15.4 of them; the optimizer two for each weight.
    phases = resnet.locator(".fw-phase-line").inner_text().split("\n")
    assert phases == ["forward 33.3 %", "backward 66.5 %", "optimizer 0.2 %"]
    assert rows(resnet)[:3] == ["(all)", "model", "conv1"]
    details = resnet.locator(".fw-detailed .fw-opener")
    assert details.inner_text().split() == ["▸", "55", "operators,", "5", "formulas"]
    assert not resnet.locator(".fw-details").is_visible()
    if width < 1000:
        workbench.command("application:toggle-left-area")


@pytest.mark.parametrize("width", [232, 300, 390, 560, 700, 1000])
def test_nothing_is_cut_at_any_width(resnet: Locator, width: int) -> None:
    """A page that is zoomed to 200 % is one of half the width for all that is measured here."""
    resnet.evaluate("(one, width) => { one.style.width = `${width}px`; }", width)
    resnet.page.wait_for_timeout(400)
    assert resnet.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    assert resnet.evaluate(CUT) == []
    box = resnet.bounding_box()
    assert box is not None
    assert box["height"] <= 420
    if width < 640:
        resnet.get_by_role("button", name="Chart").click()
    chart(resnet)
    assert resnet.evaluate(PLOT) >= 0.4
    assert resnet.evaluate("one => one.scrollWidth - one.clientWidth") == 0


def test_details_open_for_the_selected_row_until_somebody_closes_them(resnet: Locator) -> None:
    row(resnet, "layer1").click()
    resnet.locator(".fw-heading", has_text="model.layer1").wait_for()
    opener = resnet.locator(".fw-detailed .fw-opener")
    opener.click()
    row(resnet, "layer2").click()
    opener.get_by_text("layer2: ").wait_for()
    assert not resnet.locator(".fw-details").is_visible()
    opener.click()
    resnet.locator(".fw-heading", has_text="model.layer2").wait_for()


def test_in_a_narrow_window_the_chart_is_behind_a_line(resnet: Locator) -> None:
    resnet.evaluate("one => { one.style.width = '390px'; }")
    assert not resnet.locator(".fw-chart").is_visible()
    resnet.get_by_role("button", name="Chart").click()
    assert "<svg" in chart(resnet)
    box = resnet.locator(".fw-chart").bounding_box()
    panel = resnet.locator(".fw-panel").bounding_box()
    assert box is not None
    assert panel is not None
    assert box["y"] > panel["y"] + panel["height"]


@pytest.mark.parametrize("width", [232, 368, 468, 700, 1220])
def test_menus_never_leave_the_widget(resnet: Locator, width: int) -> None:
    resnet.evaluate("(one, width) => { one.style.width = `${width}px`; }", width)
    resnet.page.wait_for_timeout(200)
    assert resnet.locator(".fw-tools .fw-button").count() == 3
    for name in ("Expand", "View", "Copy"):
        assert not menu(resnet, name).evaluate(OUTSIDE), name
        resnet.page.keyboard.press("Escape")
    for figure in resnet.locator(".fw-figure").all():
        figure.focus()
        assert not figure.locator(".fw-tip").evaluate(OUTSIDE)


def test_a_report_is_passed_in_five_stops_of_tab(resnet: Locator) -> None:
    page = resnet.page
    resnet.locator(".fw-figure").first.focus()
    stops = []
    while (stop := resnet.evaluate(STOPS)) and len(stops) < 30:
        stops.append(stop.split()[0])
        page.keyboard.press("Tab")
    assert stops == ["fw-figure", "fw-tab", "fw-search", "fw-grid", "fw-opener"]


def test_the_arrows_go_through_the_toolbar_and_the_head(resnet: Locator) -> None:
    page = resnet.page
    focused = "() => document.activeElement.textContent"
    resnet.get_by_placeholder("Search").focus()
    page.keyboard.type("zz")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert resnet.get_by_placeholder("Search").evaluate("one => one === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "Expand ▾"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    convention = resnet.get_by_label("Convention", exact=True)
    assert convention.evaluate("one => one === document.activeElement")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "View ▾"
    # Who comes back to the toolbar is where they were.
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "View ▾"
    resnet.get_by_placeholder("Search").fill("")
    # The table follows a moment after the last letter.
    resnet.locator("[role=row]", has_text="layer3").first.wait_for()
    # From the first row up into the head, which sorts and resizes.
    resnet.locator(".fw-grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "FLOPs"
    edge = resnet.get_by_label("Width of FLOPs", exact=True)
    before = int(edge.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("Shift+ArrowRight")
    assert int(edge.get_attribute("aria-valuenow") or 0) == before + 10
    page.keyboard.press("Enter")
    assert rows(resnet)[:4] == ["(all)", "model", "layer3", "layer2"]
    page.keyboard.press("ArrowDown")
    assert resnet.locator(".fw-grid").evaluate("one => one === document.activeElement")


def test_what_is_chosen_stays_for_the_next_reports(workbench: Session, resnet: Locator) -> None:
    handle = resnet.locator(".fw-handle").bounding_box()
    assert handle is not None
    mouse = workbench.page.mouse
    mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 4)
    mouse.down()
    mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 104, steps=4)
    mouse.up()
    high = resnet.locator(".fw-panel").bounding_box()
    resnet.get_by_role("tab", name="Operators").click()
    menu(resnet, "View").get_by_label("bytes", exact=True).check()
    workbench.page.keyboard.press("Escape")
    eventually(workbench, "print(view.by, 'bytes' in view.columns['operators'])", "operators True")
    following = workbench.again(["FlopsView(reports.transformer())"])
    assert following.get_by_role("tab", name="Operators").get_attribute("aria-selected") == "true"
    assert "bytes" in following.locator(".fw-head .fw-title").all_inner_texts()
    workbench.page.wait_for_timeout(300)
    now = following.locator(".fw-panel").bounding_box()
    assert high is not None
    assert now is not None
    assert high["height"] == now["height"] > 300
    # What code asks for comes first, and a double click gives the first height again.
    asked = workbench.again(["FlopsView(reports.transformer(), by='modules')"])
    assert asked.get_by_role("tab", name="Modules").get_attribute("aria-selected") == "true"
    asked.locator(".fw-handle").dblclick()
    workbench.page.wait_for_timeout(300)
    box = asked.bounding_box()
    assert box is not None
    assert box["height"] <= 420
    ask(workbench, "CHOICES.reset()")


def test_the_end_of_an_operator_is_seen_where_there_is_little_room(resnet: Locator) -> None:
    resnet.evaluate("one => { one.style.width = '240px'; }")
    resnet.get_by_role("tab", name="Operators").click()
    resnet.page.wait_for_timeout(300)
    name = row(resnet, "aten::convolution_backward").locator(".fw-name")
    ends = """name => [name.firstChild.scrollWidth > name.firstChild.clientWidth,
        name.lastChild.textContent, name.lastChild.getBoundingClientRect().right
            <= name.closest('.fw-cell').getBoundingClientRect().right]"""
    assert name.evaluate(ends) == [True, "_backward", True]
    ask_title = row(resnet, "aten::convolution_backward").locator(".fw-first")
    assert (ask_title.get_attribute("title") or "").startswith("aten::convolution_backward")


def test_forced_colours_and_paper_keep_what_colours_say(resnet: Locator) -> None:
    page = resnet.page
    look = """widget => {
        const style = (one, name) => getComputedStyle(widget.querySelector(one))[name];
        return {
            bar: style('.fw-bar .fw-forward', 'backgroundColor'),
            key: style('.fw-phase-line .fw-backward', 'backgroundColor'),
            selected: style('.fw-selected', 'backgroundColor'),
            other: style('.fw-body > .fw-row:not(.fw-selected)', 'backgroundColor'),
            tab: style('.fw-tab[aria-selected=true]', 'borderBottomColor'),
            others: style('.fw-tab[aria-selected=false]', 'borderBottomColor'),
            printed: style('.fw-bar i', 'printColorAdjust'),
            tools: style('.fw-tools', 'display'),
        };
    }"""
    page.emulate_media(forced_colors="active")
    forced = resnet.evaluate(look)
    page.emulate_media(forced_colors="none", media="print")
    printed = resnet.evaluate(look)
    page.emulate_media(media="screen")
    assert forced["bar"] == printed["bar"] == "rgb(0, 114, 178)"
    assert forced["key"] == printed["key"] == "rgb(230, 159, 0)"
    assert forced["selected"] != forced["other"]
    assert forced["tab"] != forced["others"]
    assert (printed["printed"], printed["tools"]) == ("exact", "none")
    assert resnet.evaluate(look)["tools"] == "flex"


def saved(widget: Locator, name: str, folder: Path) -> str:
    """The file that an item of the menu saves."""
    with widget.page.expect_download() as download:
        menu(widget, "Copy").get_by_role("button", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_the_browser_makes_files_while_the_kernel_is_busy(
    workbench: Session, resnet: Locator, tmp_path: Path
) -> None:
    chart(resnet)
    workbench.page.evaluate(
        "code => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({ code })",
        "import time; time.sleep(4)",
    )
    title, whole, *_ = csv.reader(saved(resnet, "Save as CSV", tmp_path).splitlines())
    assert title[:3] == ["module", "type", "FLOPs"]
    assert whole[:3] == ["(all)", "", "23208882136"]
    table: dict[str, Any] = json.loads(saved(resnet, "Save as JSON", tmp_path))
    assert table["convention"] == "standard"
    assert table["rows"][0]["flops"] == 23208882136
    assert table["rows"][2]["path"] == "model.conv1"
    assert saved(resnet, "Save as LaTeX", tmp_path).startswith(r"\begin{tabular}{llr")
    svg = saved(resnet, "Save the chart as SVG", tmp_path)
    assert re.search(r'<svg [^>]*color="rgb', svg)
    assert "GFLOPs" in svg
    profile = json.loads(saved(resnet, "Save for speedscope", tmp_path))
    assert profile["profiles"][0]["endValue"] == 23208882136
    assert (tmp_path / "ipyflops-model.speedscope.json").exists()
