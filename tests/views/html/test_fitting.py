"""A report takes at most 200 kB of a saved notebook, and what is left out is named."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from ipyflops.report import Report
from ipyflops.views import displays, mime_bundle, to_html, to_text
from ipyflops.views.html.fitting import CLOSED_ROOM, ROOM, Section, fitted, size
from ipyflops.views.html.parts import Html, text
from tests.views import reports
from tests.views.reports import HOSTILE

LIMIT = 200_000
BYS = ("modules", "operators", "lines")
large = cache(reports.large)


@cache
def hostile() -> Report:
    """Thousands of places, each with the longest name that does the most harm."""
    return reports.large(30, 30, "".join(HOSTILE) * 3)


@cache
def of_ranks() -> Report:
    ranks = [reports.large(1, 20)] * 300
    return Report.merge(ranks)


LONG = {"large": large, "hostile": hostile, "ranks": of_ranks, **reports.ALL}


def bytes_in_file(bundles: list[dict[str, object]], folder: Path) -> int:
    """What outputs add to a notebook's file."""

    def written(outputs: list[object]) -> int:
        cell = nbformat.v4.new_code_cell(outputs=outputs, id="cell")
        path = folder / "n.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        return path.stat().st_size

    outputs = [nbformat.v4.new_output("display_data", data=dict(data)) for data in bundles]
    return written(outputs) - written([])


@pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")
@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("name", LONG)
def test_a_report_adds_at_most_200_kb_to_a_file(name: str, by: str, tmp_path: Path) -> None:
    report = LONG[name]()
    assert bytes_in_file([mime_bundle(report, by=by)], tmp_path) <= LIMIT
    assert bytes_in_file(displays(report, view="widget", by=by), tmp_path) <= LIMIT


def test_a_difference_adds_at_most_200_kb_to_a_file(tmp_path: Path) -> None:
    difference = reports.large(100, 51) - large()
    assert bytes_in_file([mime_bundle(difference)], tmp_path) <= LIMIT
    assert re.search(r"[\d,]+ more changed · .*to_frame\(\)", to_html(difference))
    assert len(to_html(difference, room=None)) > LIMIT


def test_what_is_asked_for_gets_the_room() -> None:
    html = {by: to_html(large(), by=by) for by in BYS}
    modules = html["modules"]
    assert ROOM * 0.8 < size(modules) <= ROOM
    assert modules.count('class="f-row"') > 140
    # What is closed is there in brief, and does not take what is not looked at.
    assert html["operators"].count('class="f-row"') > 10
    assert size(html["operators"]) < len(to_text(large(), by="operators")) + 120_000


def test_a_report_that_fits_is_whole() -> None:
    for name in ("resnet", "training", "transformer", "unknown"):
        report = reports.ALL[name]()
        assert to_html(report) == to_html(report, room=None)
        assert "not shown here" not in to_html(report)


def test_every_place_is_shown_or_counted_among_those_that_are_not() -> None:
    report = large()
    html = to_html(report)
    places = len(report.scopes) - 1  # without that of the whole run
    rows = re.findall(r'class="f-name" title=', html)
    remarks = [int(one.replace(",", "")) for one in re.findall(r"<em>([\d,]+) more</em>", html)]
    closed = re.findall(r">([\d,]+) more inside, not shown<", html)
    hidden = sum(remarks) + sum(int(one.replace(",", "")) for one in closed)
    (said,) = re.findall(r">([\d,]+) more places are not shown here", html)
    said_places = int(said.replace(",", ""))
    # What "more" stands for holds places that are inside of it.
    assert said_places >= hidden
    assert len(rows) - len(remarks) + said_places == places


def test_every_line_and_operator_is_shown_or_counted_too() -> None:
    lines = to_html(large(), by="lines")
    (count,) = re.findall(r">([\d,]+) more lines are not shown here", lines)
    assert lines.count("<code>y") + int(count.replace(",", "")) == len(large().lines) == 5000
    assert f"<em>{count} more lines</em>" in lines
    operators = to_html(reports.large(1, 600), by="operators")
    (count,) = re.findall(r">([\d,]+) more operators are not shown here", operators)
    shown = operators.count('title="aten::mm"') + operators.count('title="ns::norm')
    assert shown + int(count.replace(",", "")) == 601
    assert f">{count} more<" in operators


def test_where_the_rest_is_found_is_true() -> None:
    pytest.importorskip("pandas")
    report = large()
    said = {by: to_html(report, by=by) for by in BYS}
    assert "to_frame() of the report has everything, and so has the widget" in said["modules"]
    assert "to_frame(lines=True) of the report has everything" in said["lines"]
    frame = report.to_frame(lines=True)
    # All work is in the layers, of which each of the blocks has two.
    assert frame["path"].nunique() == 100 * 50 * 2
    assert set(frame["operator"]) == set(report.by_operator)
    assert set(frame["line"]) == set(report.by_line)


def test_size_is_that_of_a_file_of_json(tmp_path: Path) -> None:
    html = to_html(reports.hostile())
    before = bytes_in_file([{"text/html": ""}], tmp_path)
    # An output is a list of lines there, each with two quotes, a comma and an indentation.
    lines = html.count("\n") + 1
    assert bytes_in_file([{"text/html": html}], tmp_path) == pytest.approx(
        before + size(html), abs=20 * lines
    )


def test_sections_share_the_room() -> None:
    def rows(most: int) -> Html:
        return text("x" * 100 * most, 10**6)

    def one(most: int, *, is_open: bool) -> Section:
        return Section("", rows, most, is_open)

    sections = [one(1000, is_open=True), one(1000, is_open=False), one(10, is_open=True)]
    assert [len(html) > 90_000 for html in fitted(sections, None)] == [True, True, False]
    first, closed, small = (size(html) for html in fitted(sections, 50_000))
    assert closed <= CLOSED_ROOM + 100
    assert small > 1000
    assert 50_000 * 0.9 < first + closed + small < 50_000 + 3 * 100
    assert all(size(html) < 400 for html in fitted(sections, 0))
