"""Fake tensors whose sizes are symbols: counted at the numbers they stand for, with no guards."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from ipyflops import FlopCounter


def program(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    y = torch.relu(x @ weight)
    return nn.functional.softmax(y, dim=-1).sum() + (y * y).mean()


@pytest.mark.parametrize("rows", [2, 5])
def test_sizes_that_are_symbols_count_as_their_numbers(rows: int) -> None:
    x, weight = torch.randn(rows, 4), torch.randn(4, 3)
    with FlopCounter() as real:
        program(x, weight)

    plain_environment = ShapeEnv()
    with FakeTensorMode(shape_env=plain_environment) as mode:
        plain = program(mode.from_tensor(x), mode.from_tensor(weight))

    environment = ShapeEnv()
    mode = FakeTensorMode(shape_env=environment)
    fakes = mode.from_tensor(x), mode.from_tensor(weight)
    assert isinstance(fakes[0].shape[0], torch.SymInt)
    with FlopCounter() as counter, mode:
        result = program(*fakes)
    report = counter.report
    assert result.shape == plain.shape
    assert report.flops == real.report.flops > 0
    assert report.bytes == real.report.bytes
    assert type(report.flops) is type(report.bytes) is int
    assert report.unknown == {}
    assert [str(one.expr) for one in environment.guards] == [
        str(one.expr) for one in plain_environment.guards
    ]
    assert type(report).from_dict(report.to_dict()) == report
