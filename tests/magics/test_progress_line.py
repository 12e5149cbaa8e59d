from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ipyflops import FlopCounter
from ipyflops.counting import Progress
from ipyflops.magics import progress_line
from ipyflops.magics.progress_line import ProgressLine


class Display:
    """A notebook's display publisher that keeps what it gets."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, bool]] = []

    def publish(self, data: Any, transient: Any, update: bool = False, **_: object) -> None:
        (text,) = data.values()
        self.published.append((text, transient["display_id"], update))

    def clear_output(self, wait: bool = False) -> None:
        self.published.append(("cleared", "", wait))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(progress_line, "FIRST_UPDATE_AFTER", 0.05)
    monkeypatch.setattr(progress_line, "MIN_PAUSE", 0.02)
    return SimpleNamespace(kernel=object(), display_pub=Display())


def test_a_counter_says_how_far_it_has_come() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    data = torch.ones(1, 4)
    counter = FlopCounter()
    assert counter.progress() == Progress(0, 0, "")
    with counter:
        model(data)
        so_far = counter.progress()
    assert so_far.operators == counter.report.totals.calls
    assert so_far.flops == counter.report.flops == 36
    assert so_far.module.startswith("model.")
    assert (
        str(Progress(1200, 3_000_000, "a.b")) == "counting: 1.20 k operators, 3.00 MFLOPs, in a.b"
    )


def counter() -> Any:
    return SimpleNamespace(progress=lambda: Progress(1, 2, "m"))


def test_a_long_block_is_told_of_in_displays_that_the_report_takes(shell: Any) -> None:
    line = ProgressLine(shell, outputs=2)
    with line.shown(counter()):
        time.sleep(0.5)
    (first, one, update), (second, other, _), *others = shell.display_pub.published
    assert (first, update) == ("<span></span>", False)
    assert second == "counting: 1 operators, 2 FLOPs, in m"
    assert set(others) == {(second, other, True)}
    assert line.take() == [one, other]
    assert line.take() == []
    line.empty([other])
    assert shell.display_pub.published[-1] == ("", other, True)


def test_a_short_block_is_not_told_of(shell: Any) -> None:
    line = ProgressLine(shell)
    with line.shown(counter()):
        pass
    assert shell.display_pub.published == line.take() == []


def test_a_failure_to_read_costs_the_line_alone(shell: Any) -> None:
    def fail() -> Progress:
        raise RuntimeError

    line = ProgressLine(shell)
    with line.shown(SimpleNamespace(progress=fail)):
        time.sleep(0.2)
    assert shell.display_pub.published == line.take() == []


def test_what_the_code_clears_has_no_place_any_more(shell: Any) -> None:
    line = ProgressLine(shell)
    with line.shown(counter()):
        time.sleep(0.2)
        shell.display_pub.clear_output(wait=True)
        published = len(shell.display_pub.published)
        time.sleep(0.2)
    assert len(shell.display_pub.published) <= published + 1  # one may have been on its way
    assert line.take() == []
    assert "clear_output" not in vars(shell.display_pub)


def test_what_the_code_captures_is_not_the_line(shell: Any) -> None:
    own = shell.display_pub
    line = ProgressLine(shell)
    with line.shown(counter()):
        shell.display_pub = Display()
        time.sleep(0.3)
    assert shell.display_pub.published == []
    assert own.published


def test_nobody_sees_a_line_that_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    assert not progress_line.can_be_shown(SimpleNamespace())
