"""The list of ranks in the widget, in a real JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looking import cell, chart, menu, rows
from tests.browser.networks import BY_HAND

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session

RANKS = """\
from ipyflops.report.merging import merge_ranks
from ipyflops.report.run import Rank

def of_rank(number):
    builder = Builder()
    line = builder.line(1, "y = model(x)")
    model = builder.scope(0, "model", "Model", parameters=8)
    layer = builder.scope(model, f"stage{number}", "Linear", parameters=8)
    cost = Cost.of(contraction="2·n", n=1000 * (1 + number))
    builder.run(layer, "aten::mm", cost, microseconds=10 + number, moved=64, line=line)
    return builder.report()

lost = Rank(2, None, "no report within <b>5</b> s")
everything = merge_ranks([Rank(0, of_rank(0), place="a:1"), Rank(1, of_rank(1), place="a:2"), lost])
"""


@pytest.fixture
def ranks(workbench: Session) -> Locator:
    return workbench.again([BY_HAND + RANKS, "view = FlopsView(everything); view"])


def shown(widget: Locator) -> str:
    return widget.locator('.fw-rank[aria-checked="true"] .fw-rank-name').inner_text()


def test_a_rank_is_chosen_with_mouse_and_keyboard(ranks: Locator) -> None:
    assert shown(ranks) == "all 3 ranks"
    assert rows(ranks) == ["model", "stage0", "stage1"]
    assert "6.00 kFLOPs" in ranks.locator(".fw-figures").inner_text()

    ranks.get_by_role("radio", name="rank 1").click()
    ranks.locator('.fw-rank[aria-checked="true"]', has_text="rank 1").wait_for()
    assert rows(ranks) == ["model", "stage1"]
    assert "4.00 kFLOPs" in ranks.locator(".fw-figures").inner_text()
    assert "<svg" in chart(ranks)

    # The arrows go round, past the rank that is lost; the focus stays in the list.
    page = ranks.page
    ranks.locator('.fw-rank[aria-checked="true"]').focus()
    page.keyboard.press("ArrowDown")
    ranks.locator('.fw-rank[aria-checked="true"]', has_text="all 3 ranks").wait_for()
    page.keyboard.press("ArrowDown")
    ranks.locator('.fw-rank[aria-checked="true"]', has_text="rank 0").wait_for()
    assert rows(ranks) == ["model", "stage0"]


def test_a_lost_rank_says_so_and_cannot_be_chosen(ranks: Locator) -> None:
    lost = ranks.get_by_role("radio", name="rank 2")
    assert "no report within <b>5</b> s" in lost.inner_text()
    assert lost.get_attribute("aria-disabled") == "true"
    lost.click(force=True)
    assert shown(ranks) == "all 3 ranks"
    assert "incomplete: rank 2" in ranks.locator(".fw-error").inner_text()


def test_the_list_follows_the_convention_and_python(workbench: Session, ranks: Locator) -> None:
    first = ranks.get_by_role("radio", name="rank 0")
    assert "2.00 kFLOPs" in first.inner_text()
    workbench.page.evaluate(
        "code => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({ code })",
        "view.rank = 0",
    )
    ranks.locator('.fw-rank[aria-checked="true"]', has_text="rank 0").wait_for()
    assert rows(ranks) == ["model", "stage0"]


def test_replicated_work_and_communication_have_columns(workbench: Session) -> None:
    twice = """\
from dataclasses import replace

def sampled(number):
    builder = Builder()
    line = builder.line(1, "y = model(x)")
    model = builder.scope(0, "model", "Model", parameters=8)
    norm = builder.scope(model, "norm", "LayerNorm", parameters=8)
    up = builder.scope(model, "up", "Linear", parameters=8)
    builder.run(norm, "aten::native_layer_norm", Cost.of(other="n", n=700), line=line)
    builder.run(up, "aten::mm", Cost.of(contraction="2·n", n=1000), line=line)
    builder.run(up, "c10d::allreduce_", Cost.of(), line=line, verdict="free")
    report = builder.report()
    rows = [replace(row, sample=(5, 6 + number, 0)[at]) for at, row in enumerate(report.rows)]
    sent = [replace(one, communicated=2000 * ("c10d" in one.operator)) for one in report.signatures]
    return replace(report, rows=tuple(rows), signatures=tuple(sent))

both = merge_ranks([Rank(0, sampled(0)), Rank(1, sampled(1))])
"""
    widget = workbench.again([BY_HAND + RANKS + twice, "FlopsView(both)"])
    assert cell(widget, "norm", "FLOPs") == "1.40 k"
    assert cell(widget, "norm", "replicated") == "50.0 %"
    assert cell(widget, "up", "replicated") == ""
    assert cell(widget, "model", "replicated") == "13.0 %"
    menu(widget, "View").get_by_label("communicated").check()
    assert cell(widget, "up", "communicated") == "4.00 kB"
    assert cell(widget, "norm", "communicated") == ""
    # Of one rank nothing is replicated.
    widget.get_by_role("radio", name="rank 1").click()
    widget.locator('.fw-rank[aria-checked="true"]', has_text="rank 1").wait_for()
    assert cell(widget, "norm", "FLOPs") == "700"
    titles = widget.locator(".fw-head .fw-title").all_inner_texts()
    assert "replicated" not in titles
