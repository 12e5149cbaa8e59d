"""The report as text: it fits, it adds up, and nothing in it can steer a terminal."""

import io
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from os import terminal_size

import pytest
from rich.cells import cell_len

from ipyflops.views.text.report import to_text
from ipyflops.views.text.tables import bar, cut, cut_left, cut_middle
from tests.views import golden, reports

WIDTHS = (20, 40, 57, 80, 120)
BYS = ("modules", "operators", "lines")
PREFIXES = " kMGTPEZYRQ"

ROW = re.compile(
    r"(?P<guide>[│├└ ]*)(?P<name>.*?) {2,}(?P<flops>\d[\d.]*(?: [kMGTPEZYRQ])?)"
    r" +[█▉▊▋▌▍▎▏]* *(?P<share>[<>]?[\d.]+) %"
)


@dataclass(frozen=True)
class Shown:
    """A row of the tree as it can be read, and by how much its numbers may be rounded."""

    level: int
    name: str
    flops: float
    percent: float

    @property
    def slack(self) -> float:
        return 0.006 * self.flops + 0.5


def rows(text: str) -> Iterator[Shown]:
    for line in text.split("\n"):
        found = ROW.match(line)
        if found:
            number, _, prefix = found["flops"].partition(" ")
            yield Shown(
                level=len(found["guide"]) // 2,
                name=found["name"],
                flops=float(number) * 1000 ** PREFIXES.index(prefix or " "),
                percent=float(found["share"].strip("<>")),
            )


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("name", reports.ALL)
def test_every_line_fits(name: str, by: str) -> None:
    report = reports.ALL[name]()
    for width in WIDTHS:
        for depth in (None, 4):
            text = to_text(report, by=by, depth=depth, width=width, per=(3, "x" * 40))
            assert max(map(cell_len, text.split("\n"))) <= width


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("name", reports.ALL)
def test_only_printable_characters_come_out(name: str, by: str) -> None:
    text = to_text(reports.ALL[name](), by=by, width=80)
    assert all(line.isprintable() and line == line.rstrip() for line in text.split("\n"))
    colored = to_text(reports.ALL[name](), by=by, width=80, color=True)
    plain = re.sub(r"\x1b\[[\d;]*m", "", colored)
    assert [line.rstrip() for line in plain.split("\n")] == text.split("\n")


@pytest.mark.parametrize(
    "name", ["resnet.txt", "training.txt", "resnet-depth-5.txt", "resnet-wide.txt", "wide.txt"]
)
def test_what_is_shown_adds_up(name: str) -> None:
    found = list(rows(golden.path(name).read_text(encoding="utf-8")))
    assert len(found) > 10
    assert found[0].percent == 100
    for index, row in enumerate(found):
        inside = []
        for other in found[index + 1 :]:
            if other.level <= row.level:
                break
            if other.level == row.level + 1:
                inside.append(other)
        if inside:
            slack = row.slack + sum(one.slack for one in inside)
            assert sum(one.flops for one in inside) == pytest.approx(row.flops, abs=slack)
            rounding = 0.1 * (1 + len(inside))
            assert sum(one.percent for one in inside) == pytest.approx(row.percent, abs=rounding)
        assert row.percent == pytest.approx(100 * row.flops / found[0].flops, abs=0.6)


@pytest.mark.parametrize("by", ["operators", "lines"])
@pytest.mark.parametrize("name", ["training", "transformer", "wide"])
def test_the_shares_of_a_list_add_up_to_all(name: str, by: str) -> None:
    text = to_text(reports.ALL[name](), by=by, width=100)
    shares = [float(share) for share in re.findall(r"(?<![<>\d.])(\d[\d.]*) %", text)]
    assert sum(shares) == pytest.approx(100, abs=0.1 * text.count(" %"))


def test_the_source_is_beside_its_heat() -> None:
    lines = to_text(reports.transformer(), by="lines", width=100).split("\n")
    assert any("81.5 %" in line and line.endswith("1  h = encoder(tokens)") for line in lines)
    assert any(line.endswith("model.py") for line in lines)
    # What all lines of a file are indented by is no news.
    assert any(line.endswith("7  return self.head(   self.norm(x))") for line in lines)
    assert any("(unknown line)" in line for line in lines)


