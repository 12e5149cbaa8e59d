"""How clean repeats, the peak, and what memory limits are shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ipyflops import Report
from ipyflops.report import Peak, Rate, Timing
from ipyflops.views.charts.roofline import roofline
from ipyflops.views.html.report import to_html
from ipyflops.views.rows.headline import headline
from ipyflops.views.rows.roofline import bounds
from ipyflops.views.text.report import to_text
from ipyflops.views.widget.packing import pack
from tests.views.reports import ALL, Builder, hostile, resnet

PEAK = Peak("CPU", "a machine", (Rate("float32", 352e9), Rate("bfloat16", 90e9)), 20e9)


def with_peak() -> Report:
    return replace(resnet(), peak=PEAK)


def timed(**fields: object) -> Report:
    timing = Timing((0.04, 0.0405, 0.041), 10, 2, 37)
    return replace(resnet(), timing=replace(timing, **fields))  # type: ignore[arg-type]


def text_of(report: Report) -> str:
    return headline(report).text


def test_the_rate_is_set_against_the_peak() -> None:
    report = with_peak()
    products = report.under("contractions").flops_per_second
    assert f"MFU {100 * products / 352e9:.1f} % of this CPU's 352 GFLOPS" in text_of(report)


def test_a_clean_rate_goes_before_that_in_kernels() -> None:
    report = replace(timed(), peak=PEAK)
    share = report.under("contractions").flops / 0.0405 / 352e9
    assert "40.5 ms clean" in text_of(report)
    assert f"MFU {100 * share:.1f} % of this CPU's" in text_of(report)


def test_several_dtypes_are_listed() -> None:
    builder = Builder()
    cost = resnet().signatures[0].cost
    builder.run(0, "aten::mm", cost, microseconds=9, dtype="float32")
    builder.run(0, "aten::mm", cost, microseconds=9, dtype="bfloat16")
    report = builder.report(peak=PEAK)
    assert "of this CPU's peak (float32 352 GFLOPS, bfloat16 90.0 GFLOPS)" in text_of(report)


def test_the_mode_is_named() -> None:
    peak = Peak("GPU", "a GPU", (Rate("float32", 352e9, 400e9, "tf32"),), 2e12)
    said = headline(replace(resnet(), peak=peak))
    assert "of this GPU's 352 GFLOPS (tf32)" in said.text
    figure = next(one for one in said.items if "GPU's" in one.text)
    assert "data sheet 400 GFLOPS" in figure.definition


def test_more_than_the_peak_is_explained() -> None:
    slow = replace(PEAK, rates=(Rate("float32", 1e9),))
    figures = headline(replace(resnet(), peak=slow)).items
    assert any("ipyflops.peak(fresh=True)" in figure.definition for figure in figures)


def test_a_dtype_that_outruns_its_peak_is_suspicious_in_every_view() -> None:
    """Float32 is slow enough that all together stays below the peak, and hides it."""
    builder = Builder()
    cost = resnet().signatures[0].cost
    flops = cost.contraction.value + cost.other.value
    seconds_at_peak = {"float32": flops / 352e9, "bfloat16": flops / 90e9}
    took = {"float32": 10 * seconds_at_peak["float32"], "bfloat16": seconds_at_peak["bfloat16"] / 4}
    for dtype, seconds in took.items():
        builder.run(0, "aten::mm", cost, microseconds=round(seconds * 1e6), dtype=dtype)
    report = builder.report(peak=PEAK)
    assert sum(seconds_at_peak.values()) < sum(took.values())
    (warning,) = headline(report).toned("warning")
    share = seconds_at_peak["bfloat16"] / report.by_dtype["bfloat16"].seconds
    assert warning.text == f"suspicious: {100 * share:.1f} % of the peak in bfloat16"
    for shown in (to_text(report, width=200), to_html(report), str(pack(report)["headlines"])):
        assert warning.text in shown
    assert not headline(with_peak()).toned("warning")


def test_the_notes_say_how_often_the_code_ran() -> None:
    said = headline(timed(moved=("model", "opt"), remark="a remark"))
    assert said.notes[0].startswith("the code ran 37 times in all, counted once")
    assert "3 repeats of 10 runs each" in said.notes[0]
    assert said.notes[1].startswith("the repeats moved model, opt on; --restore")
    assert said.notes[2] == "a remark"
    assert "put back" in headline(timed(restored=True)).notes[1]


def test_refusals_and_spread_are_warnings() -> None:
    said = headline(timed(refusal="why", seconds=(1.0, 2.0, 3.0)))
    warnings = [figure.text for figure in said.toned("warning")]
    assert warnings[0] == "no clean FLOPS: why"
    assert warnings[1].startswith("the clean times vary: interquartile range 50.0 %")
    assert "FLOPS clean" not in said.text
    assert "2.00 s clean" in said.text


def test_a_repeat_that_failed_at_once() -> None:
    said = headline(timed(refusal="why", seconds=(), runs=2))
    assert said.notes == ("the code ran twice in all, counted once",)
    assert "clean" not in said.text.replace("no clean FLOPS", "")


@pytest.mark.parametrize("by", ["modules", "operators", "lines"])
def test_every_row_has_its_share_of_the_peak(by: str) -> None:
    assert "  MFU" in to_text(with_peak(), by=by, width=200)
    assert "MFU" not in to_text(resnet(), by=by, width=200)


@pytest.mark.parametrize("by", ["modules", "operators"])
def test_html_has_it_too(by: str) -> None:
    assert ">MFU<" in to_html(with_peak(), by=by)


@pytest.mark.parametrize("name", ALL)
def test_every_report_can_be_shown_with_them(name: str) -> None:
    report = replace(ALL[name](), peak=PEAK, timing=timed().timing)
    for by in ("modules", "operators", "lines"):
        assert to_text(report, by=by)
        assert to_html(report, by=by)


def test_names_do_no_harm() -> None:
    bad = "<img src=x onerror=alert(1)>\x1b[31m"
    peak = Peak(bad, bad, (Rate("float32", 1e9, mode=bad),), 1e9)
    timing = Timing((1.0,), moved=(bad,), refusal=bad, remark=bad)
    report = replace(hostile(), peak=peak, timing=timing)
    assert "<img" not in to_html(report)
    assert "\x1b" not in to_text(report)


# --- what limits ---------------------------------------------------------------------------------


def test_what_memory_limits_is_said() -> None:
    report = with_peak()
    found = bounds(report)
    assert found is not None
    assert found.ridge == pytest.approx(17.6)
    assert "aten::relu_" in found.memory
    assert "aten::convolution" in found.arithmetic
    (note,) = headline(report).notes
    assert note.startswith("memory-bound (below about 17.6 FLOPs per byte): ")
    assert "aten::relu_" in note
    assert note.endswith("of the kernel time")
    assert note.removesuffix(" of the kernel time") in to_text(report, width=500)


def test_each_dtype_has_a_ridge_of_its_own() -> None:
    builder = Builder()
    cost = resnet().signatures[0].cost
    moved = round(cost.contraction.value / 10)  # 10 FLOPs per byte
    builder.run(0, "single", cost, microseconds=9, moved=moved, dtype="float32")
    builder.run(0, "half", cost, microseconds=9, moved=moved, dtype="bfloat16")
    builder.run(0, "odd", cost, microseconds=9, moved=moved, dtype="float8_e5m2")
    found = bounds(builder.report(peak=PEAK))
    assert found is not None
    assert (found.memory, found.arithmetic) == (("single",), ("half",))


def test_nothing_is_said_without_ceilings() -> None:
    assert bounds(resnet()) is None
    assert bounds(replace(resnet(), peak=replace(PEAK, bytes_per_second=0.0))) is None
    assert headline(resnet()).notes == ()


def test_the_roofline_has_the_measured_ceilings() -> None:
    axes = roofline(with_peak())
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "bandwidth 20.0 GB/s",
        "peak 352 GFLOPS",
    ]
    assert roofline(resnet()).get_legend() is None
    given = roofline(with_peak(), peak_flops=1e12).get_legend()
    assert given is not None
    assert given.get_texts()[1].get_text() == "peak 1.00 TFLOPS"


# --- how busy a GPU was ---------------------------------------------------------------------------

#: The kernels of the run below take 50.8 ms.
CLEAN = Timing((0.254, 0.508), 1, 1, 3)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"device": "cuda:0", "busy_share": 0.03}, "cuda:0 busy 3.0 %"),
        ({"device": "cuda:0", "busy_share": 0.6}, None),
        ({"device": "cuda:0"}, None),
        ({"device": "cuda:1", "busy_share": 0.03, "timing": CLEAN}, "cuda:1 busy 20.0 %"),
        ({"device": "cuda:0", "busy_share": 0.03, "timing": Timing((0.06,))}, None),
        ({"device": "cpu", "timing": CLEAN}, None),
    ],
)
def test_a_gpu_that_waits_for_the_cpu_is_in_the_headline(
    fields: dict[str, object], text: str | None
) -> None:
    """The best of the clean runs takes 254 ms, of which 50.8 are a fifth."""
    report = replace(resnet(), **fields)  # type: ignore[arg-type]
    found = [item.text for item in headline(report).items if "busy" in item.text]
    assert found == ([] if text is None else [text])
    assert Report.from_dict(report.to_dict()) == report
