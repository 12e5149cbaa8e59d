"""Operators in methods that a forward calls, in a file other than the user's.

Frames of such code are marked with one location each, and most are found by a shorter way, which
has to lead to the same place as the long one: a tracer makes everything go the long way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter

SOURCE = '''
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Helped(nn.Module):
    """Works in a method, and in a method of that."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        x = self.outer(x) @ torch.ones(4, 4)
        return self.outer(self.inner(x))

    def outer(self, x):
        return self.product(x) + plain(x)

    def product(self, x):
        return x @ torch.ones(4, 4)


def plain(x):
    return x @ torch.eye(4)


class Borrowing(nn.Module):
    """Calls methods of another module, and not that module."""

    def __init__(self):
        super().__init__()
        self.lender = Helped()

    def forward(self, x):
        return self.own(self.lender.outer(x))

    def own(self, x):
        return self.lender.product(x) @ torch.ones(4, 4)


class Worker:
    """No module, but it has a self."""

    def __init__(self, layer):
        self.layer = layer

    def work(self, x):
        return self.layer(x) @ torch.ones(4, 4)


class Delegating(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.worker = Worker(self.layer)

    def forward(self, x):
        return self.worker.work(self.worker.work(x))


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.helped = Helped()

    def forward(self, x):
        return checkpoint(self.run, x, use_reentrant=False)

    def run(self, x):
        return self.helped(x)


class Making(nn.Module):
    """Makes a module in its forward, whose constructor computes."""

    def forward(self, x):
        return Helped.product(self, x) + Initialized()(x)

    def product(self, x):
        return x


class Initialized(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = self.make(torch.ones(4, 4))

    def make(self, x):
        return x @ x

    def forward(self, x):
        return x @ self.start


class Forgetful(nn.Module):
    """Its method has no self any more when it computes."""

    def forward(self, x):
        return self.method(x)

    def method(self, x):
        del self
        return x @ torch.ones(4, 4)
'''
NAMESPACE: dict[str, Any] = {"__name__": "elsewhere"}
exec(compile(SOURCE, "elsewhere.py", "exec"), NAMESPACE)
NAMES = [name for name, kind in NAMESPACE.items() if isinstance(kind, type) and name != "Worker"]
PRODUCT = 2 * 2 * 4 * 4


def trace(frame: Any, event: str, argument: Any) -> Any:
    return trace


def train(model: nn.Module) -> None:
    for _ in range(2):
        model(torch.ones(2, 4, requires_grad=True)).sum().backward()


def counted(run: Callable[[], None]) -> dict[str, tuple[Any, ...]]:
    with FlopCounter("contractions", device_time=False) as counter:
        run()
    return {
        node.path: (node.kind, node.calls, {name: part.flops for name, part in node.phases.items()})
        for node in counter.report.walk()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_short_way_leads_where_the_long_one_does(name: str) -> None:
    model = nn.Sequential(NAMESPACE[name](), NAMESPACE[name]())
    short = counted(lambda: train(model))
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        long = counted(lambda: train(model))
    finally:
        sys.settrace(before)
    assert short == long
    assert sum(short[""][2].values()) > 0


def test_methods_belong_to_the_module_that_they_are_of() -> None:
    model = NAMESPACE["Helped"]()
    found = counted(lambda: model(torch.ones(2, 4)))
    assert found["model"] == ("module", 1, {"forward": 6 * PRODUCT})
    assert found["model.inner"] == ("module", 1, {"forward": PRODUCT})


def test_a_method_of_another_module_belongs_to_that_one() -> None:
    model = NAMESPACE["Borrowing"]()
    found = counted(lambda: model(torch.ones(2, 4)))
    assert found["model"][2] == {"forward": 4 * PRODUCT}
    assert found["model.lender"][2] == {"forward": 3 * PRODUCT}
    assert found["model"][1] == 1
