"""What is shown of memory, in each form, with numbers worked out from the sizes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from ipyflops import FlopCounter, Report
from ipyflops.costs import METRICS
from ipyflops.report import (
    DeviceMemory,
    Holding,
    Memory,
    MemoryPoint,
    PlaceMemory,
    ReportFormatError,
)
from ipyflops.units import scaled
from ipyflops.views import one_line, to_html, to_text
from ipyflops.views.rows.bars import Bar, largest, whole_of
from ipyflops.views.rows.memory import holder_rows, memory_words
from ipyflops.views.rows.text_width import width_of
from ipyflops.views.widget.chart_image import chart_picture, memory_picture
from ipyflops.views.widget.packing import pack
from tests.views import reports


@pytest.fixture(scope="module")
def report() -> Report:
    """A Linear of 1000×1000 in float32: 4 MB of weights, and a result of 4 MB."""
    model = torch.nn.Linear(1000, 1000, bias=False)
    x = torch.zeros(1000, 1000)
    with FlopCounter(memory=True, device_time=False) as counter, torch.no_grad():
        model(x)
    return counter.report


def test_the_headline_has_the_peak_and_its_largest_part(report: Report) -> None:
    assert "peak 12.0 MB (parameters 33.3 %)" in one_line(report)


def test_the_text_says_where_it_stood_and_who_made_it(report: Report) -> None:
    text = to_text(report, width=120)
    assert "peak of cpu 12.0 MB at aten::mm in model" in text
    assert "live peak" in text
    lines = [line.split() for line in text.splitlines()]
    for kind in ("parameters", "temporaries", "inputs"):
        assert [kind, "4.00", "MB"] in [line[:3] for line in lines]


def test_html_has_a_section_on_it(report: Report) -> None:
    html = to_html(report)
    assert "Peak of cpu: 12.0 MB at aten::mm in model" in html
    assert "made and freed again" in html


def test_documents_have_the_columns(report: Report) -> None:
    assert "live peak (MB)" in report.to_markdown()
    assert "live peak (MB)" in report.to_latex()
    with pytest.raises(ValueError, match="operators have no such numbers"):
        report.to_markdown(by="operators", columns=("saved_bytes",))


def test_frames_have_the_numbers_of_nodes_where_they_are_asked_for(report: Report) -> None:
    pytest.importorskip("pandas")
    frame = report.to_frame(columns=("parameter_bytes", "peak_bytes"))
    of_model = frame[frame.path == "model"]
    assert set(of_model.parameter_bytes) == {4_000_000}
    assert set(of_model.peak_bytes) == {12_000_000}


def test_the_chart_has_the_curve_and_the_kinds(report: Report) -> None:
    axes = report.plot("memory")
    texts = {text.get_text() for text in axes.texts}
    assert {"parameters 33.3 %", "temporaries 33.3 %", "inputs 33.3 %"} <= texts
    assert axes.get_ylabel() == "live MB"
    with pytest.raises(ValueError, match="no device 'cuda:0'"):
        report.plot("memory", device="cuda:0")
    with pytest.raises(ValueError, match="memory=True"):
        replace(report, memory=None).plot("memory")


def test_without_it_nothing_is_said(report: Report) -> None:
    without = replace(report, memory=None)
    for shown in (to_text(without), to_html(without), without.to_markdown()):
        assert "live peak" not in shown
        assert "Peak of" not in shown


def test_rows_that_are_left_out_are_summed_up() -> None:
    holdings = tuple(
        Holding(0, -1, "forward", kind, size, 1)
        for kind, size in (("parameters", 50), ("inputs", 30), ("other", 15), ("gradients", 5))
    )
    device = DeviceMemory("<img src=x>", 100, holdings=holdings, allocator_peak=140)
    report = replace(empty(), memory=Memory((device,)))
    rows = holder_rows(report, device, 2)
    assert [(row.bytes, row.name) for row in rows] == [(50, "(outside)"), (50, "3 more")]
    assert any("140 B at its peak, 40 B more" in text for text in memory_words(report))
    assert "<img src=x>" not in to_html(report)


def empty() -> Report:
    with FlopCounter(device_time=False) as counter:
        torch.zeros(1) + 1
    return counter.report


def test_a_difference_says_what_became_of_each_kind(report: Report) -> None:
    """The same Linear in half precision: 2 MB of weights, of input and of result less."""
    model = torch.nn.Linear(1000, 1000, bias=False).bfloat16()
    x = torch.zeros(1000, 1000, dtype=torch.bfloat16)
    with FlopCounter(memory=True, device_time=False) as counter, torch.no_grad():
        model(x)
    said = "peak 12.0 MB → 6.00 MB (parameters -2.00 MB, temporaries -2.00 MB, inputs -2.00 MB)"
    difference = counter.report - report
    assert said in " ".join(to_text(difference, width=120).split())
    assert said in to_html(difference)
    assert "peak 12.0 MB → 12.0 MB (unchanged)" in to_html(report - report)
    assert "→ 12.0 MB" not in to_html(report - replace(report, memory=None))


# --- files ---------------------------------------------------------------------------------------


def test_a_file_keeps_it_and_an_older_one_is_read(report: Report) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    assert data["version"] == 2
    assert Report.from_dict(data).memory == report.memory
    older = replace(report, memory=None).to_dict()
    assert older["version"] == 1
    assert Report.from_dict(older).memory is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("places",), [[1], [1], [1]]),
        (("places",), [[1] * 99] * 4),
        (("devices",), 3),
        (("devices", 0, "scope"), 99),
        (("devices", 0, "line"), -2),
        (("devices", 0, "name"), None),
        (("devices", 0, "holdings", 4), [-1, 1, 1]),
        (("devices", 0, "holdings", 3), [7, 0, 0]),
        (("devices", 0, "curve"), [[1], [1]]),
        (("devices", 0, "allocator_peak"), True),
    ],
)
def test_a_damaged_file_is_refused(report: Report, path: tuple[Any, ...], value: Any) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    inside = data["memory"]
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    with pytest.raises(ReportFormatError, match="memory"):
        Report.from_dict(data)


def test_ranks_have_a_memory_each_and_the_largest_is_shown(report: Report) -> None:
    assert report.memory is not None
    larger = replace(
        report.memory.device,
        peak=50_000_000,
        holdings=(Holding(1, 0, "forward", "other", 50_000_000, 1),),
        curve=(MemoryPoint(1, 50_000_000, "forward"),),
    )
    other = replace(report, memory=Memory((larger,), report.memory.places))
    merged = Report.merge([report, other])
    assert merged.memory is not None
    assert merged.memory.peak == 50_000_000
    assert merged.find("model").peak_bytes == report.find("model").peak_bytes
    assert merged.ranks[0].report == report


# --- bars ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Report:
    """Two layers and what is between: of 8 rows, 4·8·16 bytes, 4·8·16 and 4·8·4."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    with FlopCounter(memory=True, device_time=False) as counter:
        model(torch.zeros(8, 4)).sum().backward()
    return counter.report


