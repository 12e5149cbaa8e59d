"""What one sees of a report that is set against another: what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looking import CHART, cell, chart, choose, expand, row, rows, weak_texts
from tests.browser.networks import BY_HAND, REAL

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session

OTHER = """\
other = torch.nn.Sequential(*[block() for _ in range(6)])
other[2] = torch.nn.Sequential(torch.nn.Linear(16, 128), torch.nn.ReLU(), torch.nn.Linear(128, 16))
del other[5]
%flops -q -v base net(x);
"""
#: What sticks out of its cell.
CUT = """widget => [...widget.querySelectorAll('.fw-cell:not(.fw-first), .fw-button, .fw-tab')]
    .filter(one => one.getClientRects().length && one.scrollWidth > one.clientWidth)
    .map(one => one.textContent)"""


@pytest.fixture
def against(workbench: Session) -> Locator:
    return workbench.again([REAL, OTHER, "%flops --against base other(x);"])


def test_what_has_changed_is_seen_at_once_and_the_report_is_a_click_away(
    workbench: Session, against: Locator
) -> None:
    tabs = against.locator(".fw-tab").all_inner_texts()
    assert tabs[:2] == ["Change", "Modules"]
    assert against.get_by_role("tab", name="Change").get_attribute("aria-selected") == "true"
    # A product of 4 rows is 2·4·in·out FLOPs with its bias, and a ReLU one for each number: 16,640
    # in each block. The third block becomes twice as wide, and the sixth goes.
    block = 2 * 2 * 4 * 16 * 64 + 4 * 64
    assert [cell(against, "2", name) for name in ("before", "after", "difference", "ratio")] == [
        f"{block / 1000:.1f} k", f"{2 * block / 1000:.1f} k", f"+{block / 1000:.1f} k", "×2.00",
    ]  # fmt: skip
    assert cell(against, "5", "ratio") == "removed"
    assert rows(against)[0] == "net → other"
    assert rows(against)[-1] == "4 unchanged"
    figures = against.locator(".fw-figures").inner_text()
    assert figures.startswith("99.8 kFLOPs → 99.8 kFLOPs (unchanged)")
    # No HTML beside it.
    assert not workbench.page.locator(".ipyflops-stand-in").last.is_visible()
    against.get_by_role("tab", name="Modules").click()
    assert cell(against, "other", "FLOPs") == "99.8 k"
    assert "→" not in against.locator(".fw-figures").inner_text()


def test_it_is_sorted_searched_and_folded(against: Locator) -> None:
    head = against.locator(".fw-head .fw-sort")
    head.get_by_text("difference").click()
    first = rows(against)
    assert first[0] == "net → other"
    assert {first[1], first[5]} == {"2", "5"}
    head.get_by_text("ratio").click()
    assert rows(against)[1] == "2"
    head.get_by_text("ratio").click()
    head.get_by_text("ratio").click()
    against.get_by_placeholder("Search").fill("relu")
    against.get_by_text("6 matches").wait_for()
    # Blocks that are alike are one row: 0 and 1, 2, 3 and 4, 5.
    assert rows(against).count("1") == 4
    against.get_by_role("tab", name="Operators").click()
    against.get_by_role("tab", name="Change").click()
    against.get_by_placeholder("Search").fill("")
    row(against, "4 unchanged").wait_for()
    row(against, "4 unchanged").locator(".fw-twisty").click()
    assert {"0 … 1", "3 … 4"} <= set(rows(against))
    row(against, "0 … 1").locator(".fw-badge").click()
    assert "0 … 1" not in rows(against)
    expand(against, "Collapse all")
    assert rows(against) == ["net → other"]


def test_the_chart_and_the_details_are_of_the_selected_row(against: Locator) -> None:
    assert "change of FLOPs" in chart(against)
    row(against, "2").first.click()
    against.locator(CHART, has_text="2 · change of FLOPs").wait_for()
    against.locator(".fw-heading", has_text="other.2").wait_for()
    operators = against.locator(".fw-operators tbody tr")
    assert operators.count() == 6
    assert "16.6 k → 33.3 k" in against.locator(".fw-facts").inner_text()
    choose(against, "Bars", "bytes")
    against.locator(CHART, has_text="2 · change of bytes").wait_for()
    assert cell(against, "2", "before").endswith("kB")


@pytest.mark.parametrize("width", [390, 1000, 1400])
def test_its_first_screen_is_compact(workbench: Session, width: int) -> None:
    cells = [BY_HAND, "reports.resnet(True) - reports.resnet()"]
    widget = workbench.again(cells)
    workbench.page.set_viewport_size({"width": width, "height": 1000})
    workbench.command("application:toggle-left-area")
    workbench.page.wait_for_timeout(600)
    box = widget.bounding_box()
    assert box is not None
    assert box["height"] <= 420
    assert widget.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    assert widget.evaluate(CUT) == []
    titles = widget.locator(".fw-head .fw-title").all_inner_texts()
    assert "difference" in titles
    assert width < 1000 or titles[1:5] == ["before", "after", "difference", "ratio"]
    assert weak_texts(widget) == []
    workbench.command("application:toggle-left-area")
    workbench.page.set_viewport_size({"width": 1400, "height": 1000})
