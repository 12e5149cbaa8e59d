"""What each distinct call costs is remembered from one count to the next, until it is forgotten."""

import pytest
import torch

from ipyflops.counting import FlopCounter, recording
from ipyflops.counting.recording import SIGNATURES
from ipyflops.formulas import Call, Formula


def test_a_formula_is_asked_once_for_calls_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    apply = Formula.__call__

    def noted(self: Formula, call: Call) -> object:
        asked.append(call.operator)
        return apply(self, call)

    monkeypatch.setattr(Formula, "__call__", noted)
    a = torch.ones(3, 5)

    def flops() -> int:
        with FlopCounter() as counter:
            a @ a.T
        return counter.report.flops

    SIGNATURES.clear()
    assert flops() == 2 * 3 * 5 * 3
    assert asked == ["aten::mm"]
    assert flops() == 2 * 3 * 5 * 3
    assert asked == ["aten::mm"]
    SIGNATURES.clear()
    assert flops() == 2 * 3 * 5 * 3
    assert asked == ["aten::mm"] * 2


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    SIGNATURES.clear()
    monkeypatch.setattr(recording, "MAX_SIGNATURES", 3)
    with FlopCounter() as counter:
        for width in range(1, 9):
            torch.ones(2, width) + 1
    assert counter.report.flops == sum(2 * width for width in range(1, 9))
    assert len(SIGNATURES._signatures) <= 3