def _bars(report: Report, path: str, metric: str) -> dict[str, str]:
    """The bars that the widget draws beside a place, as its table for readers has them."""
    wish = {"of": "inside", "nodes": [report.find(path).scope], "metric": metric, "width": 400}
    return {name: amount for name, amount, _ in chart_picture(report, wish).rows}


def test_bars_show_what_is_saved_and_what_is_live(trained: Report) -> None:
    """Tanh keeps its result of 8×16 numbers, which is what the last layer keeps of its input."""
    assert _bars(trained, "model", "saved_bytes") == {"1 Tanh": "512 B"}
    peaks = _bars(trained, "model", "peak_bytes")
    assert list(peaks) == ["0 Linear", "1 Tanh", "2 Linear"]
    title = trained.plot("bar", node="model", metric="peak_bytes").get_title(loc="left")
    # Peaks do not add up: the title is the largest.
    largest = max(child.peak_bytes for child in trained.find("model").children)
    assert title == f"model · {scaled(largest, 'B')}"


def test_the_bar_of_a_place_with_nothing_inside_is_its_own(trained: Report) -> None:
    """Operators hold no memory."""
    assert _bars(trained, "model.1", "saved_bytes") == {"1 Tanh": "512 B"}
    assert "aten::tanh" in _bars(trained, "model.1", "flops")


def test_bars_that_do_not_fit_hold_their_sum_or_their_largest() -> None:
    bars = [Bar(str(n), {}, held=PlaceMemory(saved_bytes=n, peak_bytes=10 * n)) for n in (1, 2, 3)]
    for metric, last in (("saved_bytes", 1 + 2), ("peak_bytes", 20)):
        assert [one.length(metric) for one in largest(bars, metric, 2)] == [
            3 if metric == "saved_bytes" else 30,
            last,
        ]
    assert whole_of(bars, METRICS["saved_bytes"]) == 6
    assert whole_of(bars, METRICS["peak_bytes"]) == 30


def test_the_browser_offers_them_only_where_there_is_memory(trained: Report) -> None:
    assert pack(trained)["bars"][-2:] == ["saved_bytes", "peak_bytes"]
    without = replace(trained, memory=None)
    assert "peak_bytes" not in pack(without)["bars"]
    with pytest.raises(ValueError, match="there is no metric 'peak_bytes'"):
        without.plot("bar", metric="peak_bytes")


@pytest.mark.parametrize("width", [240, 900])
def test_the_picture_fits_its_pane(trained: Report, width: int) -> None:
    """No number of an operator stands beyond the run, and no text leaves the pane."""
    svg = memory_picture(trained, width).svg
    # Those of the horizontal axis are centred, and the others begin or end at their place.
    below = re.findall(r'text-anchor="middle">([\d,]+)<', svg)
    assert trained.memory is not None
    assert max(int(text.replace(",", "")) for text in below) <= trained.memory.curve[-1].operator
    began = re.findall(r'<text x="([\d.]+)" y="[\d.]+" font-size="([\d.]+)">([^<]*)<', svg)
    assert {"forward", "backward"} <= {text for _, _, text in began}
    for x, size, text in began:
        assert float(x) + float(size) * width_of(text) <= width, text


def test_what_is_left_out_is_of_no_kind() -> None:
    """It may be of any: it must not be read as the kind *other*."""
    holdings = tuple(Holding(0, -1, "forward", "activations", 10 + n, 1, n > 0) for n in range(2))
    report = replace(reports.resnet(), memory=Memory((DeviceMemory("cpu", 21, holdings=holdings),)))
    assert memory_words(report, most=1)[-1] == "21 B (100 %) 2 more"
