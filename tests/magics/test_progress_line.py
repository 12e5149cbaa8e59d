from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ipyflops import FlopCounter
from ipyflops.counting import Progress
from ipyflops.magics import progress_line


class Display:
    """A notebook's display publisher that keeps what it gets."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bool]] = []

    def publish(self, data: Any, update: bool = False, **_: object) -> None:
        self.published.append((data["text/plain"], update))


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


def test_a_long_block_is_told_of_in_one_display_that_is_empty_afterwards(shell: Any) -> None:
    counter = SimpleNamespace(progress=lambda: Progress(1, 2, "m"))
    with progress_line.shown(counter, shell):
        time.sleep(0.5)
    published = shell.display_pub.published
    assert published[0] == ("counting: 1 operators, 2 FLOPs, in m", False)
    assert all(update for _, update in published[1:])
    assert published[-1] == ("", True)


def test_a_short_block_is_not_told_of(shell: Any) -> None:
    with progress_line.shown(SimpleNamespace(progress=lambda: Progress(0, 0, "")), shell):
        pass
    assert shell.display_pub.published == []


def test_a_failure_to_read_costs_the_line_alone(shell: Any) -> None:
    def fail() -> Progress:
        raise RuntimeError

    with progress_line.shown(SimpleNamespace(progress=fail), shell):
        time.sleep(0.2)
    assert shell.display_pub.published == []


def test_nobody_sees_a_line_that_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    assert not progress_line.can_be_shown(SimpleNamespace())
