"""Models side by side: each number by hand, each form, each chart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from models.resnet import resnet50
from torch import nn

import ipyflops
from ipyflops.report import Timing
from tests.views.reports import HOSTILE, Builder, resnet


def counted(layer: nn.Module, x: torch.Tensor) -> ipyflops.Report:
    with torch.no_grad(), ipyflops.FlopCounter() as counter:
        layer(x)
    return counter.report


@pytest.fixture(scope="module")
def two() -> ipyflops.report.Comparison:
    linear = counted(nn.Linear(8, 16), torch.ones(4, 8))
    convolution = counted(nn.Conv2d(3, 8, 3), torch.ones(2, 3, 10, 10))
    return ipyflops.compare({"linear": linear, "convolution": convolution})


def test_each_number(two: ipyflops.report.Comparison) -> None:
    assert two.values("macs") == {"linear": 4 * 8 * 16, "convolution": 2 * 8 * 64 * 27}
    assert two.values("flops")["linear"] == 2 * 4 * 8 * 16
    assert two.values("parameters") == {"linear": 8 * 16 + 16, "convolution": 8 * 27 + 8}
    assert two.values("activations") == {"linear": 4 * 16, "convolution": 2 * 8 * 8 * 8}
    assert two.values("bytes")["linear"] == 4 * (4 * 8 + 8 * 16 + 16 + 4 * 16)
    assert two.values("peak_memory") == {"linear": None, "convolution": None}
    assert "peak_memory" not in two.measures


def test_resnet_50_has_the_activations_that_papers_print() -> None:
    """4.09 GMACs, 25.6 M parameters, 11.1 M activations (Radosavovic et al., 2020)."""
    with torch.device("meta"):
        report = counted(resnet50().eval(), torch.empty(1, 3, 224, 224))
    compared = ipyflops.compare({"resnet50": report})
    assert round(compared.values("activations")["resnet50"] / 1e6, 1) == 11.1
    assert round(compared.values("parameters")["resnet50"] / 1e6, 1) == 25.6


def test_attention_and_batched_products() -> None:
    q = torch.ones(2, 3, 5, 4)
    with ipyflops.FlopCounter() as counter:
        F.scaled_dot_product_attention(q, q, q)
        torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 6))
    found = ipyflops.compare({"x": counter.report}).values("activations")["x"]
    assert found == 2 * 3 * 5 * 4 + 2 * 3 * 6


def test_time_is_that_of_clean_repeats_where_there_are_some() -> None:
    report = resnet()
    timed = replace(report, timing=Timing((0.5, 0.5, 0.5)))
    refused = replace(report, timing=Timing((0.5,), refusal="other FLOPs"))
    compared = ipyflops.compare({"plain": report, "clean": timed, "refused": refused})
    assert compared.values("seconds") == {
        "plain": report.seconds,
        "clean": 0.5,
        "refused": report.seconds,
    }
    assert compared.values("flops_per_second")["clean"] == report.flops / 0.5


def test_the_forms(two: ipyflops.report.Comparison) -> None:
    lines = str(two).splitlines()
    assert lines[0] == "2 models   [standard]"
    assert [line.split()[0] for line in lines[2:5]] == ["model", "linear", "convolution"]
    assert "| linear " in two.to_markdown()
    assert "\\toprule" in two.to_latex(caption="Two")
    frame = two.to_frame()
    assert list(frame["model"]) == ["linear", "convolution"]
    assert list(frame["flops"]) == [1024, 2 * 2 * 8 * 64 * 27]
    assert "<table>" in two._repr_mimebundle_()["text/html"]


def test_all_are_read_under_the_convention_of_the_first(two: ipyflops.report.Comparison) -> None:
    both = [two.reports["linear"].under("article"), two.reports["convolution"]]
    compared = ipyflops.compare(dict(zip("ab", both, strict=True)))
    assert {one.convention for one in compared.reports.values()} == {"article"}


def test_bars_and_a_scatter_with_names(two: ipyflops.report.Comparison) -> None:
    bars = two.plot("bar", x="parameters")
    assert [bar.get_width() for bar in bars.patches] == [144, 224]
    axes = two.plot("scatter", x="flops", y="activations")
    assert axes.collections[0].get_offsets().tolist() == [[1024, 64], [55_296, 1024]]
    assert {text.get_text() for text in axes.texts} == {"linear", "convolution"}
    assert axes.get_xscale() == "log"
    with pytest.raises(ValueError, match="there is no chart 'pie' of a comparison"):
        two.plot("pie")
    with pytest.raises(ValueError, match="no model has both 'flops' and 'peak_memory'"):
        two.plot("scatter", x="flops", y="peak_memory")
    with pytest.raises(ValueError, match="there is no measure 'weight'"):
        two.plot("bar", x="weight")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_safely(name: str) -> None:
    compared = ipyflops.compare({name: resnet()})
    assert "\x1b" not in str(compared)
    assert "<img" not in compared._repr_mimebundle_()["text/html"]
    assert "<img" not in compared.to_markdown()
    compared.plot("scatter", x="flops", y="bytes").figure.canvas.draw()


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="compare needs at least one report"):
        ipyflops.compare({})
    with pytest.raises(TypeError, match="'x' is of type int"):
        ipyflops.compare({"x": 1})  # type: ignore[dict-item]
    assert str(ipyflops.compare({"nothing": Builder().report()}))
