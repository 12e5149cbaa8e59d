"""What a file holds is refused, or can be shown: no number breaks a view, and no text a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, temporary_formula
from ipyflops.report import Peak, Rate, Report, ReportFormatError, Timing
from ipyflops.views import document, one_line, to_frame, to_html, to_text
from tests.report.test_report import put

NUMBERS = (10**400, 10**99, 2**63, 1.7e308, 1e99, 5e-324, 1e-29, -5e-324, math.inf, math.nan, 0)
TEXTS = ("lone \ud800", "\udcff.py")


@pytest.fixture(scope="module")
def report() -> Report:
    """A report of two ranks, with a timing, a peak and excerpts: with a number of every kind."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with FlopCounter(follow_methods=True) as counter:
        model(torch.ones(2, 4)).sum().backward()
    one = replace(
        counter.report,
        timing=Timing((0.25, 0.5), loops=3, threads=2, runs=5),
        peak=Peak("CPU", "of a test", (Rate("float32", 1e9, 2e9),), 1e9, 2e9),
        notes=("a note",),
        error="an error",
    )
    merged = Report.merge([one, one])
    return replace(merged, timing=one.timing, peak=one.peak)


def places(data: Any, kinds: tuple[type, ...], path: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Where values of some types are: the first and the last of each list, and all else."""
    if isinstance(data, dict):
        for key in data:
            yield from places(data[key], kinds, (*path, key))
    elif isinstance(data, list):
        for index in sorted({0, len(data) - 1} & set(range(len(data)))):
            yield from places(data[index], kinds, (*path, index))
    elif type(data) in kinds:
        yield path


def show(report: Report, *, charts: bool = False) -> None:
    to_text(report)
    to_text(report, by="lines")
    to_html(report)
    document(report, "markdown")
    document(report, "speedscope")
    for one in report.explain():
        str(one)
    assert one_line(report)
    to_frame(report)
    str(report.peak)
    if charts:
        for kind in ("bar", "roofline"):
            report.plot(kind).figure.canvas.draw()  # type: ignore[arg-type,union-attr]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_refused_or_can_be_shown(report: Report, number: float) -> None:
    data = report.to_dict()
    refused = shown = 0
    for path in places(data, (int, float)):
        try:
            found = Report.from_dict(put(data, path, number))
        except ReportFormatError:
            refused += 1
            continue
        show(found)
        shown += 1
    assert refused + shown > 50
    if not 1e-300 < number < 1e300:
        assert not shown or number == 0, "none of them can be counted on"


@pytest.mark.parametrize("number", [1.7e308, 5e-324, 10**400, 0.5, -1.0])
@pytest.mark.parametrize(
    "path", [("peak", "rates", 0, "flops_per_second"), ("peak", "rates", 0, "data_sheet")], ids=str
)
def test_a_peak_that_no_device_has_is_refused(
    report: Report, path: tuple[Any, ...], number: float
) -> None:
    with pytest.raises(ReportFormatError):
        Report.from_dict(put(report.to_dict(), path, number))


@pytest.mark.parametrize("number", [10**99, 1e99, 1e-29])
def test_extreme_numbers_that_are_read_can_be_drawn(report: Report, number: float) -> None:
    data = report.to_dict()
    for path in [*places(data["peak"], (int, float)), *places(data["timing"], (int, float))]:
        whole = ("peak", *path) if path[0] in data["peak"] else ("timing", *path)
        try:
            found = Report.from_dict(put(data, whole, number))
        except ReportFormatError:
            continue
        show(found, charts=True)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_no_file_can_hold_is_refused(report: Report, text: str) -> None:
    data = report.to_dict()
    refused = 0
    for path in places(data, (str,)):
        with pytest.raises(ReportFormatError):
            Report.from_dict(put(data, path, text))
        refused += 1
    assert refused > 40


def test_a_program_with_such_texts_is_saved(tmp_path: Path) -> None:
    """Names of modules and messages of errors can be anything."""
    model = nn.Sequential()
    model.add_module("lone \ud800", nn.ReLU())
    counter = FlopCounter()

    def program() -> None:
        with counter:
            model(torch.ones(3))
            raise FileNotFoundError("none: \udcff")

    with pytest.raises(OSError, match="none"):
        program()
    report = counter.report
    report.save(tmp_path / "report.json")
    read = Report.load(tmp_path / "report.json")
    assert read == Report.from_dict(report.to_dict())
    assert read.flops == report.flops == 3
    assert read.find("model").children[0].name == "lone ?"
    assert read.error == "FileNotFoundError: none: ?"
    show(read)


@pytest.mark.parametrize("number", [10**100, 10**100 - 1])
def test_what_could_not_be_read_again_is_not_saved(number: int, tmp_path: Path) -> None:
    operator = torch.ops.aten.relu.default
    with temporary_formula(operator, lambda call: number), FlopCounter() as counter:
        torch.relu(torch.ones(2))
    report = counter.report
    assert report.flops == number
    path = tmp_path / "report.json"
    if number < 10**100:
        report.save(path)
        assert Report.load(path).flops == number
    else:
        with pytest.raises(ReportFormatError, match="too large to be saved"):
            report.save(path)
        assert not path.exists()
