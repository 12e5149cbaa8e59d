"""How many parameters a report shows for each module: checked against `Module.parameters`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter
from ipyflops.attribution.parameters import ParameterCounts, count


def elements(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class Block(nn.Module):
    def __init__(self, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.linear = nn.Linear(4, 5)
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Tied(nn.Module):
    """Two parameters under three names, two of them in one module."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 2), nn.Linear(6, 2)
        self.right.weight = self.left.weight
        self.again = self.left.weight


def nested() -> nn.Module:
    return Block(Block(Block()))


def shared_module() -> nn.Module:
    inner = nn.Linear(7, 2)
    return nn.Sequential(Block(inner), Block(inner))


def recursive() -> nn.Module:
    outer = Block()
    outer.inner = Block(outer)
    return outer


MODELS = [nested, Tied, lambda: nn.Sequential(Tied(), nested()), shared_module, recursive]


@pytest.mark.parametrize("make", MODELS, ids=["nested", "tied", "both", "shared", "recursive"])
def test_every_module_of_a_model_has_what_torch_says(make: Any) -> None:
    model = make()
    counts = ParameterCounts(model)
    for module in model.modules():
        assert counts.find(module) in (elements(module), None)
        assert count(module) == elements(module)


@pytest.mark.parametrize("make", MODELS[:3], ids=["nested", "tied", "both"])
def test_one_walk_is_enough_for_a_tree(make: Any) -> None:
    model = make()
    counts = ParameterCounts(model)
    assert [counts.find(module) for module in model.modules()] == [
        elements(module) for module in model.modules()
    ]


def test_a_module_that_is_not_there_is_not_taken_for_one_that_is_gone() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    counts = ParameterCounts(model)
    assert counts.find(nn.Linear(2, 3)) is None
    del model[1]
    assert all(counts.find(nn.Linear(9, 9)) is None for _ in range(50))


def test_the_report_shows_them_for_all_modules() -> None:
    model = nn.Sequential(nested(), nn.Linear(5, 1))
    with FlopCounter() as counter:
        model(torch.ones(2, 4))
    tree = counter.report.find("model")
    assert tree.parameters == elements(model)
    assert counter.report.find("model.0.linear").parameters == 25


def test_parameters_that_get_their_shape_in_the_block_are_counted() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 2))
    with FlopCounter() as counter:
        model(torch.ones(2, 4))
    assert counter.report.find("model.0").parameters == 15
    assert counter.report.find("model.1").parameters == 8
