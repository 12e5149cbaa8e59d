"""A column is described once, and every form has it."""

from __future__ import annotations

import re

import pytest
import torch

from ipyflops import FlopCounter, dry_run
from ipyflops.costs import METRICS
from ipyflops.units import percent
from ipyflops.views import to_html, to_text
from ipyflops.views.rows.columns import BROWSER, HTML, OPTIONAL, TEXT, columns
from ipyflops.views.widget.packing import pack
from tests.views import reports

EXTRA = ("time_share",)
TITLE = METRICS["time_share"].title


def shares() -> list[str]:
    """The shares of the kernel time, worked out from the tree itself."""
    report = reports.failed()
    return [percent(node.seconds / report.seconds) for node in report.walk()]


def test_the_share_of_kernel_time_is_off_unless_it_is_asked_for() -> None:
    report = reports.transformer()
    on_demand = {"utilization", "activations", "trainable", "frozen", "input", "output", "kernel"}
    assert set(OPTIONAL) == {*EXTRA, *on_demand}
    assert TITLE not in to_text(report, width=200)
    assert f'data-title="{TITLE}"' not in to_html(report)
    assert TITLE not in report.to_markdown()
    assert "time_share" not in report.to_frame().columns


@pytest.mark.parametrize("by", ["modules", "operators", "lines"])
def test_text_has_it(by: str) -> None:
    report = reports.transformer()
    head, *rows = to_text(report, by=by, width=200, columns=EXTRA).split("\n\n")[1].split("\n")
    at = head.index(TITLE) + len(TITLE)
    assert rows
    cells = [row[:at].rstrip().rsplit("  ", 1)[-1].strip() for row in rows if row.strip()]
    numbers = [cell for cell in cells if cell.endswith("%")]
    assert sum(float(cell.strip("<>% ")) for cell in numbers) >= 99
    if by == "operators":
        by_time = {name: percent(one.seconds / report.seconds)
                   for name, one in report.by_operator.items()}  # fmt: skip
        assert by_time["aten::addmm"] in numbers


def test_html_has_it_in_every_table() -> None:
    report = reports.transformer()
    html = to_html(report, columns=EXTRA)
    assert f'data-title="{TITLE}" title="{METRICS["time_share"].tip}"' in html
    assert html.count(f"<th>{TITLE}</th>") == 2
    head = report.find("head")
    share = percent(head.seconds / report.seconds)
    assert f'{share}<span class="f-unit"> of the kernel time' in html


def test_markdown_has_it() -> None:
    report = reports.transformer()
    table = report.to_markdown(columns=["flops", "time_share"], caption="")
    titles, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")
    ]
    assert titles[-1] == f"{TITLE} (%)"
    # What ran outside the modules has a row, so the rows add up.
    assert sum(float(row[-1]) for row in rows[:-1]) == pytest.approx(100, abs=0.3)
    assert rows[-1][-1] == "**100**"


def test_the_frame_has_it() -> None:
    report = reports.transformer()
    frame = report.to_frame(columns=EXTRA)
    assert frame["time_share"].sum() == pytest.approx(1)
    assert (frame["time_share"] * report.seconds).tolist() == pytest.approx(
        frame["seconds"].tolist()
    )


def test_the_browser_gets_what_it_takes_to_draw_it() -> None:
    message = pack(reports.transformer())
    column = message["columns"]["time_share"]
    assert column["title"] == TITLE
    assert column["explanation"] == METRICS["time_share"].tip
    assert (column["ratio"], column["of_whole"]) == (("seconds", "seconds"), True)
    assert column["optional"]
    for names in message["tables"].values():
        assert names[-1] == "time_share"
    # Without kernel time there is nothing to share out.
    assert "time_share" not in pack(reports.integers())["tables"]["modules"]


def test_a_column_that_is_there_is_not_shown_twice_and_a_wrong_one_is_named() -> None:
    report = reports.transformer()
    layout = TEXT["operators"]
    totals = list(report.by_operator.values())
    usual = columns(report, layout, totals)
    assert columns(report, layout, totals, extra=["flops"]) == usual
    # What a module has is no column of operators.
    assert columns(report, layout, totals, extra=["params"]) == usual
    with pytest.raises(ValueError, match="there is no column 'colour'; choose one of shapes"):
        columns(report, layout, totals, extra=["colour"])


@pytest.mark.parametrize("form", [TEXT, HTML, BROWSER])
def test_layouts_name_metrics_and_none_twice(form: dict) -> None:
    for layout in form.values():
        assert len(set(layout.keys)) == len(layout.keys)
        assert set(layout.keys) <= set(METRICS) - set(OPTIONAL)


def test_what_says_nothing_has_no_column() -> None:
    def titles(report) -> list[str]:
        return re.findall(r'data-title="([^"]+)"', to_html(report))

    assert titles(reports.integers()) == ["module", "FLOPs", "calls", "FLOPs/B"]
    assert "params" in titles(reports.resnet())
    assert "MFU" not in titles(reports.resnet())


def test_a_dry_run_has_no_column_of_times() -> None:
    report = dry_run(torch.nn.Linear(4, 3), torch.ones(2, 4))
    assert "<th>time</th>" not in to_html(report)
    assert "<th>rate</th>" not in to_html(report)
    assert "seconds" not in pack(report)["tables"]["operators"]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("module_calls", 999, "999"),
        ("module_calls", 1000, "1,000"),
        ("calls", 99_999, "99,999"),
        ("calls", 100_000, "100 k"),
        ("intensity", 0.004, "<0.01"),
        ("intensity", 0.01, "0.01"),
        ("intensity", 0.0, "0"),
    ],
)
def test_how_a_number_is_written(key: str, value: float, text: str) -> None:
    assert METRICS[key].short(value) == text


def test_what_is_free_is_said_in_the_same_words() -> None:
    with FlopCounter() as counter:
        torch.ones(5).clone()
    assert "free: computes nothing" in to_text(counter.report, by="operators", width=120)
    assert "free: computes nothing" in to_html(counter.report)


def test_the_column_of_rates_has_another_name_than_the_count() -> None:
    assert METRICS["flops_per_second"].title == "rate"
    assert METRICS["flops"].title == "FLOPs"
