"""Estimates as text, HTML, Markdown, charts and frames."""

from __future__ import annotations

import pytest

from ipyflops import Device
from tests.views.reports import HOSTILE, Builder, resnet


def test_text_says_time_bound_and_share_of_modules_and_operators() -> None:
    text = str(resnet().on("T4"))
    assert text.startswith("at least ")
    assert " on T4 · " in text
    assert "a bound by the data sheet" in text
    assert "NVIDIA T4 data sheet" in text
    assert "aten::convolution" in text
    assert "layer1 Sequential" in text


def test_per_item() -> None:
    text = " ".join(str(resnet().on("T4@0.5", per=(2, "image"))).split())
    assert "at 50.0 % of its peak" in text
    assert "images/s" in text
    assert "device hours for 1 G images" in text


def test_several_devices_are_rows() -> None:
    estimates = resnet().on("A100,H100,T4", per=(2, "image"))
    lines = str(estimates).splitlines()
    assert sum(line.startswith(("A100 80GB SXM  ", "H100 SXM  ", "T4  ")) for line in lines) == 3
    assert "| H100 SXM" in estimates.to_markdown()
    assert list(estimates.to_frame()["device"]) == ["A100 80GB SXM", "H100 SXM", "T4"]


def test_a_frame_has_a_row_for_each_place() -> None:
    counted = resnet()
    frame = counted.on("T4").to_frame()
    assert list(frame["path"]) == [node.path for node in counted.walk()]
    assert frame["seconds"][0] == counted.on("T4").seconds


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_safely(name: str) -> None:
    builder = Builder()
    builder.scope(0, name, name)
    device = Device(name, {"float32": 1e12}, 1e9, source=name)
    estimate = builder.report().on(device)
    text = str(estimate)
    assert "\x1b" not in text
    html = estimate._repr_mimebundle_()["text/html"]
    assert "<img" not in html
    assert "</details></div>" not in html
    assert "<img" not in estimate.to_markdown()


def test_the_roofline_of_what_never_ran_has_points_on_the_roof() -> None:
    axes = resnet().on("T4").plot("roofline")
    (points,) = axes.collections
    peak, bandwidth = 8.1e12, 320e9
    for intensity, rate in points.get_offsets():
        assert rate == pytest.approx(min(peak, intensity * bandwidth), rel=0.4)
    assert "data sheet of T4" in axes.get_title()
    assert resnet().on("T4").plot("bar").patches
