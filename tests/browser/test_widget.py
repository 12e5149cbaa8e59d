"""The widget in a real JupyterLab, used as a person would."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ipyflops.views.shown_views import MAX_VIEWS
from tests.browser.looking import (
    active,
    ask,
    cell,
    chart,
    choose,
    eventually,
    expand,
    menu,
    row,
    rows,
)
from tests.browser.networks import BY_HAND, MANY, REAL

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session


@pytest.fixture
def resnet(workbench: Session) -> Locator:
    return workbench.again([BY_HAND, "view = FlopsView(reports.resnet(True)); view"])


def test_a_counted_cell_shows_the_widget(workbench: Session) -> None:
    widget = workbench.again([REAL, "%%flops\nnet(x).sum().backward()"])
    figures = widget.locator(".fw-figures").inner_text()
    assert "FLOPs" in figures
    assert "[standard]" in figures
    whole, line, *modules = rows(widget)[:4]
    assert (whole, *modules) == ("(all)", "net", "0")
    assert re.fullmatch(r"In\[\d+\]:2", line)  # the kernel has run other tests' cells
    # Five alike blocks (the first one needs no gradient of its input) are one row.
    assert "5" not in rows(widget)
    row(widget, "1 … 5").locator(".fw-badge").click()
    assert [name for name in rows(widget) if name == "5"]
    assert "<svg" in chart(widget)
    widget.get_by_role("tab", name="Lines").click()
    assert "net(x).sum().backward()" in rows(widget)
    widget.get_by_role("tab", name="Operators").click()
    assert "aten::addmm" in rows(widget)


def test_rows_open_close_sort_and_are_found(resnet: Locator) -> None:
    assert "layer1" in rows(resnet)
    expand(resnet, "Collapse all")
    assert rows(resnet) == ["(all)"]
    row(resnet, "(all)").locator(".fw-twisty").click()
    assert rows(resnet) == ["(all)", "model", "In[5]:3", "optimizer"]
    expand(resnet, "Expand all")
    assert resnet.locator(".fw-grid").get_attribute("aria-rowcount") == "67"
    expand(resnet, "3 levels")
    assert len(rows(resnet)) == 14

    resnet.locator(".fw-sort", has_text=re.compile("^FLOPs")).click()
    assert rows(resnet)[:4] == ["(all)", "model", "layer3", "layer2"]
    resnet.locator(".fw-sort", has_text="module").click()
    assert rows(resnet)[:6] == ["(all)", "In[5]:3", "model", "avgpool", "bn1", "conv1"]

    resnet.get_by_placeholder("Search").fill("downsample")
    resnet.get_by_text("4 matches").wait_for()
    assert rows(resnet).count("downsample") == 4
    assert "avgpool" not in rows(resnet)
    resnet.get_by_placeholder("Search").fill("")
    resnet.get_by_text("4 matches").wait_for(state="detached")
    assert "avgpool" in rows(resnet)


def test_conventions_switch_without_python(workbench: Session, resnet: Locator) -> None:
    before = resnet.locator(".fw-figures").inner_text()
    conv1 = row(resnet, "conv1").locator(".fw-cell").nth(1)
    standard = conv1.inner_text()
    # The kernel is busy, and still everything changes.
    ask_later = "import time; time.sleep(3)"
    workbench.page.evaluate(
        "code => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({ code })",
        ask_later,
    )
    choose(resnet, "Convention", "contractions")
    assert "[contractions]" in resnet.locator(".fw-figures").inner_text()
    assert resnet.locator(".fw-figures").inner_text() != before
    assert conv1.inner_text() == standard
    assert row(resnet, "bn1").locator(".fw-cell").nth(1).inner_text() == "0"
    eventually(workbench, "print(view.convention)", "contractions")


def test_the_keyboard_reaches_everything(workbench: Session, resnet: Locator) -> None:
    cells = workbench.page.locator(".jp-Cell").count()
    resnet.locator(".fw-grid").focus()
    press = workbench.page.keyboard.press
    press("Home")
    assert active(resnet) == "(all)"
    press("ArrowDown")
    press("ArrowDown")
    assert active(resnet) == "conv1"
    press("ArrowLeft")
    assert active(resnet) == "model"
    press("Enter")
    assert rows(resnet) == ["(all)", "model", "In[5]:3", "optimizer"]
    press("ArrowRight")
    press("l")
    assert active(resnet) == "layer1"
    press("End")
    assert active(resnet) == "optimizer"
    # Into the cells of the row, and out again.
    press("ArrowRight")
    press("ArrowRight")
    assert resnet.locator(".fw-active-cell").inner_text() == "51.1 M"
    press("Escape")
    press("Home")
    # Letters that are JupyterLab's commands are only letters here.
    press("b")
    press("a")
    press("d")
    press("d")
    resnet.page.wait_for_timeout(800)  # after which letters are another word
    workbench.page.keyboard.type("avg")
    assert workbench.page.locator(".jp-Cell").count() == cells
    eventually(workbench, "print(view.selected)", "model.avgpool")


def test_a_fold_opens_from_the_keyboard(resnet: Locator) -> None:
    row(resnet, "layer3").locator(".fw-twisty").click()
    row(resnet, "1 … 5").click()
    resnet.page.keyboard.press(" ")
    assert "1 … 5" not in rows(resnet)
    assert active(resnet) == "1"
    resnet.page.keyboard.press(" ")
    assert "1 … 5" in rows(resnet)


def test_the_chart_and_the_details_follow_the_selection(
    workbench: Session, resnet: Locator
) -> None:
    first = chart(resnet)
    row(resnet, "layer2").click()
    second = chart(resnet)
    assert second != first
    assert resnet.locator(".fw-heading").inner_text().startswith("model.layer2")
    formula = resnet.locator(".fw-formula").first.inner_text()
    assert re.fullmatch(r"4·n·c·k = 4·[\d·]+ = [\d,]+", formula)
    choose(resnet, "Bars", "seconds")
    assert chart(resnet) != second
    name = resnet.locator(".fw-chart:visible [role=img]").get_attribute("aria-label")
    assert name == "Bar chart: kernel time inside model.layer2"


def test_python_sets_and_observes(workbench: Session, resnet: Locator) -> None:
    ask(workbench, "view.selected = 'layer3.4.conv2'; view.convention = 'article'")
    resnet.locator(".fw-heading", has_text="model.layer3.4.conv2").wait_for()
    resnet.locator(".fw-figures", has_text="[article]").wait_for()
    assert row(resnet, "conv2").first.is_visible()
    ask(workbench, "view.expanded = ['', 'model']; view.sort = '-seconds'")
    resnet.locator("[role=columnheader][aria-sort=descending]", has_text="time").wait_for()
    assert "conv2" not in rows(resnet)
    assert rows(resnet)[:4] == ["(all)", "model", "layer3", "layer2"]
    row(resnet, "layer3").click()
    resnet.page.keyboard.press("ArrowRight")
    answer = "print(view.selected, 'model.layer3' in view.expanded)"
    eventually(workbench, answer, "model.layer3 True")
    assert "no module has the path" in ask(workbench, "view.selected = 'nothing'")


def test_two_views_of_one_report_are_independent(workbench: Session) -> None:
    workbench.again([BY_HAND, "r = reports.resnet(); FlopsView(r)", "FlopsView(r)"])
    first, second = (workbench.page.locator(".ipyflops-widget").nth(index) for index in (0, 1))
    second.wait_for()
    choose(first, "Convention", "contractions")
    expand(first, "Collapse all")
    assert rows(first) == ["model"]
    assert "layer1" in rows(second)
    assert "[standard]" in second.locator(".fw-figures").inner_text()


def test_columns_are_chosen_resized_and_copied(workbench: Session, resnet: Locator) -> None:
    menu(resnet, "View").get_by_label("MACs", exact=True).check()
    assert resnet.get_by_role("columnheader", name=re.compile("^MACs")).count() == 1
    workbench.page.keyboard.press("Escape")
    edge = resnet.get_by_label("Width of FLOPs", exact=True)
    before = int(edge.get_attribute("aria-valuenow") or 0)
    edge.focus()
    workbench.page.keyboard.press("ArrowRight")
    assert int(edge.get_attribute("aria-valuenow") or 0) == before + 10
    menu(resnet, "Copy").get_by_role("button", name="Copy as Markdown").click()
    resnet.get_by_text("rows copied").wait_for()
    text = workbench.page.evaluate("() => navigator.clipboard.readText()")
    assert text.startswith("| module | type | FLOPs | MACs |")
    menu(resnet, "Copy").get_by_role("button", name="Copy as tab-separated values").click()
    read = "async () => (await navigator.clipboard.readText()).includes('\\t')"
    workbench.page.wait_for_function(read)
    text = workbench.page.evaluate("() => navigator.clipboard.readText()")
    assert text.splitlines()[1].split("\t")[:3] == ["(all)", "", "23208882136"]


def test_an_optional_column_comes_from_what_python_sends_alone(resnet: Locator) -> None:
    assert resnet.get_by_role("columnheader", name=re.compile("^time share")).count() == 0
    menu(resnet, "View").get_by_label("time share", exact=True).check()
    resnet.page.keyboard.press("Escape")
    assert cell(resnet, "(all)", "time share") == "100 %"
    resnet.locator(".fw-sort", has_text="time share").click()
    assert rows(resnet)[:2] == ["(all)", "model"]


def test_ten_thousand_modules_show_at_once(workbench: Session) -> None:
    widget = workbench.again([BY_HAND + MANY, "FlopsView(many(10_000))"])
    expand(widget, "Expand all")
    grid = widget.locator(".fw-grid")
    assert grid.get_attribute("aria-rowcount") == "10002"
    assert widget.locator(".fw-body > .fw-row").count() < 60
    most = grid.evaluate(
        """async grid => {
            const times = [];
            for (let step = 0; step < 60; step++) {
                const start = performance.now();
                grid.scrollTop += 160;
                grid.dispatchEvent(new Event('scroll'));
                grid.getBoundingClientRect();
                times.push(performance.now() - start);
                await new Promise(requestAnimationFrame);
            }
            return times.sort((a, b) => a - b)[50];
        }"""
    )
    assert most < 50  # milliseconds for a frame; the slowest ten are the machine's
    grid.focus()
    workbench.page.keyboard.press("End")
    assert active(widget) == "leaf8"


def test_what_users_write_is_shown_as_text(workbench: Session) -> None:
    workbench.page.evaluate("() => { window.alert = () => { window.attacked = true; }; }")
    widget = workbench.again([BY_HAND, "FlopsView(reports.hostile())"])
    expand(widget, "Expand all")
    assert "<img src=x onerror=alert(1)>" in rows(widget)
    for tab in ("Operators", "Lines", "Modules"):
        widget.get_by_role("tab", name=tab).click()
        widget.locator(".fw-body > .fw-row").nth(1).click()
        widget.locator(".fw-selected").wait_for()
        widget.locator(".fw-heading").wait_for()
    assert widget.locator("img").count() == 0
    assert widget.locator(".fw-error").count() == 1
    assert not workbench.page.evaluate("() => window.attacked === true")


INKS = """widget => [widget, ...widget.querySelectorAll('.fw-image text')].map(
    (one, index) => getComputedStyle(one)[index ? 'fill' : 'color'])"""


def test_charts_have_the_colour_of_the_texts_around_them(
    workbench: Session, resnet: Locator
) -> None:
    chart(resnet)
    seen = []
    for theme in ("Dark", "Light"):
        workbench.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        resnet.locator(f"xpath=self::*[@data-theme='{theme.lower()}']").wait_for()
        color, *inks = resnet.evaluate(INKS)
        assert len(inks) > 10
        assert {*inks} == {color}
        seen.append(min(map(int, re.findall(r"\d+", color)[:3])))
    assert seen[0] > 150
    assert seen[1] < 100


def test_a_failed_cell_says_so_and_an_empty_one_has_no_table(workbench: Session) -> None:
    cells = [REAL, "%%flops\npass", "%%flops\nnet[0](x)\nnet(x.T)"]
    widget = workbench.again(cells)
    assert "incomplete: RuntimeError" in widget.locator(".fw-error").inner_text()
    empty = workbench.page.locator(".ipyflops-widget").first
    assert "no operator ran" in empty.inner_text()
    assert empty.locator(".fw-grid").count() == 0


MODELS = "print(len(__import__('ipywidgets').Widget.get_manager_state()['state']))"


def test_a_cell_that_runs_again_leaves_one_widget_and_one_program(workbench: Session) -> None:
    counted = "%%flops\nnet(x)\nNone"
    workbench.again([REAL, counted, counted])
    before = int(ask(workbench, MODELS))
    for _ in range(3):
        workbench.run()
        workbench.page.locator(".ipyflops-widget").last.wait_for()
    eventually(workbench, MODELS, str(before))
    assert workbench.page.locator(".ipyflops-widget").count() == 2
    assert workbench.page.locator("#ipyflops-style").count() == 1
    assert "<svg" in chart(workbench.page.locator(".ipyflops-widget").first)
    # Nothing of the runs before is left in the page either.
    assert workbench.page.locator(".ipyflops-stand-in").count() == 2
    assert not workbench.page.locator(".ipyflops-stand-in").first.is_visible()


def test_what_is_closed_in_the_same_run_is_shown_as_html(workbench: Session) -> None:
    loop = f"for _ in range({MAX_VIEWS + 1}):\n    %flops net(x);"
    workbench.again([REAL, loop])
    stand_ins = workbench.page.locator(".ipyflops-stand-in")
    stand_ins.first.locator(".f-headline").wait_for(state="visible")
    assert stand_ins.count() == MAX_VIEWS + 1
    shown = [one.is_visible() for one in stand_ins.all()]
    assert shown == [True] + [False] * MAX_VIEWS
    assert not workbench.page.get_by_text("Error displaying widget").is_visible()
