"""The tabs beside the tree: source lines with their methods, the roofline; and what is folded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.looking import cell, chart, choose, menu, row, rows
from tests.browser.networks import BY_HAND, REAL

if TYPE_CHECKING:
    from tests.browser.jupyter import Session

CLASS = """\
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(16, 16)

    def forward(self, x):
        # the only product
        x = self.linear(x)
        return x + 1

mine = Net()
"""
PEAK = """\
from dataclasses import replace
from ipyflops.report.ceilings import Peak, Rate
peak = Peak("CPU", "a machine", (Rate("float32", 352e9),), 20e9)
"""


def test_the_lines_are_those_of_the_whole_cell(workbench: Session) -> None:
    cell_text = "%%flops\n# nothing here\ny = mine(x)\n\nz = y * 2"
    widget = workbench.again([REAL + CLASS, cell_text])
    widget.get_by_role("tab", name="Lines").click()
    name, *lines = rows(widget)
    assert name.startswith("In[")
    assert lines == ["%%flops", "# nothing here", "y = mine(x)", "", "z = y * 2"]
    assert cell(widget, "z = y * 2", "FLOPs") == "64"
    assert cell(widget, "# nothing here", "FLOPs") == ""
    # Methods were not followed; the control says how they are.
    menu(widget, "View").get_by_label("methods").click()
    widget.get_by_text("--by lines").wait_for()


def test_methods_are_shown_on_request_with_what_ran_on_their_lines(workbench: Session) -> None:
    widget = workbench.again([REAL + CLASS, "%%flops --by lines\nmine(x)\nmine(x)"])
    assert rows(widget)[1:] == ["%%flops --by lines", "mine(x)", "mine(x)"]
    menu(widget, "View").get_by_label("methods").click()
    widget.page.keyboard.press("Escape")
    assert rows(widget)[4:] == [
        "Net.forward",
        "def forward(self, x):",
        "    # the only product",
        "    x = self.linear(x)",
        "    return x + 1",
    ]
    assert row(widget, "Net.forward").locator(".fw-type").inner_text().startswith("In[")
    # Two calls, each with 4×16 outputs.
    assert cell(widget, "    x = self.linear(x)", "FLOPs") == "4.10 k"
    assert cell(widget, "    return x + 1", "FLOPs") == "128"
    row(widget, "    x = self.linear(x)").click()
    widget.locator(".fw-formula").first.wait_for()
    operators = widget.locator(".fw-operators tbody th")
    assert [one.split()[-1] for one in operators.all_inner_texts()] == ["aten::addmm"]
    choose(widget, "Convention", "contractions")
    assert cell(widget, "    return x + 1", "FLOPs") == "0"


def test_the_roofline_says_what_memory_limits(workbench: Session) -> None:
    widget = workbench.again([BY_HAND + PEAK, "FlopsView(replace(reports.resnet(), peak=peak))"])
    assert cell(widget, "model", "MFU").endswith(" %")
    widget.get_by_role("tab", name="Roofline").click()
    widget.get_by_text(re.compile(r"Memory-bound \(below about 17\.6 FLOPs per byte\)")).wait_for()
    assert "peak" in chart(widget)
    modules = chart(widget)
    widget.get_by_label("Points").select_option("operators")
    widget.locator("svg").get_by_text("aten::relu_").wait_for()
    assert chart(widget) != modules
    widget.get_by_role("tab", name="Modules").click()
    assert rows(widget)[0] == "model"


def test_without_a_peak_the_roofline_says_how_to_get_one(workbench: Session) -> None:
    widget = workbench.again([BY_HAND, "FlopsView(reports.resnet(), by='roofline')"])
    widget.get_by_text("%flops --peak").wait_for()
    assert chart(widget)
    assert widget.get_by_role("tab", name="Roofline").get_attribute("aria-selected") == "true"


def test_memory_has_a_tab(workbench: Session) -> None:
    cell_text = "%%flops --memory\nmine(x).sum().backward()"
    widget = workbench.again([REAL + CLASS, cell_text])
    widget.get_by_role("tab", name="Memory").click()
    widget.get_by_text("Peak of cpu").wait_for()
    assert "parameters" in chart(widget)


def test_the_chart_of_what_is_folded_is_the_sum(workbench: Session) -> None:
    widget = workbench.again([BY_HAND, "FlopsView(reports.transformer())"])
    fold = row(widget, "0 … 11")
    fold.click()
    chart(widget)
    name = widget.locator(".fw-chart:visible [role=img]").get_attribute("aria-label")
    assert name == "Bar chart: FLOPs inside encoder.layers.0 and 11 alike"
    widget.locator(".fw-heading").get_by_text("the sum of 12 alike").wait_for()