def test_columns_that_say_nothing_are_left_out() -> None:
    assert "params" not in to_text(reports.unknown(), width=80)
    text = to_text(reports.integers(), width=80)
    assert "time" not in text
    assert "share" not in text
    assert "int ops" in text


def test_narrow_terminals_lose_columns_not_names() -> None:
    def titles(width: int) -> list[str]:
        lines = to_text(reports.resnet(), width=width).split("\n")
        return next(line for line in lines if line.startswith("module")).split()

    assert titles(80) == ["module", "FLOPs", "share", "calls", "params", "time", "rate"]
    assert titles(60) == ["module", "FLOPs", "share", "time"]
    assert titles(40) == ["module", "FLOPs"]
    assert titles(20) == ["module", "FLOPs"]


def test_unknown_and_free_operators_are_marked() -> None:
    text = to_text(reports.unknown(), by="operators", width=80)
    assert re.search(r"mylib::op .*unknown$", text, re.MULTILINE)
    assert re.search(r"aten::mm .*partly unknown$", text, re.MULTILINE)
    assert re.search(r"aten::clone .*free$", text, re.MULTILINE)


def test_what_is_left_out_is_said() -> None:
    report = reports.wide()
    assert "└ 2,962 more " in to_text(report, width=80)
    assert "2,961 more lines" in to_text(report, by="lines", width=80)
    assert "124 more inside these; -d 4 (depth=4) opens" not in to_text(reports.deep(), width=80)
    assert "more inside these; -d 4 (depth=4) opens the next level" in to_text(
        reports.resnet(), depth=3, width=80
    )


def test_a_depth_shows_that_many_levels() -> None:
    text = to_text(reports.resnet(), depth=1, width=80)
    assert [row.name for row in rows(text)] == ["model ResNet"]
    assert max(row.level for row in rows(to_text(reports.deep(), depth=30, width=300))) == 29


def test_phases_are_said_where_there_are_several() -> None:
    assert "forward 33.3 % · backward 66.5 % · optimizer 0.2 %" in to_text(
        reports.resnet(training=True), width=80
    )
    assert "backward" not in to_text(reports.resnet(), width=80)


def test_an_error_is_the_first_line() -> None:
    assert to_text(reports.failed(), width=80).startswith("!! incomplete: RuntimeError")


def test_str_is_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert str(reports.resnet()) == to_text(reports.resnet(), width=80)


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    # pytest asks as well, in its own words.
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: terminal_size((50, 24)))
    piped = to_text(reports.resnet())
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert to_text(reports.resnet()) == to_text(reports.resnet(), width=50) != piped


def test_something_to_show_it_by_is_checked() -> None:
    with pytest.raises(ValueError, match="choose one of modules, operators, lines"):
        to_text(reports.resnet(), by="colour")


@pytest.mark.parametrize("share", [0, 1e-9, 0.001, 0.5, 0.999, 1, 1.5, -1])
@pytest.mark.parametrize("width", [1, 6, 12])
def test_a_bar_has_its_width(share: float, width: int) -> None:
    assert len(bar(share, width)) == width
    assert (bar(share, width).strip() != "") == (share > 0)


@pytest.mark.parametrize("function", [cut, cut_left, cut_middle])
@pytest.mark.parametrize(
    "text", ["", "abc", "aten::_scaled_dot_product", "層🙂" * 9, "e\u0301" * 9]
)
def test_cutting_keeps_to_the_width(function: object, text: str) -> None:
    for width in range(1, 40):
        short = function(text, width)  # type: ignore[operator]
        assert cell_len(short) <= width
        assert short == text if cell_len(text) <= width else "…" in short


def test_a_report_that_is_printed_takes_no_random_number_of_the_programs() -> None:
    code = (
        "import random, ipyflops\n"
        "with ipyflops.FlopCounter() as counter:\n    pass\n"
        "random.seed(1); str(counter.report); print(random.random())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == random.Random(1).random()
