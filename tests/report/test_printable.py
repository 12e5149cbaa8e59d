"""What is printed has only characters that the standard output knows; elsewhere it is as ever."""

from __future__ import annotations

import io
import sys

import pytest
import torch
from torch import nn

from ipyflops import Cost, FlopCounter, Report, sweep
from ipyflops.report import Peak, Rate, printable
from tests.views import reports

ENCODINGS = ("ascii", "cp1252", "cp437", "latin-1", "koi8-r")


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.größe = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.norm = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.größe:
            x = layer(x)
        return self.norm(x)


def counted(rows: int) -> Report:
    with FlopCounter(follow_methods=True) as counter:
        Network()(torch.ones(rows, 8)).sum().backward()
    return counter.report


def output(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding, write_through=True))
    return written


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_everything_can_be_printed(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    report, other = counted(2), counted(3)
    growth = sweep(lambda n: Network()(torch.ones(n, 8)), n=[2, 4, 8])
    peak = Peak("CPU", "größer", (Rate("float32", 1e9),))
    shown = [report, other - report, growth, *report.explain(), growth.growth(), peak]
    shown += [reports.resnet(training=True), reports.transformer(), reports.hostile()]
    written = output(monkeypatch, encoding)
    for one in shown:
        print(one)
        print([one])
    print([report.tree, *report.tree.children, report.tree.totals, list(report.signatures)])
    print([report.scopes, report.lines, report.excerpts, report.rows, (other - report).tree])
    print(
        [
            growth.points[0].values,
            growth.variables,
            growth.growth().terms,
            Cost.of(other="2·m", m=1),
        ]
    )
    assert written.getvalue().decode(encoding).count("FLOPs") > 15


def test_what_cannot_be_shown_is_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "2·m·n² − ½ … │├└ █▍ 層"
    assert printable(text) == text
    output(monkeypatch, "ascii")
    assert printable(text) == "2*m*n^2 - 1/2 ~ ||` #- \\u5c64"
    output(monkeypatch, "latin-1")
    assert printable(text) == "2·m·n² - ½ ~ ||` #- \\u5c64"


@pytest.mark.parametrize("encoding", [None, "", "utf-8", "utf-16", "no such encoding"])
def test_other_outputs_get_the_text_as_it_is(
    monkeypatch: pytest.MonkeyPatch, encoding: str | None
) -> None:
    class Output(io.StringIO):
        pass

    Output.encoding = encoding  # type: ignore[assignment]
    monkeypatch.setattr(sys, "stdout", Output())
    assert printable("2·m·n") == "2·m·n"
