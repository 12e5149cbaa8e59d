"""What an operator costs once its module is known: bytecodes are counted, not seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipyflops
from ipyflops import FlopCounter
from ipyflops.attribution import frame_marking, frames, locator, mark_table

FOLDER = ipyflops.__path__[0]
LAYERS = 10

pytestmark = [
    pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer is at work already"),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="bytecodes of Python 3.11"),
]


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package takes the usual way, although a tracer counts its bytecodes."""
    for module in (frame_marking, frames, locator, mark_table):
        monkeypatch.setattr(module, "gettrace", lambda: None)


def bytecodes_of(run: Callable[[], object]) -> int:
    """How many bytecodes of this package a call takes."""
    count = 0

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return inside

    def outside(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return inside

    sys.settrace(outside)
    try:
        run()
    finally:
        sys.settrace(None)
    return count


def forward(model: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        model(x)


def both(model: nn.Module, x: Tensor) -> None:
    model(x).sum().backward()


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(("run", "operators", "most"), [(forward, 3, 396), (both, 16, 333)])
def test_an_operator_of_a_known_module_takes_so_many_bytecodes_and_no_more(
    run: Callable[[nn.Module, Tensor], None], operators: int, most: int
) -> None:
    """A bound from measuring: what is added for each operator has to be seen here.

    A layer and its activation run 3 operators forward (`t`, `addmm`, `relu`), and 16 with the
    backward pass and the sums of gradients.
    """
    x = torch.ones(2, 4)
    counts = []
    for layers in (LAYERS, 2 * LAYERS):
        parts = [part for _ in range(layers) for part in (nn.Linear(4, 4), nn.ReLU())]
        model = nn.Sequential(*parts)
        with FlopCounter():
            for _ in range(3):
                run(model, x)
            counts.append(bytecodes_of(lambda model=model: run(model, x)))  # type: ignore[misc]
    assert (counts[1] - counts[0]) / LAYERS / operators <= most
