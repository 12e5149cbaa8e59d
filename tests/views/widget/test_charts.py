"""What the widget answers where a page asks for a chart."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from ipyflops.units import scaled
from ipyflops.views.widget.chart_image import chart_picture
from ipyflops.views.widget.view import FlopsView
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")

WISH: dict[str, Any] = {
    "of": "inside", "nodes": [0], "metric": "flops", "convention": "standard", "width": 400,
}  # fmt: skip


def names(wish: dict[str, Any], report: reports.Report) -> list[str]:
    return [row[0] for row in chart_picture(report, {**WISH, **wish}).rows]


def test_a_chart_that_cannot_be_drawn_is_an_answer_too() -> None:
    view = FlopsView(reports.resnet())
    wish = {"kind": "chart", "key": "k", **WISH}
    view._received(None, {**wish, "convention": "article"}, [])
    assert view._chart["svg"].startswith("<svg ")
    view._received(None, {**wish, "nodes": [10**6]}, [])
    assert "could not be drawn" in view._chart["error"]
    view._received(None, {**wish, "metric": "beauty"}, [])
    assert "no such metric" in view._chart["error"]
    view._received(None, "anything", [])


def test_alike_places_are_their_sum() -> None:
    report = reports.transformer()
    layers = report.find("encoder.layers").children
    picture = chart_picture(report, {**WISH, "nodes": [one.scope for one in layers]})
    assert [row[0] for row in picture.rows] == [
        "attn MultiheadAttention", "mlp Sequential", "(own work)",
    ]  # fmt: skip
    assert picture.svg.count("encoder.layers.0 ×12 · ") == 1
    parts = [sum(layer.children[at].flops for layer in layers) for at in (0, 1)]
    assert [row[1] for row in picture.rows[:2]] == [scaled(part, "FLOPs") for part in parts]


def test_a_leaf_shows_operators_and_an_operator_who_calls_it() -> None:
    report = reports.resnet(True)
    leaf = report.find("layer1.0.conv1").scope
    operators = ["aten::convolution_backward", "aten::convolution"]
    assert names({"nodes": [leaf]}, report) == operators
    assert names({"of": "operators"}, report)[:2] == operators
    index = next(
        number
        for number, one in enumerate(report.signatures)
        if one.operator == "aten::convolution"
    )
    callers = names({"of": "callers", "signature": index, "alone": False}, report)
    # Paths that differ in numbers alone are one; the model's name says nothing.
    assert "layer1.*.conv1 ×3" in callers
    assert not [one for one in callers if one.startswith("model")]
    [alone] = names({"of": "callers", "signature": index, "alone": True}, report)
    assert alone == "conv1"


def test_the_first_chart_is_in_the_state_and_small() -> None:
    import matplotlib.figure  # noqa: F401  as it is once a chart has been drawn

    for report in (reports.resnet(True), reports.wide(300)):
        view = FlopsView(report)
        state = view.get_state()["_chart"]
        # As `static/bars_wanted.js` asks for it.
        assert json.loads(state["key"]) == {**WISH, "width": 440, "height": 256}
        assert state["svg"].startswith("<svg ")
        assert len(json.dumps(state)) < 8_000
    assert FlopsView(reports.resnet(), selected="layer1")._chart["rows"][0][0] == "0 Bottleneck"
    assert FlopsView(reports.empty())._chart == {}


def test_a_view_does_not_import_matplotlib_for_its_first_chart() -> None:
    code = """
import sys
from ipyflops.views.widget.view import FlopsView
from tests.views import reports
assert FlopsView(reports.resnet())._chart == {}
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
