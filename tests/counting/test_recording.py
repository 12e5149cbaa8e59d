"""What each distinct call costs is remembered from one count to the next, until it is forgotten."""

from threading import Event, Thread

import pytest
import torch

from ipyflops.counting import FlopCounter, recording
from ipyflops.counting.recording import SIGNATURES
from ipyflops.formulas import Call, Formula, temporary_formula


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


def test_a_note_on_missing_values_names_the_operator_that_missed_them() -> None:
    """Not one whose formula runs in another thread meanwhile."""
    asking, asked = Event(), Event()

    def slow_formula(call: Call) -> int:
        asking.set()
        assert asked.wait(60)
        return 1

    def other_thread() -> None:
        assert asking.wait(60)
        torch.linalg.matrix_exp(torch.zeros(2, 2, device="meta"))
        asked.set()

    with temporary_formula(torch.ops.aten.sin, slow_formula), FlopCounter() as counter:
        thread = Thread(target=other_thread)
        thread.start()
        torch.zeros(3).sin()
        thread.join()
    (note,) = (note for note in counter.report.notes if "there were none" in note)
    assert note.endswith(": aten::linalg_matrix_exp")


def test_each_count_has_the_note_on_missing_values() -> None:
    for _ in range(2):
        with FlopCounter() as counter:
            torch.linalg.matrix_exp(torch.zeros(2, 2, device="meta"))
        assert any("aten::linalg_matrix_exp" in note for note in counter.report.notes)


def test_a_test_begins_with_nothing_remembered() -> None:
    """Otherwise a test that looks at one number would pass by what another one worked out."""
    assert not SIGNATURES._signatures
    with FlopCounter() as counter:
        torch.rand(100) ** 2.5
        torch.rand(100) ** 3.0
    assert counter.report.flops == 100 + 200
    assert SIGNATURES._signatures
