"""Random programs against an oracle: a plain log of what reaches the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from ipyflops.costs.conventions import flops
from ipyflops.counting import FlopCounter
from ipyflops.formulas import Call, Formula, lookup
from ipyflops.report import Report
from tests.safety.programs import adds_up

# What the compiler itself uses when it is loaded.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")

WIDTH = 3
Kind = Literal[
    "linear", "relu", "norm", "dropout", "sequence", "twice", "recursive", "checkpoint", "list",
    "branch", "compiled", "raising",
]  # fmt: skip
LEAVES: tuple[Kind, ...] = ("linear", "relu", "norm", "dropout")
OUTER: tuple[Kind, ...] = (
    "sequence", "twice", "recursive", "checkpoint", "list", "branch", "compiled"
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a module is to be made of."""

    kind: Kind
    parts: tuple[Plan, ...] = ()


class Stop(Exception):
    """What a program of the tests raises."""


class Part(nn.Module):
    """A module that does with its parts what its kind says."""

    def __init__(self, kind: Kind, parts: list[nn.Module]) -> None:
        super().__init__()
        self.kind = kind
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor, depth: int = 1) -> Tensor:
        if self.kind == "raising":
            raise Stop
        if self.kind == "recursive" and depth:
            x = self(x, depth - 1)
        for part in self.parts:
            if self.kind == "checkpoint":
                x = checkpoint(part, x, use_reentrant=False)  # type: ignore[assignment]
            elif self.kind == "branch":
                with torch.no_grad():
                    aside = part(x)
                x = x + part(x) * aside
            else:
                x = part(x)
                x = part(x) if self.kind == "twice" else x
        return x


def build(plan: Plan, made: dict[Plan, nn.Module]) -> nn.Module:
    """A module for a plan; equal plans inside one program are one shared module."""
    if plan in made:
        return made[plan]
    parts = [build(part, made) for part in plan.parts]
    module: nn.Module
    match plan.kind:
        case "linear":
            module = nn.Linear(WIDTH, WIDTH)
        case "relu":
            module = nn.ReLU()
        case "norm":
            module = nn.LayerNorm(WIDTH)
        case "dropout":
            module = nn.Dropout(0.5)
        case "sequence":
            module = nn.Sequential(*parts)
        case "compiled":
            module = nn.Sequential(*parts)
            module.compile(backend="eager")
        case _:
            module = Part(plan.kind, parts)
    made[plan] = module
    return module


leaves = st.sampled_from(LEAVES).map(Plan)
plans = st.recursive(
    leaves,
    lambda inner: st.builds(
        Plan, st.sampled_from(OUTER), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=6,
)
programs = st.one_of(
    plans,
    st.lists(plans, min_size=1, max_size=2).map(
        lambda parts: Plan("sequence", (*parts, Plan("raising")))
    ),
)


class Log(TorchDispatchMode):
    """Every call that has a verdict, added up with no place and no phase."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        verdict = lookup(func)
        if isinstance(verdict, Formula):
            cost = verdict(Call(func, args, kwargs, out))
            self.flops += flops(cost, "standard")
            self.macs += cost.macs
        return out


def run(model: nn.Module, train: bool) -> list[Tensor]:
    """A forward, and what trains; the error that a program raises is part of it."""
    torch.manual_seed(0)
    x = torch.ones(2, WIDTH, requires_grad=train)
    try:
        output = model(x)
    except Stop:
        return []
    if not train:
        return [output]
    output.sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return [output, *gradients]


def counted(model: nn.Module, train: bool) -> tuple[list[Tensor], Report]:
    with FlopCounter(device_time=False) as counter:
        result = run(model, train)
    return result, counter.report


def reached(plan: Plan) -> bool:
    return plan.kind == "raising" or any(map(reached, plan.parts))


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(plan=programs, train=st.booleans())
def test_a_random_program_counts_what_a_plain_log_does(plan: Plan, train: bool) -> None:
    torch.manual_seed(0)
    model = build(plan, {})
    with torch.compiler.set_stance("force_eager"):
        plain = run(model, train)
        with Log() as log:
            run(model, train)
    result, report = counted(model, train)
    assert len(plain) == len(result)
    for one, other in zip(plain, result, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
    assert report.unknown == {}
    assert (report.flops, report.macs) == (log.flops, log.macs)
    adds_up(report)
    for convention in ("contractions", "article"):
        other = report.under(convention)
        assert other.tree.flops == sum(total.flops for total in other.by_phase.values())
    phases = {phase for phase, total in report.by_phase.items() if total.calls}
    assert phases <= ({"forward", "backward", "recompute"} if train else {"forward"})
    # All that is a module's is below the one model; only the sum and its gradient are outside.
    inside = [node for node in report.tree.children if node.kind == "module"]
    assert [node.name for node in inside] in (["model"], [])
    if not train:
        assert sum(node.flops for node in inside) == report.flops
