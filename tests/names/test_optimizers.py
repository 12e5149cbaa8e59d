"""An optimizer in another one's step is the same row, under the outer one's name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.names.programs import count_cell

X = torch.ones(2, 4)


class Wrapping(torch.optim.Optimizer):
    """As that of accelerate: an optimizer that hands on to the one in it."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


class Several(Wrapping):
    """An optimizer with one for each kind of parameter."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for one in self.optimizers:
            one.step()


TRAIN = "for _ in range(3):\n    model(x).sum().backward()\n    opt.step()\n"


def rows(code: str, **variables: Any) -> list[tuple[str, str, int]]:
    """The optimizers of the report of a cell."""
    report = count_cell(code, {"x": X, **variables})
    # An optimizer and what it wraps are one, not two of a kind.
    assert all(node.instances == 1 for node in report.tree.children if node.kind == "optimizer")
    return [
        (node.name, node.type, node.calls)
        for node in report.tree.children
        if node.kind == "optimizer"
    ]


def made() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model and its optimizer; no variable of a test holds the latter."""
    model = nn.Linear(4, 4)
    return model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)


def test_a_wrapped_optimizer_is_one_row() -> None:
    model, inner = made()
    variables: dict[str, Any] = {"model": model, "opt": Wrapping(inner)}
    assert rows(TRAIN, **variables) == [("opt", "Wrapping", 3)]
    # Also where the one inside has a variable of its own, and where it worked first.
    assert rows(TRAIN, inner=inner, **variables) == [("opt", "Wrapping", 3)]
    first = "inner.step()\n" + TRAIN
    assert rows("model(x).sum().backward()\n" + first, inner=inner, **variables) == [
        ("opt", "Wrapping", 4)
    ]
    assert rows(TRAIN + "inner.step()\n", inner=inner, **variables) == [("opt", "Wrapping", 4)]


class Trainer(Wrapping):
    """As that of Lightning: functions of the trainer's stand between the two steps."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        def strategy(run: Any) -> None:
            self.optimizer.step(run)

        strategy(closure)


def test_a_step_that_computes_the_loss_is_counted_once() -> None:
    model, inner = made()
    code = """
def closure():
    opt.zero_grad()
    loss = model(x).sum()
    loss.backward()
    return loss
for _ in range(3):
    opt.step(closure)
"""
    assert rows(code, model=model, opt=Trainer(inner)) == [("opt", "Trainer", 3)]


def test_an_optimizer_that_a_module_has_is_named_by_that() -> None:
    class Policy(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)
            self.optimizer = torch.optim.SGD(self.parameters(), 0.1, momentum=0.9)

    def learn(holder: Any, x: torch.Tensor) -> None:
        _policy = getattr(holder, "policy", holder)
        _policy(x).sum().backward()
        _policy.optimizer.step()

    agent = type("Agent", (), {})()
    agent.policy = Policy()
    variables = {"agent": agent, "learn": learn}
    assert rows("learn(agent, x)", **variables) == [("agent.policy.optimizer", "SGD", 1)]
    model = agent.policy
    del agent, variables
    assert rows("learn(model, x)", model=model, learn=learn) == [("model.optimizer", "SGD", 1)]


def test_an_optimizer_of_several_is_one_row() -> None:
    model = nn.Linear(4, 4)
    parts: list[torch.optim.Optimizer] = [
        torch.optim.SGD([model.weight], 0.1, momentum=0.9),
        torch.optim.Adam([model.bias]),
    ]
    assert rows(TRAIN, model=model, opt=Several(parts)) == [("opt", "Several", 3)]


def test_two_optimizers_beside_each_other_are_two_rows() -> None:
    model = nn.Linear(4, 4)
    one, two = (torch.optim.SGD([p], 0.1, momentum=0.9) for p in model.parameters())
    code = "model(x).sum().backward(); a.step(); b.step()"
    assert rows(code, model=model, a=one, b=two) == [("a", "SGD", 1), ("b", "SGD", 1)]
