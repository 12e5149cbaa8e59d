"""Source lines as rows: the counted code whole, and methods with what ran on their lines."""

from __future__ import annotations

from dataclasses import replace

from ipyflops.report import Excerpt, LineCount, Report
from ipyflops.views.html.report import to_html
from ipyflops.views.rows.lines import line_rows
from ipyflops.views.text.report import to_text
from ipyflops.views.widget.packing import pack
from tests.views.reports import Builder, hostile, pointwise


def report_with_excerpts(blank: int = 1) -> Report:
    builder = Builder()
    line = builder.line(2, "    y = model(x)")
    model = builder.scope(0, "model", "Net")
    pointwise(builder, model, "aten::relu", 100, 1, line)
    pointwise(builder, model, "aten::neg", 300, 1, line)
    counts = (LineCount(41, "forward", 0, 1, 5000), LineCount(42, "forward", 1, 1, 7000))
    cell = Excerpt("In[5]", "", 1, ("%%flops", "    y = model(x)", *[""] * blank, "# the end"))
    method = Excerpt("net.py", "Net.forward", 40, ("  def f(x):", "    a", "    b"), counts)
    return builder.report(excerpts=(cell, method))


def test_every_line_of_the_code_is_a_row_and_methods_follow() -> None:
    report = report_with_excerpts()
    found = [
        (row.part, row.number, row.text, row.totals.flops if row.totals else None)
        for row in line_rows(report, 40)
    ]
    assert found == [
        ("In[5]", 1, "%%flops", None),
        ("In[5]", 2, "    y = model(x)", 400),
        ("In[5]", 3, "", None),
        ("In[5]", 4, "# the end", None),
        ("Net.forward (net.py)", 40, "def f(x):", None),
        ("Net.forward (net.py)", 41, "  a", 100),
        ("Net.forward (net.py)", 42, "  b", 300),
    ]


def test_where_not_all_lines_fit_those_that_ran_are_left() -> None:
    report = report_with_excerpts(blank=50)
    assert [row.number for row in line_rows(report, 40)] == [2, 41, 42]
    assert [row.text for row in line_rows(report, 2)] == ["y = model(x)", "2 more lines"]


def test_text_and_html_show_them() -> None:
    report = report_with_excerpts()
    text = to_text(report, by="lines")
    assert "%%flops" in text
    assert "Net.forward (net.py)" in text
    html = to_html(report, by="lines")
    assert "%%flops" in html
    assert "<strong>Net.forward (net.py)</strong>" in html


def test_code_that_would_do_harm_is_text() -> None:
    attack = "<img src=x onerror=alert(1)>\x1b[31m"
    excerpt = Excerpt(attack, attack, 1, (attack,), (LineCount(1, "forward", 0, 1, 1),))
    report = replace(hostile(), excerpts=(excerpt,))
    assert "<img" not in to_html(report)
    assert "\x1b" not in to_text(report, by="lines")
    (packed,) = pack(report)["excerpts"]
    assert packed["lines"][0].isprintable()
    assert packed["name"].isprintable()
