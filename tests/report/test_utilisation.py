"""MFU and HFU: PaLM's own number, and which operators count."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import ipyflops
from ipyflops import Report
from ipyflops.costs import METRICS, Cost
from ipyflops.report import Peak, Rate, Timing
from ipyflops.views.rows.headline import headline
from tests.views.reports import Builder, resnet

PEAK = Peak("CPU", "a machine", (Rate("float32", 1e9),), 1e9)


def palm_540b() -> Report:
    """A step of PaLM 540B on 6,144 TPU v4 of 275 TFLOPS: Chowdhery et al. (2022), appendix B.

    2,048 sequences of 2,048 tokens at 238,300 tokens a second; 118 layers of 48 heads of 256.
    """
    n, layers, heads, size, length, batch = 540_350_000_000, 118, 48, 256, 2048, 2048
    tokens = batch * length
    builder = Builder()
    weights = Cost.of(contraction="2·n·d", n=n, d=tokens)
    attention = Cost.of(contraction="4·l·h·q·t·d", l=layers, h=heads, q=size, t=length, d=tokens)
    softmax = Cost.of(other="5·l·h·t·d", l=layers, h=heads, t=length, d=tokens)
    for phase, times in (("forward", 1), ("backward", 2), ("recompute", 1)):
        for operator, cost in (("aten::mm", weights), ("aten::bmm", attention)):
            builder.run(0, operator, cost, calls=times, phase=phase, dtype="bfloat16")
        builder.run(0, "aten::softmax", softmax, phase=phase, dtype="bfloat16")
    builder.run(
        0,
        "aten::step",
        Cost.of(other="10·n", n=n),
        phase="optimizer",
        microseconds=tokens / 238_300 * 1e6,
    )
    rates = (Rate("bfloat16", 6144 * 275e12), Rate("float32", 6144 * 275e12))
    return builder.report(peak=Peak("TPU", "6144 TPU v4", rates))


def test_palms_46_percent() -> None:
    report = palm_540b()
    assert report.mfu is not None
    assert round(100 * report.mfu, 1) == 46.2
    # All of its forward recomputed is a third more; element-wise work changes neither.
    assert report.hfu == pytest.approx(report.mfu * 4 / 3)
    said = headline(report).text
    assert "MFU 46.2 % of this TPU's" in said
    assert "HFU 61.6 %" in said
    assert METRICS["mfu"].value(report.totals) == pytest.approx(report.mfu)


def test_without_a_time_or_a_peak_there_is_none() -> None:
    assert (resnet().mfu, resnet().hfu) == (None, None)
    untimed = replace(
        resnet(), peak=PEAK, rows=tuple(replace(row, nanoseconds=0) for row in resnet().rows)
    )
    assert (untimed.mfu, untimed.hfu) == (None, None)
    # Clean repeats alone tell the time, too.
    timed = replace(untimed, timing=Timing((2.0,)))
    products = resnet().under("contractions").flops
    assert timed.mfu == timed.hfu == pytest.approx(products / 1e9 / 2.0)


def test_checkpointing_raises_hfu_alone() -> None:
    def step(*, again: bool) -> Report:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        x = torch.ones(4, 8, requires_grad=True)
        with ipyflops.FlopCounter() as counter:
            y = checkpoint(model, x, use_reentrant=True) if again else model(x)
            y.sum().backward()
        rows = tuple(replace(row, nanoseconds=10) for row in counter.report.rows)
        return replace(counter.report, rows=rows, peak=PEAK)

    plain, again = step(again=False), step(again=True)
    assert plain.mfu is not None
    assert again.mfu is not None
    assert again.hfu is not None
    # 2 layers of 2·4·8·8 FLOPs, three times in a step and once more where it is recomputed.
    assert plain.mfu * plain.seconds == pytest.approx(6 * 512 / 1e9)
    assert again.mfu * again.seconds == pytest.approx(6 * 512 / 1e9)
    assert again.hfu * again.seconds == pytest.approx(8 * 512 / 1e9)
    assert plain.hfu == plain.mfu


@pytest.mark.parametrize("clean", [None, 0.004])
def test_headline_and_column_use_the_same_time(clean: float | None) -> None:
    timing = None if clean is None else Timing((clean,))
    report = replace(resnet(training=True), peak=replace(PEAK, rates=(Rate("float32", 1e14),)))
    report = replace(report, timing=timing)
    products = report.under("contractions").flops
    assert report.mfu == pytest.approx(products / 1e14 / (clean or report.seconds))
    assert METRICS["mfu"].value(report.tree.totals) == pytest.approx(report.mfu)
    # Each place weighs in by its kernel time.
    weighed = sum(METRICS["mfu"].value(node.own) * node.own.seconds for node in report.walk())
    assert weighed == pytest.approx(report.mfu * report.seconds)
    assert f"MFU {100 * (report.mfu or 0):.1f} %" in headline(report).text


def test_the_convention_does_not_change_it() -> None:
    report = replace(resnet(), peak=PEAK)
    assert report.under("article").mfu == report.under("contractions").mfu == report.mfu


def test_what_has_no_products_is_set_against_the_peak_by_all_its_flops() -> None:
    builder = Builder()
    builder.run(0, "aten::add", Cost.of(other="n", n=10**6), microseconds=10_000)
    report = builder.report(peak=PEAK)
    assert report.mfu == 0
    assert "10.0 % of this CPU's 1.00 GFLOPS" in headline(report).text
    assert "MFU" not in headline(report).text
