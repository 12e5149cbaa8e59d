"""The chart of a pane: bars have their part of every width, and nothing leaves the picture."""

from __future__ import annotations

import re
import threading
from xml.etree import ElementTree as ET

import matplotlib
import pytest
from matplotlib.transforms import Bbox

from ipyflops.costs import METRICS
from ipyflops.views.charts.page_bars import USUAL_BARS, Picture, page_bars
from ipyflops.views.charts.page_canvas import page_figure, page_svg
from ipyflops.views.rows.bars import COLORS, Bar, bars_of, operator_bars
from ipyflops.views.rows.text_width import width_of
from tests.views import reports

SVG = "{http://www.w3.org/2000/svg}"
#: What a pane may have in a window of 390 to 1,900 pixels, and all that the widget asks for.
WIDTHS = (240, 300, 390, 700, 1000, 1200)


def picture(report: reports.Report, width: int, *, operators: bool = False) -> Picture:
    bars = operator_bars(report) if operators else bars_of(report, [report.tree])
    return page_bars(bars, "the whole run", "[standard]", metric=METRICS["flops"], width=width)


def texts(svg: ET.Element) -> list[tuple[float, float, str]]:
    """Where each text begins and ends, in a wide font."""
    found = []
    for one in svg.iter(f"{SVG}text"):
        taken = width_of(one.text or "") * float(one.get("font-size", 0))
        anchor = one.get("text-anchor", "start")
        start = float(one.get("x", 0)) - taken * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        found.append((start, start + taken, one.text or ""))
    return found


def bars(svg: ET.Element, colors: set[str]) -> list[Bbox]:
    rects = [one for one in svg.iter(f"{SVG}rect") if one.get("fill") in colors]
    numbers = [[float(one.get(key, 0)) for key in ("x", "y", "width", "height")] for one in rects]
    return [Bbox.from_bounds(*one) for one in numbers]


@pytest.mark.parametrize("operators", [False, True])
@pytest.mark.parametrize("name", ["resnet", "training", "wide", "hostile", "transformer"])
@pytest.mark.parametrize("width", WIDTHS)
def test_bars_have_their_part_and_nothing_is_cut(name: str, width: int, operators: bool) -> None:
    svg = ET.fromstring(picture(reports.ALL[name](), width, operators=operators).svg)
    assert float(svg.get("width", 0)) == width
    height = float(svg.get("height", 0))
    # Those of the legend are the last, and square.
    shown = [one for one in bars(svg, set(COLORS.values())) if one.width != one.height]
    left = min(one.x0 for one in shown)
    longest = max(one.x1 for one in shown) - left
    assert longest >= 0.4 * width
    assert all(one.y0 >= 0 and one.y1 <= height for one in shown)
    for start, end, text in texts(svg):
        assert start >= -0.5, text
        assert end <= width + 0.5, text
    # Names end where bars begin, and numbers do not stand on bars.
    for start, end, text in texts(svg)[: len(shown)]:
        assert end <= left or start >= left, text


def test_a_bar_of_many_says_how_many_before_it_says_that_it_is_cut() -> None:
    svg = ET.fromstring(picture(reports.wide(), 340).svg)
    said = [text for _, _, text in texts(svg)]
    # 3,000 parts: as many stand together as are not named.
    (many,) = [text for text in said if re.fullmatch(r"2,9\d\d more( \(cut\))?", text)]
    assert many


def test_names_in_any_script_fit() -> None:
    builder = reports.Builder()
    for name in ("層" * 30, "طبقة الانتباه متعدد الرؤوس" * 2, "🙂" * 30, "e\u0301" * 80):
        builder.run(builder.scope(0, name, "層" * 9), "a", reports.Cost.of(other="7"))
    svg = ET.fromstring(picture(builder.report(), 300).svg)
    for start, end, text in texts(svg):
        assert start >= -0.5, text
        assert end <= 300.5, text
    # Texts are texts, and no font is named: the page has fonts for them.
    assert "層" in ET.tostring(svg, encoding="unicode")
    assert not [one for one in svg.iter() if "font-family" in one.attrib]
    assert {one.tag for one in svg.iter()} == {
        f"{SVG}{name}" for name in ("svg", "path", "rect", "text")
    }


def test_texts_have_the_colour_of_the_page() -> None:
    svg = ET.fromstring(picture(reports.resnet(True), 400).svg)
    assert svg.get("fill") == "currentColor"
    assert not [one for one in svg.iter(f"{SVG}text") if "fill" in one.attrib]
    strokes = {one.get("stroke") for one in svg.iter() if one.get("stroke")}
    assert strokes == {"currentColor"}


def test_many_are_bundled_and_the_table_says_what_is_drawn() -> None:
    report = reports.wide(300)
    drawn = picture(report, 400)
    assert len(drawn.rows) == USUAL_BARS
    assert drawn.rows[-1][0] == f"{300 - USUAL_BARS + 1} more"
    assert drawn.head == ("name", "FLOPs", "share")
    named = [row[0].split()[0] for row in drawn.rows[:-1]]
    assert [text for _, _, text in texts(ET.fromstring(drawn.svg)) if text.split()[0] in named]
    assert page_bars([], "x", "", metric=METRICS["flops"], width=400).rows == ()
    assert "no operator ran" in page_bars([], "x", "", metric=METRICS["flops"], width=400).svg


@pytest.mark.parametrize("height", [100, 160, 240, 256, 400, 1000])
@pytest.mark.parametrize("name", ["resnet", "training", "wide"])
def test_it_is_no_higher_than_the_pane(name: str, height: int) -> None:
    all_bars = bars_of(reports.ALL[name](), [reports.ALL[name]().tree])
    drawn = page_bars(all_bars, "x", "", metric=METRICS["flops"], width=400, height=height)
    tall = float(ET.fromstring(drawn.svg).get("height", 0))
    assert tall <= max(height, 120)
    # Whatever is left out would have had no room.
    if len(drawn.rows) < len(all_bars):
        assert len(drawn.rows) == 40 or tall > height - 40


def test_a_narrow_pane_keeps_the_number_of_the_title() -> None:
    phases = reports.resnet().tree.phases
    title = "model.encoder.layers.11.attention.output.dense"
    svg = page_bars([Bar("a", phases)], title, "[standard]", metric=METRICS["flops"], width=240).svg
    assert "GFLOPs · [standard]" in svg
    assert title not in svg


def test_what_is_drawn_outside_of_the_axes_is_cut_off_without_a_name() -> None:
    figure = page_figure(200, 100)
    axes = figure.add_axes((0.25, 0.25, 0.5, 0.5))
    axes.plot([0, 1], [0, 10], color="#123456")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    root = ET.fromstring(page_svg(figure))
    clips = [one for one in root.iter(f"{SVG}svg") if one is not root]
    assert [one.get("viewBox") for one in clips] == ["50 25 100 50"]
    assert not [one for one in root.iter() if "id" in one.attrib]


def test_no_setting_changes_and_none_is_asked_for() -> None:
    before = dict(matplotlib.rcParams)
    plain = picture(reports.resnet(True), 400).svg
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 40, "text.color": "red"}):
        assert picture(reports.resnet(True), 400).svg == plain
    assert dict(matplotlib.rcParams) == before


def test_charts_are_drawn_in_several_threads_at_once() -> None:
    drawn: list[str] = []
    threads = [
        threading.Thread(target=lambda: drawn.append(picture(reports.resnet(True), 400).svg))
        for _ in range(3)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(drawn) == 3
    assert len({*drawn}) == 1
