"""The icicle of the widget, used as a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looking import active_part as active
from tests.browser.looking import ask, chart, choose, eventually, menu, parts
from tests.browser.networks import BY_HAND, MANY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session

#: What of a name is cut off without a sign of it, and parts that stick out of the icicle.
CUT = """icicle => [...icicle.querySelectorAll('.fw-part')].filter(part => {
    const [start, ...others] = part.children;
    const inside = others.every(one => one.getBoundingClientRect().right
        <= part.getBoundingClientRect().right + 0.5);
    return !inside || part.offsetLeft + part.offsetWidth > icicle.clientWidth + 1;
}).map(part => part.title)"""


@pytest.fixture
def icicle(workbench: Session) -> Iterator[Locator]:
    """ResNet-50's training step as an icicle."""
    cell = "view = FlopsView(reports.resnet(True), icicle=True); view"
    widget = workbench.again([BY_HAND, cell])
    widget.locator(".fw-part").first.wait_for()
    yield widget
    ask(workbench, "CHOICES.reset()")


def test_a_click_goes_in_and_one_on_what_is_around_out(workbench: Session, icicle: Locator) -> None:
    assert parts(icicle)[:4] == ["(all)", "model", "layer1", "layer2"]
    assert icicle.locator(".fw-icicle").evaluate(CUT) == []
    icicle.locator(".fw-part", has_text="layer3").click()
    # 0 has a downsampling in it, and so more than each of the five others.
    assert parts(icicle)[:9] == ["(all)", "model", "layer3", *"012345"]
    eventually(workbench, "print(view.selected)", "model.layer3")
    assert "model.layer3" in chart(icicle)
    assert icicle.locator(".fw-heading").inner_text().startswith("model.layer3")
    part = icicle.locator(".fw-part", has_text="layer3")
    assert part.get_attribute("title") == "model.layer3 · Sequential · 8.33 GFLOPs · 35.9 % of all"
    assert icicle.locator(".fw-icicle").evaluate(CUT) == []
    icicle.locator(".fw-part", has_text="model").click()
    assert parts(icicle)[:4] == ["(all)", "model", "layer1", "layer2"]


def test_the_keyboard_reaches_everything(workbench: Session, icicle: Locator) -> None:
    page = workbench.page
    cells = page.locator(".jp-Cell").count()
    icicle.locator(".fw-icicle").focus()
    for key, wanted in (
        ("ArrowDown", "model"), ("ArrowDown", "model.conv1"), ("ArrowRight", "model.layer1"),
        ("End", "model.layer4"), ("Enter", "model.layer4"), ("ArrowDown", "model.layer4.0"),
        ("ArrowRight", "model.layer4.1"), ("Home", "model.layer4.0"), ("ArrowUp", "model.layer4"),
        ("Escape", "model"), ("ArrowUp", "(all)"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert active(icicle).startswith(f"{wanted} · "), key
    # A letter is the next name that begins with it, and no command of JupyterLab's.
    for key, wanted in (("l", "model.layer1"), ("l", "model.layer2"), ("b", "model.layer2")):
        page.keyboard.press(key)
        assert active(icicle).startswith(f"{wanted} · "), key
    assert page.locator(".jp-Cell").count() == cells


def test_any_measure_and_any_place_from_python(workbench: Session, icicle: Locator) -> None:
    width = "part => part.getBoundingClientRect().width / part.parentElement.clientWidth"
    fourth = icicle.locator(".fw-part", has_text="layer4")
    assert fourth.evaluate(width) == pytest.approx(0.189, abs=0.004)
    choose(icicle, "Bars", "seconds")
    share = float(ask(workbench, "n = view.report.find('layer4'); "
                      "print(n.seconds / view.report.seconds)"))  # fmt: skip
    assert fourth.evaluate(width) == pytest.approx(share, abs=0.004)
    ask(workbench, "view.selected = 'layer2.1.conv2'")
    icicle.locator(".fw-part.fw-selected", has_text="conv2").wait_for()
    assert active(icicle).startswith("model.layer2.1.conv2 · Conv2d · ")
    icicle.get_by_placeholder("Search").fill("downsample")
    icicle.locator(".fw-part mark").first.wait_for()
    assert "downsample · Sequential" in active(icicle)


def test_the_view_menu_switches_and_the_next_report_begins_with_it(workbench: Session) -> None:
    widget = workbench.again([BY_HAND, "view = FlopsView(reports.resnet()); view"])
    widget.locator(".fw-row", has_text="layer2").first.click()
    menu(widget, "View").get_by_label("Icicle", exact=True).check()
    widget.page.keyboard.press("Escape")
    widget.locator(".fw-part.fw-selected", has_text="layer2").wait_for()
    assert not widget.locator(".fw-grid").count()
    box = widget.locator(".fw-part", has_text="layer3")
    box.click()
    eventually(workbench, "print(view.icicle)", "True")
    following = workbench.again(["FlopsView(reports.transformer())"])
    assert following.locator(".fw-icicle").is_visible()
    menu(following, "View").get_by_label("Icicle", exact=True).uncheck()
    following.locator(".fw-grid").wait_for()
    ask(workbench, "CHOICES.reset()")


def test_a_hundred_thousand_modules_are_a_few_boxes(workbench: Session) -> None:
    widget = workbench.again([BY_HAND + MANY, "FlopsView(many(100_000), icicle=True)"])
    widget.locator(".fw-part", has_text="block").first.wait_for()
    assert 3 < widget.locator(".fw-part").count() < 60
    # 10,000 blocks are too narrow to be told apart: one goes in step by step.
    going = """async icicle => {
        const times = [];
        for (let step = 0; step < 5; step++) {
            const parts = [...icicle.querySelectorAll('.fw-part:not(.fw-around)')];
            const inside = parts.find(one => one.ariaLevel > parts[0].ariaLevel);
            const start = performance.now();
            inside.click();
            icicle.getBoundingClientRect();
            times.push(performance.now() - start);
            await new Promise(requestAnimationFrame);
        }
        return [times.sort((a, b) => a - b)[2], icicle.querySelectorAll('.fw-part').length];
    }"""
    middle, count = widget.locator(".fw-icicle").evaluate(going)
    assert middle < 50
    assert count < 1000
    assert "leaf" in " ".join(parts(widget))
