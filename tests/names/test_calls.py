"""How often a module was called, however many of its methods ran around that."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.names.programs import count_cell

X = torch.ones(2, 4)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def on_start(self, x: torch.Tensor) -> None:
        x + 1

    def training_step(self, x: torch.Tensor) -> torch.Tensor:
        return self(x).sum()  # type: ignore[no-any-return]

    def on_end(self, x: torch.Tensor) -> None:
        x * 2

    def generate(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(8):
            x = self(x)
        return x

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.half(self.half(x))

    def half(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) / 2  # type: ignore[no-any-return]


def calls(code: str, **variables: Any) -> tuple[int, int]:
    """The calls of the model and of its layer in a cell."""
    report = count_cell(code, {"m": Model(), "x": X, **variables})
    return report.find("m").calls, report.find("m.net").calls


def test_methods_around_a_forward_are_no_calls() -> None:
    step = "for _ in range(3):\n    m.on_start(x); m.training_step(x); m.on_end(x)\n"
    assert calls(step) == (3, 3)
    assert calls("m.generate(x)") == (8, 8)


def test_a_module_that_is_never_called_counts_its_outermost_method() -> None:
    assert calls("for _ in range(3): m.encode(x)") == (3, 6)
    assert calls("m.half(x); m.half(x)") == (2, 2)
    # Of several methods the one that ran most often tells.
    assert calls("for _ in range(3):\n    m.on_start(x); m.half(x); m.on_end(x)") == (3, 3)
    # A forward that is called by hand is a call.
    assert calls("m.forward(x); m(x); m.encode(x)") == (2, 4)


def test_a_module_in_another_is_counted_alike() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.m = Model()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.m.on_start(x)
            return self.m(self.m(x))  # type: ignore[no-any-return]

    report = count_cell("outer(x); outer(x)", {"outer": Outer(), "x": X})
    assert report.find("outer.m").calls == 4
