"""What an operator costs where programs grow: calls of functions are counted, not seconds."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter
from ipyflops.attribution import marks
from ipyflops.attribution.sequence import NodeMap
from ipyflops.counting import recording

X = torch.ones(1, 2)


class Frame:
    """Stands before a frame and notes how often its line is asked for."""

    def __init__(self, frame: Any) -> None:
        self.asked = 0
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "f_lineno"
        return getattr(self._frame, name)


def noting(monkeypatch: pytest.MonkeyPatch, holder: Any, name: str) -> list[Any]:
    """Have the calls of a method noted: gives the list of their last arguments."""
    calls: list[Any] = []
    method = getattr(holder, name)

    def noted(self: Any, *arguments: Any) -> Any:
        calls.append(arguments[-1])
        return method(self, *arguments)

    monkeypatch.setattr(holder, name, noted)
    return calls


def test_past_the_most_kinds_of_calls_a_known_cost_is_not_worked_out_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two kinds are kept apart here; the third one runs ten times, as the others do."""
    monkeypatch.setattr(recording, "MAX_ENTRIES", 2)
    tensors = [torch.ones(3, 7, size) for size in (1, 2, 3)]
    with FlopCounter() as before:
        for x in tensors:
            x.cosh()
    worked_out = noting(monkeypatch, recording.Recorder, "_signature")
    with FlopCounter() as counter:
        for _ in range(10):
            for x in tensors:
                x.cosh()
    assert worked_out == []
    assert counter.report.flops == 10 * before.report.flops
    # Nothing is lost: 21 + 42 + 63 elements.
    assert before.report.by_operator["aten::cosh"].bytes == 2 * 4 * (21 + 42 + 63)


def test_the_lines_of_long_code_are_read_once_an_instruction() -> None:
    lines = "\n".join(f"    yield {number}" for number in range(500))
    namespace: dict[str, Any] = {}
    exec(f"def long():\n{lines}\n", namespace)
    running = namespace["long"]()
    mark = marks.FollowedFrame(None, None, "forward")  # type: ignore[arg-type]
    for expected in (2, 3, 4):  # the first yield is on line 2
        next(running)
        frame = Frame(running.gi_frame)
        found = [mark.line_of(frame) for _ in range(5)]  # type: ignore[arg-type]
        assert found == [expected] * 5
        assert frame.asked == 1


def test_the_lines_of_code_that_is_gone_are_not_those_of_the_next() -> None:
    mark = marks.FollowedFrame(None, None, "forward")  # type: ignore[arg-type]
    for first in range(1, 30):
        namespace: dict[str, Any] = {}
        body = "\n".join("    yield 1" for _ in range(200))
        exec("\n" * first + f"def long():\n{body}\n", namespace)
        running = namespace["long"]()
        next(running)
        assert mark.line_of(running.gi_frame) == first + 2
        del running


def test_a_node_is_looked_up_once_also_where_there_are_several_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step makes three nodes: of the sum, the product, and the weight's transpose.

    Operators run in these and in the nodes that gather gradients, which have no number.
    """
    layer, x = nn.Linear(2, 2), X.clone().requires_grad_()
    looked_up = noting(monkeypatch, NodeMap, "origins_of")

    def step() -> None:
        for _ in range(10):
            layer(x).sum().backward()

    with FlopCounter() as counter:
        thread = threading.Thread(target=step)
        thread.start()
        thread.join(60)
        del looked_up[:]
        step()
    assert counter.report.find("layer").calls == 20
    assert len(looked_up) == 3 * 10
