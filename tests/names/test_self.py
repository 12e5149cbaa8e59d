"""A method is its module's whatever it calls that: `self`, `this`, or an argument."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.names.programs import count_cell

X = torch.ones(2, 4)
CALL = 2 * 4 * 4 * 2


class Model(nn.Module):
    def __init__(this) -> None:  # noqa: N805
        super().__init__()
        this.net = nn.Linear(4, 4)

    def forward(this, x: torch.Tensor) -> torch.Tensor:  # noqa: N805
        return x @ this.net.weight

    def encode(this, x: torch.Tensor) -> torch.Tensor:  # noqa: N805
        return x @ this.net.weight

    @classmethod
    def run(cls, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x @ model.net.weight  # type: ignore[no-any-return,union-attr,operator]

    @staticmethod
    def apply_to(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x @ model.net.weight  # type: ignore[no-any-return,union-attr,operator]


class Child(Model):
    pass


def flops(code: str, **variables: Any) -> int:
    """The FLOPs of the model in a cell."""
    report = count_cell(code, {"m": Child(), "Model": Model, "x": X, **variables})
    assert report.flops == CALL
    return report.find("m").flops


def test_a_method_with_another_word_for_self_is_the_modules() -> None:
    assert flops("m.encode(x)") == CALL
    assert flops("m.forward(x)") == CALL
    assert flops("m(x)") == CALL


def test_class_and_static_methods_that_are_given_the_module_are_its_own() -> None:
    assert flops("m.run(m, x)") == CALL
    assert flops("Model.apply_to(m, x)") == CALL
    assert flops("m.apply_to(x=x, model=m)") == CALL


def test_a_forward_that_is_a_closure_over_the_module_is_its_own() -> None:
    model = Child()

    def forward(x: torch.Tensor) -> torch.Tensor:
        return x @ model.net.weight

    model.forward = forward  # type: ignore[assignment,method-assign]
    for code in ("m.forward(x)", "m(x)"):
        assert flops(code, m=model) == CALL


def test_a_function_that_is_given_a_module_is_not_its_method() -> None:
    source = "def loss(m, x):\n    return x @ m.net.weight\nloss(m, x)"
    report = count_cell(source, {"m": Child(), "x": X})
    assert [node.kind for node in report.tree.children if node.flops] == ["function"]


def test_an_optimizer_may_have_another_word_for_self() -> None:
    class Plain(torch.optim.Optimizer):
        def step(this, closure: Any = None) -> None:  # type: ignore[override]  # noqa: N805
            with torch.no_grad():
                for group in this.param_groups:
                    for parameter in group["params"]:
                        parameter -= 0.1

    model = nn.Linear(4, 4)
    report = count_cell("opt.step()", {"opt": Plain(model.parameters(), {}), "x": X})
    node = report.find("opt")
    assert (node.kind, node.flops) == ("optimizer", 4 * 4 + 4)
    assert list(node.phases) == ["optimizer"]
